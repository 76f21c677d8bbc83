// Jails on this kernel: an instance, uids and homes of their own, all removed afterwards.
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  chownSync,
} from 'node:fs';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { keyOf } from '../../src/jail/core/jail-key.ts';
import { parseStateFile } from '../../src/jail/core/state-file.ts';
import { readStateFiles } from '../../src/jail/io/state-files.ts';
import { jailSource } from '../../src/jail/core/layout.ts';
import { findOccupants } from '../../src/jail/io/occupants.ts';
import { terminals } from '../../src/jail/core/layout.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { JailStage, reasonToSkip } from './stage.ts';

const skip = reasonToSkip();
const [alice, bob, carol, dora] = [620_100, 620_101, 620_102, 620_103] as const;
let stage: JailStage;

before(async () => {
  if (skip !== false) return;
  stage = new JailStage('kernel');
  await stage.release();
});
after(async () => {
  if (skip === false) await stage[Symbol.asyncDispose]();
});

const keys = (...uids: readonly number[]) => uids.map((uid) => keyOf({ uid }));
const quote = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;
const messages = ({ problems }: { problems: readonly { reason: string }[] }) =>
  problems.map(({ reason }) => reason);

test(
  'jail shows a tenant its own home and processes, few accounts and few devices',
  { skip },
  async () => {
    const built = await stage.build(stage.tenant(alice), stage.tenant(bob));
    assert.deepEqual(messages(built), []);
    assert.deepEqual(built.built, keys(alice, bob));
    assert.equal(stage.see(alice, `ls ${stage.homes}`), `u${alice}`);
    assert.match(
      stage.see(alice, 'cat /etc/passwd'),
      new RegExp(`^bhjail${alice}:x:${alice}:`, 'm'),
    );
    assert.doesNotMatch(stage.see(alice, 'cat /etc/passwd'), new RegExp(`${bob}`));
    assert.equal(stage.see(alice, 'ls /sys | wc -l'), '0');
    const pids = 'for p in /proc/[1-9]*; do stat -c %u $p 2>/dev/null; done | sort -u';
    assert.equal(stage.see(alice, pids), `${alice}`);
    assert.equal(stage.see(alice, 'echo x >/dev/null; head -c 4 /dev/zero | wc -c'), '4');
    assert.equal(stage.see(alice, 'id -un'), `bhjail${alice}`);
  },
);

test('jail keeps a terminal that was opened outside usable', { skip }, async () => {
  await stage.build(stage.tenant(alice), stage.tenant(bob));
  const on = (uid: number, script: string) => {
    const command = stage.enterCommand(uid, '/bin/bash', '-c', script).map(quote).join(' ');
    const options = { encoding: 'utf8', timeout: patienceMilliseconds } as const;
    const ran = spawnSync('script', ['-qec', command, '/dev/null'], options);
    assert.equal(ran.status, 0, ran.stdout + ran.stderr);
    return ran.stdout.replaceAll('\r', '').trim();
  };
  // Its name leads to it, whatever of the three it is asked by; nothing of the host's /dev/pts is seen.
  for (const redirected of ['', '<&1', '<&2'])
    assert.match(on(alice, `tty ${redirected}`), /^\/dev\/tty-std(?:in|out|err)$/);
  assert.equal(on(alice, 'tty < /dev/null || true'), 'not a tty');
  const same = 'test "$(stat -L -c %d:%i:%t:%T $(tty))" = "$(stat -L -c %d:%i:%t:%T /dev/fd/0)"';
  assert.equal(on(alice, `${same} && echo same; ls /dev/pts`), 'same\nptmx');
  assert.equal(
    on(alice, 'stty rows 33 cols 44; stty size; echo written > /dev/tty'),
    '33 44\nwritten',
  );
  const resumed = on(alice, 'set -m; (kill -STOP $BASHPID; echo went on) & wait; fg %1');
  assert.match(resumed, /^went on$/m);
  // One that is opened inside has its usual name, and belongs to the jail.
  const own = `script -qec 'tty; stat -c %U:%a $(tty)' /dev/null`;
  for (const uid of [alice, bob]) assert.ok(on(uid, own).endsWith(`/dev/pts/0\nbhjail${uid}:620`));
});

test("jail limits the terminals of a tenant, and leaves the host's free", { skip }, async () => {
  await stage.build(stage.tenant(alice), stage.tenant(bob));
  const most = `perl -e '$| = 1; while (open my $f, "+<", "/dev/ptmx") { push @a, $f } print scalar(@a), " $!\n"; <STDIN>'`;
  const [program = '', ...args] = stage.enterCommand(alice, '/bin/sh', '-c', most);
  const holder = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  holder.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  try {
    await eventually('it has as many as it gets', () => said.endsWith('\n'));
    assert.equal(said, `${terminals.max} No space left on device\n`);
    for (const other of ['true', stage.enterCommand(bob, '/bin/true').map(quote).join(' ')])
      assert.equal(spawnSync('script', ['-qec', other, '/dev/null']).status, 0);
    assert.match(stage.see(bob, `script -qec tty /dev/null`), /^\/dev\/pts\/0/);
  } finally {
    const ended = once(holder, 'exit');
    holder.stdin.end();
    await ended;
  }
});

