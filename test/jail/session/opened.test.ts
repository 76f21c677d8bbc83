// The PAM module on this kernel, in sessions that a libpam program opens as sshd, su and cron do.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { parseStateFile } from '../../../src/jail/core/state-file.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { landlockObstacle, withoutLandlock } from '../stage.ts';
import {
  other,
  program,
  scratch,
  session,
  skip,
  stage,
  stateFile,
  tenant,
  uid,
  untouched,
  useJail,
  while_,
  words,
} from './stage.ts';

describe('pam_bulkhead.so', { skip }, () => {
  useJail('session-opened');

  test("opens a tenant's session in its jail without privileges, and closes it without error", () => {
    const { status, stdout, log } = session(
      tenant,
      'cat /run/bulkhead/profile; grep -E "^(NoNewPrivs|CapBnd|Seccomp):" /proc/self/status; readlink /proc/self/ns/mnt; pwd; unshare -U true 2>&1; for fd in /proc/$$/fd/*; do test ! -d $fd || echo $fd; done',
    );
    assert.equal(status, 0, log);
    assert.match(stdout, /^web\n/);
    assert.match(stdout, /CapBnd:\t0+\n/);
    assert.match(stdout, /NoNewPrivs:\t1\n/);
    assert.match(stdout, /Seccomp:\t2\n/);
    const { namespace } = parseStateFile(fs.readFileSync(stateFile(), 'utf8'));
    assert.ok(stdout.includes(`mnt:[${namespace}]\n/\n`), stdout);
    assert.match(stdout, /unshare failed: Operation not permitted$/);
    assert.match(log, /^opened: yes\nclosed: 0\n$/);
    const shared = session(tenant, 'ipcmk -M 4096 >/dev/null; ipcs -m | grep -c 4096').stdout;
    assert.match(stage.see(uid, 'ipcs -m'), /4096/, shared);
  });

  test('leaves root and users without a jail alone', () => {
    untouched();
    const { log } = session(other);
    assert.doesNotMatch(log, /jail/);
  });

  test('enters once when a service runs it twice', () => {
    const { status, stdout, log } = session(tenant, 'cat /run/bulkhead/profile', 'twice');
    assert.deepEqual([status, stdout], [0, 'web'], log);
  });

  test('refuses a user manager, which would start programs outside', () => {
    const { status, log } = session(tenant, 'echo ran', 'systemd-user');
    assert.equal(status, 1);
    assert.match(log, /no user manager for nobody/);
    untouched('systemd-user');
  });

  test("keeps Dovecot's auth processes, which serve many users, out of each user's jail", () => {
    assert.equal(session(tenant, undefined, 'dovecot').stdout, 'outside');
    untouched('dovecot');
  });

  test('refuses only users with a jail when the module is missing or broken', () => {
    for (const service of ['missing', 'broken']) {
      const { status, stdout, log } = session(tenant, 'echo ran', service);
      assert.deepEqual([status, stdout], [1, ''], log);
      assert.match(log, /Refused user nobody/);
      untouched(service);
    }
  });

  test(
    'applies Landlock when the state file has it, or refuses the session',
    { skip: landlockObstacle() },
    () => {
      const text = fs.readFileSync(stateFile(), 'utf8');
      assert.equal(parseStateFile(text).landlock, true);
      const file = fs.openSync('/etc/passwd', 'r');
      const leak = (before: readonly string[] = []) => {
        const [first, ...args] = [...before, program, ...words(tenant, 'cat /proc/self/fd/10')];
        const none = Array.from({ length: 7 }, () => 'ignore' as const);
        const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...none, file];
        return spawnSync(first, args, { encoding: 'utf8', timeout: patienceMilliseconds, stdio });
      };
      assert.match(leak().stderr, /10: Permission denied/);
      while_(
        () => fs.writeFileSync(stateFile(), text.replace('landlock yes', 'landlock no')),
        () => assert.equal(leak().stdout, fs.readFileSync('/etc/passwd', 'utf8')),
        () => fs.writeFileSync(stateFile(), text),
      );
      const refusal = leak(withoutLandlock(scratch));
      assert.equal(refusal.stdout, '');
      assert.match(
        refusal.stderr,
        /no session for nobody, .*Landlock cannot be applied: Function not/,
      );
      fs.closeSync(file);
    },
  );

  test('passes no descriptor that leads out to programs of the session', () => {
    const names = ['/etc', '/', '/etc/hostname'] as const;
    const path = 0o10000000; // O_PATH
    const held = [
      fs.openSync(names[0], fs.constants.O_DIRECTORY),
      fs.openSync(names[1], path | fs.constants.O_DIRECTORY),
      fs.openSync(names[2], path),
    ];
    const file = fs.openSync(names[2], 'r');
    const none = Array.from({ length: 7 }, () => 'ignore' as const);
    const leak = (input: number | 'ignore', script: string, user: string = tenant) =>
      spawnSync(program, words(user, script), {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
        stdio: [input, 'pipe', 'pipe', file, ...none, ...held],
      });
    try {
      const here = 'for n in 0 3 11 12 13; do test -e /proc/self/fd/$n && echo $n; done; true';
      const look = `${here}; stat -Lc %F /proc/self/fd/0; ls /proc/self/fd/0/ /proc/self/fd/11/ 2>/dev/null`;
      for (const input of ['ignore', ...held.slice(0, 2)] as const)
        assert.equal(leak(input, look).stdout, '0\n3\ncharacter special file\n');
      // An account without a jail gets what it got.
      const all = leak(held[0] ?? 'ignore', `${here}; ls /proc/self/fd/11/`, other).stdout;
      assert.match(all, /^0\n3\n11\n12\n13\n[^]*^passwd$/m);
    } finally {
      for (const each of [...held, file]) fs.closeSync(each);
    }
  });
});
