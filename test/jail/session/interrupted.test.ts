// The PAM module when something comes in between: no session is left halfway, or outside.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { eventually, patienceMilliseconds } from '../../../testing/patience.ts';
import {
  inVault,
  inside,
  jailOf,
  program,
  refused,
  session,
  skip,
  stage,
  tenant,
  uid,
  useJail,
  words,
} from './stage.ts';

describe('pam_bulkhead.so when something comes in between', { skip }, () => {
  useJail('session-between');

  test('leaves no session halfway when a thread stops it from entering a namespace', () => {
    const script = 'cat /run/bulkhead/profile 2>/dev/null; ls /home >/dev/null && echo went on';
    refused(/the vault cannot be entered/, tenant, script, 'login', ['-t']);
    inVault(`umount -l ${stage.paths.inside}/ipc/${uid}`);
    const went = session(tenant, 'readlink /proc/self/ns/mnt', 'login', ['-a']);
    assert.match(went.log, /opened: no/);
    assert.equal(went.stdout, fs.readlinkSync('/proc/self/ns/mnt'), 'neither the vault nor a jail');
  });

  test('enters the jail or refuses the session when descriptors are used up', async () => {
    assert.deepEqual((await stage.build(jailOf())).problems, []);
    const seen = new Set<string>();
    for (let limit = 4; limit < 24; limit++) {
      const shell = `ulimit -n ${limit}; exec "$0" "$@"`;
      const script = 'cat /run/bulkhead/profile 2>/dev/null || echo outside';
      const ran = spawnSync('/bin/sh', ['-c', shell, program, ...words(tenant, script)], {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
      });
      seen.add(ran.stdout.trim());
    }
    assert.deepEqual([...seen].sort(), ['', 'web']);
  });

  test('enters a rebuilt jail in the next session, and keeps open sessions', async (t) => {
    const args = words(tenant, 'echo ready; read line; cat /run/bulkhead/profile');
    const open = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    t.after(() => open.kill());
    let said = '';
    open.stdout.on('data', (data) => (said += String(data)));
    await eventually('it is inside', () => said === 'ready\n' || open.exitCode !== null);
    assert.deepEqual((await stage.build(jailOf({ profile: 'shell' }))).problems, []);
    inside('shell');
    const ended = once(open, 'close');
    open.stdin.end('\n');
    await ended;
    assert.equal(said, 'ready\nweb\n');
    assert.deepEqual((await stage.build(jailOf())).problems, []);
  });

  test('enters the jail or refuses the session while jails are built', async () => {
    const built = new AbortController();
    const seen = new Map<string, number>();
    const login = async (): Promise<void> => {
      while (!built.signal.aborted) {
        const child = spawn(program, words(tenant, 'cat /run/bulkhead/profile || echo outside'), {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        let said = '';
        child.stdout.on('data', (data) => (said += String(data)));
        await once(child, 'close');
        seen.set(said.trim(), (seen.get(said.trim()) ?? 0) + 1);
      }
    };
    const logins = [login(), login(), login()];
    try {
      for (let round = 0; round < 8; round++) {
        const profile = round % 2 === 0 ? 'shell' : 'web';
        assert.deepEqual((await stage.build(jailOf({ profile }))).problems, []);
        if (round === 3) await stage.release();
      }
    } finally {
      built.abort();
      await Promise.all(logins);
    }
    assert.ok([...seen.values()].reduce((a, b) => a + b) > 10);
    for (const each of seen.keys()) assert.ok(['web', 'shell', ''].includes(each), each);
  });

  test('leaves no mount when it is killed at any moment', async () => {
    // Other suites mount meanwhile: below directories of their instances, and of their own, and network namespaces.
    const ofOthers = `${tmpdir()}/|/run/netns(?:/| )|/run/bulkhead-(?!${stage.instance.slice('bulkhead-'.length)}/)`;
    const others = new RegExp(`^(?:\\S+ ){4}(?:${ofOthers})`);
    const mounts = () =>
      fs
        .readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((each) => !others.test(each))
        .sort();
    const earlier = mounts();
    assert.ok(earlier.some((each) => each.includes(stage.instance)));
    for (let round = 0; round < 60; round++) {
      const child = spawn(program, words(tenant, 'sleep 3600'), { stdio: 'ignore' });
      const ended = once(child, 'exit');
      for (let spin = 0; spin < round * 2000; spin++) process.hrtime();
      child.kill('SIGKILL');
      await ended;
    }
    assert.deepEqual(mounts(), earlier);
    inside();
  });
});