test(
  'jail lets a tenant write only to its own places, which others do not see',
  { skip },
  async () => {
    await stage.build(stage.tenant(alice), stage.tenant(bob));
    const home = `${stage.homes}/u${alice}`;
    stage.see(alice, `for d in /tmp /var/tmp /dev/shm ${home}; do echo secret >$d/mine; done`);
    assert.equal(stage.see(bob, 'ls /tmp /var/tmp /dev/shm | grep -c mine || true'), '0');
    assert.equal(readFileSync(`${home}/mine`, 'utf8'), 'secret\n');
    for (const directory of ['/', '/usr', '/etc', '/home', '/var', '/run', stage.homes]) {
      const written = stage.run(alice, '/bin/sh', '-c', `echo x >${directory}/file`);
      assert.notEqual(written.status, 0, directory);
    }
    const segment = stage.see(alice, 'ipcmk -M 4096').replace(/\D+/, '');
    assert.ok(
      stage.see(alice, 'ipcs -m').includes(`${segment} `),
      'the next process of the tenant',
    );
    assert.equal(stage.see(bob, 'ipcs -m | grep -c 4096 || true'), '0');
  },
);

test('jail root has the mount source that the BPF programs look for', { skip }, async () => {
  await stage.build(stage.tenant(alice));
  const table = stage.see(alice, 'cat /proc/self/mountinfo');
  const roots = table.split('\n').filter((line) => line.split(' ')[4] === '/');
  assert.equal(roots.length, 1);
  assert.match(roots[0] ?? '', new RegExp(` - tmpfs ${jailSource} `));
});

test('jail build keeps an unchanged jail, and rebuilds a changed one', { skip }, async () => {
  mkdirSync(`${stage.homes}-media`, { recursive: true });
  try {
    await stage.build(stage.tenant(alice));
    const again = await stage.build(stage.tenant(alice));
    assert.deepEqual([again.built, again.kept], [[], 1]);
    const [program = '', ...args] = stage.enterCommand(alice, 'sleep', '3600');
    const sleeper = spawn(program, args, { stdio: 'ignore' });
    const who = () => findOccupants(readStateFiles(stage.paths)).get(`${alice}`);
    await eventually('it is inside', () => who()?.inside.includes(sleeper.pid ?? 0));
    const path = { at: `${stage.homes}-media`, access: 'read' } as const;
    const changed = await stage.build(stage.tenant(alice, { paths: [path] }));
    assert.deepEqual([messages(changed), changed.built], [[], keys(alice)]);
    assert.deepEqual([who()?.inside, who()?.stale], [[], [sleeper.pid]]);
    assert.equal(stage.see(alice, `ls -d ${path.at}`), path.at);
    assert.notEqual(stage.run(alice, '/bin/touch', `${path.at}/x`).status, 0);
    const writable = { ...path, access: 'write' } as const;
    chownSync(path.at, alice, alice);
    await stage.build(stage.tenant(alice, { paths: [writable] }));
    stage.see(alice, `touch ${path.at}/x`);
    const ended = once(sleeper, 'exit');
    sleeper.kill('SIGKILL');
    await ended;
  } finally {
    rmSync(`${stage.homes}-media`, { recursive: true });
  }
});

test('jail build refuses a link in place of a home, and builds the others', { skip }, async () => {
  const tenant = stage.tenant(carol);
  const home = `${stage.homes}/u${carol}`;
  renameSync(home, `${home}-aside`);
  symlinkSync('/root', home);
  chownLink(home, carol);
  try {
    const refused = await stage.build(tenant, stage.tenant(alice));
    assert.match(messages(refused).join(), /symbolic link/);
    const stateFile = parseStateFile(stage.stateText(carol));
    assert.equal(stateFile.state, 'failed');
    assert.match(stateFile.reason ?? '', /symbolic link/);
    assert.ok(refused.kept + refused.built.length === 1, 'the others are built');
  } finally {
    unlinkSync(home);
    renameSync(`${home}-aside`, home);
  }
  const built = await stage.build(tenant);
  assert.deepEqual([messages(built), built.built], [[], keys(carol)]);
});

const chownLink = (path: string, uid: number) =>
  assert.equal(spawnSync('chown', ['-h', `${uid}`, path]).status, 0);

