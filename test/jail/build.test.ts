/** Jails on this kernel are built, kept, rebuilt and repaired. */
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
import { parseStateFile } from '../../src/jail/core/state-file.ts';
import { readStateFiles } from '../../src/jail/io/state-files.ts';
import { findOccupants } from '../../src/jail/io/occupants.ts';
import { eventually } from '../../testing/patience.ts';
import { JailStage, reasonToSkip, reasonsOf, keysOf } from './stage.ts';

const skip = reasonToSkip();
const [alice, bob, carol, dora] = [620_110, 620_111, 620_112, 620_113] as const;
let stage: JailStage;

before(async () => {
  if (skip !== false) return;
  stage = new JailStage('build');
  await stage.release();
});
after(async () => {
  if (skip === false) await stage[Symbol.asyncDispose]();
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
    assert.deepEqual([reasonsOf(changed), changed.built], [[], keysOf(alice)]);
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
    assert.match(reasonsOf(refused).join(), /symbolic link/);
    const stateFile = parseStateFile(stage.stateText(carol));
    assert.equal(stateFile.state, 'failed');
    assert.match(stateFile.reason ?? '', /symbolic link/);
    assert.ok(refused.kept + refused.built.length === 1, 'the others are built');
  } finally {
    unlinkSync(home);
    renameSync(`${home}-aside`, home);
  }
  const built = await stage.build(tenant);
  assert.deepEqual([reasonsOf(built), built.built], [[], keysOf(carol)]);
});

test('jail build reports failures of a missing account whose home is there', { skip }, async () => {
  const tenant = stage.tenant(carol);
  const missingHome = `${stage.homes}/u${carol}`;
  const site = { ...stage.site(carol, 'shop.example'), missingHome };
  rmSync(`${missingHome}/shop.example`, { recursive: true });
  renameSync(missingHome, `${missingHome}-aside`);
  symlinkSync('/root', missingHome);
  chownLink(missingHome, carol);
  try {
    const refused = await stage.build({ ...tenant, missingHome }, site);
    assert.match(reasonsOf(refused)[0] ?? '', /symbolic link/);
    assert.equal(refused.problems.length, 2);
    unlinkSync(missingHome);
    assert.deepEqual(reasonsOf(await stage.build(site)), []);
    assert.match(stage.stateText('620112-shop.example'), /^state failed .*does not exist/m);
  } finally {
    rmSync(missingHome, { force: true });
    renameSync(`${missingHome}-aside`, missingHome);
  }
  assert.match(reasonsOf(await stage.build(site)).join(), /shop\.example does not exist/);
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
    assert.deepEqual([reasonsOf(built), built.built], [[], keysOf(dora)]);
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
    // Makes his home.
    stage.tenant(bob);
    const tenant = stage.tenant(carol);
    chownSync(`${stage.homes}/u${carol}`, bob, bob);
    assert.match(reasonsOf(await stage.build(tenant)).join(), new RegExp(`belongs to uid ${bob}`));
    chownSync(`${stage.homes}/u${carol}`, carol, carol);
    mkdirSync(`${stage.homes}/u${bob}/media`, { recursive: true });
    for (const [at, reason] of [
      [`${stage.homes}/u${bob}/media`, /belongs to uid/],
      [`${stage.homes}/absent`, /does not exist/],
      [stage.homes, /homes of tenants are in/],
      [`${stage.homes}/u${carol}/own`, /is in its home/],
    ] as const) {
      const refused = await stage.build(stage.tenant(carol, { paths: [{ at, access: 'read' }] }));
      assert.match(reasonsOf(refused).join(), reason);
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
      serialize({
        kind: 'build',
        instance,
        databases: [],
        tenants: round % 2 === 0 ? changed : tenants,
      }),
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
  assert.deepEqual(reasonsOf(await stage.build(...tenants)), []);
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
    assert.deepEqual([reasonsOf(dropped), dropped.dropped], [[], keysOf(bob)]);
    assert.ok(!existsSync(`${stage.paths.tenants}/${bob}`));
    const released = await stage.release();
    assert.deepEqual(reasonsOf(released), []);
    assert.ok(existsSync(`${outside}/file`));
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(stage.instance));
    assert.ok(!existsSync(stage.paths.base));
    assert.deepEqual(readdirSync(`/var/lib/${stage.instance}`), []);
    assert.ok(lstatSync(`${stage.homes}/u${bob}`).isDirectory());
  },
);
