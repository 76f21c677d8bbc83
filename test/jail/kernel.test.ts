/** Jails on this kernel: what tenants see in them, and terminals. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { jailSource } from '../../src/jail/core/layout.ts';
import { terminals } from '../../src/jail/core/layout.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { JailStage, reasonToSkip, reasonsOf, keysOf } from './stage.ts';

const skip = reasonToSkip();
const [alice, bob] = [620_100, 620_101] as const;
let stage: JailStage;

before(async () => {
  if (skip !== false) return;
  stage = new JailStage('kernel');
  await stage.release();
});
after(async () => {
  if (skip === false) await stage[Symbol.asyncDispose]();
});

const quote = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;

test(
  'jail shows a tenant its own home and processes, few accounts and few devices',
  { skip },
  async () => {
    const built = await stage.build(stage.tenant(alice), stage.tenant(bob));
    assert.deepEqual(reasonsOf(built), []);
    assert.deepEqual(built.built, keysOf(alice, bob));
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
  for (const uid of [alice, bob])
    assert.match(on(uid, own), new RegExp(`/dev/pts/0\nbhjail${uid}:620$`));
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