test('jail build follows a link to a home that root made', { skip }, async () => {
  const tenant = stage.tenant(dora);
  const home = `${stage.homes}/u${dora}`;
  renameSync(home, `${stage.homes}/disk2`);
  symlinkSync(`${stage.homes}/disk2`, home);
  try {
    writeFileSync(`${stage.homes}/disk2/here`, '');
    const built = await stage.build(tenant);
    assert.deepEqual([messages(built), built.built], [[], keys(dora)]);
    assert.equal(stage.see(dora, `ls ${home}`), 'here');
  } finally {
    unlinkSync(home);
    renameSync(`${stage.homes}/disk2`, home);
  }
});

test(
  "jail build refuses another user's home, and paths that others can change",
  { skip },
  async () => {
    const tenant = stage.tenant(carol);
    chownSync(`${stage.homes}/u${carol}`, bob, bob);
    assert.match(messages(await stage.build(tenant)).join(), new RegExp(`belongs to uid ${bob}`));
    chownSync(`${stage.homes}/u${carol}`, carol, carol);
    mkdirSync(`${stage.homes}/u${bob}/media`, { recursive: true });
    for (const [at, reason] of [
      [`${stage.homes}/u${bob}/media`, /belongs to uid/],
      [`${stage.homes}/absent`, /does not exist/],
      [stage.homes, /homes of tenants are in/],
      [`${stage.homes}/u${carol}/own`, /is in its home/],
    ] as const) {
      const refused = await stage.build(stage.tenant(carol, { paths: [{ at, access: 'read' }] }));
      assert.match(messages(refused).join(), reason);
      assert.equal(parseStateFile(stage.stateText(carol)).state, 'failed');
    }
  },
);

test(
  'jail with profile strict shows only processes in /proc, and runs nothing from /tmp',
  { skip },
  async () => {
    await stage.build(stage.tenant(alice, { profile: 'strict' }));
    assert.equal(stage.see(alice, 'ls /proc | grep -c uptime || true'), '0');
    const script =
      'printf "#!/bin/sh\\n" >/tmp/run; chmod +x /tmp/run; /tmp/run && echo ran || echo refused';
    assert.equal(stage.see(alice, script), 'refused');
  },
);

test('jail build repairs whatever a killed build left', { skip }, async () => {
  const tenants = [alice, bob, carol, dora].map((uid) => stage.tenant(uid));
  const changed = tenants.map((each) => ({
    ...each,
    jail: { ...each.jail, profile: 'shell' as const },
  }));
  const script = new URL('../../src/jail/io/build/main.ts', import.meta.url).pathname;
  const { serialize } = await import('node:v8');
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [script], { stdio: ['pipe', 'ignore', 'ignore'] });
    const { instance } = stage;
    child.stdin.end(
      serialize({ kind: 'build', instance, tenants: round % 2 === 0 ? changed : tenants }),
    );
    // The later rounds let it come further: it has begun when the first state file differs.
    const before = stage.stateText(alice);
    if (round > 3)
      await eventually(
        'it works',
        () => stage.stateText(alice) !== before || child.exitCode !== null,
      );
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  assert.deepEqual(messages(await stage.build(...tenants)), []);
  for (const uid of [alice, bob, carol, dora]) assert.equal(stage.see(uid, 'id -u'), `${uid}`);
  const { vault, inside } = stage.paths;
  const pins = spawnSync('nsenter', [`--mount=${vault}`, 'ls', `${inside}/ns`], {
    encoding: 'utf8',
  });
  assert.equal(pins.stdout.trim().split('\n').length, 8, pins.stdout);
});

test(
  'jail removal and release leave no mount and no directory, and follow no link',
  { skip },
  async () => {
    await stage.build(stage.tenant(alice), stage.tenant(bob));
    const outside = `${stage.homes}/keep`;
    mkdirSync(outside);
    writeFileSync(`${outside}/file`, '');
    stage.see(
      bob,
      `ln -s ${outside} /tmp/link; mkdir -p /tmp/a/b; touch /tmp/a/b/c; chmod 0 /tmp/a/b/c`,
    );
    const dropped = await stage.build(stage.tenant(alice));
    assert.deepEqual([messages(dropped), dropped.dropped], [[], keys(bob)]);
    assert.ok(!existsSync(`${stage.paths.tenants}/${bob}`));
    const released = await stage.release();
    assert.deepEqual(messages(released), []);
    assert.ok(existsSync(`${outside}/file`));
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(stage.instance));
    assert.ok(!existsSync(stage.paths.base));
    assert.deepEqual(readdirSync(`/var/lib/${stage.instance}`), []);
    assert.ok(lstatSync(`${stage.homes}/u${bob}`).isDirectory());
  },
);
