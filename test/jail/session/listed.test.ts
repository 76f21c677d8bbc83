// The PAM module and the list of accounts that have a jail, which counts when nothing else is known of them.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { addJailed, jailedFile, settleJailed } from '../../../src/host/cgroups/launch-jailed.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import {
  inside,
  instead,
  list,
  mkfifo,
  other,
  paths,
  program,
  refused,
  runtime,
  scratch,
  session,
  skip,
  tenant,
  uid,
  untouched,
  useJail,
  while_,
  words,
} from './stage.ts';

describe('pam_bulkhead.so with the list of accounts that have a jail', { skip }, () => {
  useJail('session-listed');

  test('refuses a user whose account cannot be looked up while any tenant has a jail', () => {
    const services = `${scratch}/nsswitch.conf`;
    // A directory service that does not answer.
    const source = `#include <errno.h>\n#include <nss.h>
      enum nss_status _nss_gone_getpwnam_r(const char *name, void *account, char *text, unsigned long size, int *error) {
        (void)name; (void)account; (void)text; (void)size; *error = ECONNREFUSED; return NSS_STATUS_UNAVAIL; }\n`;
    const library = ['-xc', '-shared', '-fPIC', '-o', `${scratch}/libnss_gone.so.2`, '-'];
    execFileSync('gcc', library, { input: source });
    const broken = 'mount --bind "$0" /etc/nsswitch.conf && exec "$@"';
    const as = (user: string) =>
      spawnSync('unshare', ['-m', 'sh', '-c', broken, services, program, ...words(user, 'true')], {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
        env: { ...process.env, LD_LIBRARY_PATH: scratch },
      }).stderr;
    fs.writeFileSync(services, 'passwd: files gone\n');
    // The tenant uses a second name that only the directory service has.
    assert.match(as('second'), /no session for second, .*while its account cannot be looked up/);
    for (const user of [other, 'root']) assert.match(as(user), /^opened: yes$/m, user);
    fs.writeFileSync(services, 'passwd: files\n');
    assert.match(as('second'), /^opened: yes$/m, 'a user that the service has by itself');
    const text = fs.readFileSync(list(), 'utf8');
    fs.writeFileSync(services, 'passwd: files gone\n');
    while_(
      () => fs.rmSync(list()),
      () => assert.match(as('second'), /^opened: yes$/m, 'nobody has a jail'),
      () => fs.writeFileSync(list(), text, { mode: 0o600 }),
    );
  });

  test('refuses only users who had a jail before when no policy is in force', () => {
    const text = fs.readFileSync(list(), 'utf8');
    assert.equal(text, `${uid}\n${tenant}\n`);
    const aside = `${runtime()}-aside`;
    const pins = fs.readFileSync('/proc/self/mountinfo', 'utf8');
    assert.ok(pins.includes(runtime()));
    while_(
      () => fs.renameSync(runtime(), aside),
      () => {
        refused(/not there any more, or not yet/);
        fs.rmSync(list());
        untouched();
        assert.equal(session(tenant).stdout, 'outside', 'nobody has a jail');
        fs.writeFileSync(list(), text, { mode: 0o600 });
      },
      () => fs.renameSync(aside, runtime()),
    );
  });

  test('refuses only users with a state file when the list is broken', () => {
    const broken: readonly ((path: string) => void)[] = [
      (path) => fs.symlinkSync('/etc/passwd', path),
      (path) => fs.mkdirSync(path),
      mkfifo,
      (path) => (fs.writeFileSync(path, `${other}\n`), fs.chmodSync(path, 0o666)),
      (path) => (fs.writeFileSync(path, `${other}\n`), fs.chownSync(path, uid, 0)),
      (path) => fs.writeFileSync(path, `${'games'.repeat(50_000)}\n\n\ngamesx\n5x\n15\n`),
    ];
    for (const make of broken)
      instead(list(), make, () => {
        untouched();
        inside();
      });
    instead(
      list(),
      (path) => fs.writeFileSync(path, `${'y'.repeat(5000)}\n5\n${other}`, { mode: 0o600 }),
      () => assert.equal(session(other).status, 1, 'listed by its uid'),
    );
  });

  test('reads the list of addJailed() until settleJailed() removes the user', () => {
    const { state } = paths();
    const names = () => fs.readFileSync(jailedFile(state), 'utf8');
    assert.ok(addJailed(paths(), [{ uid: 5 }, { uid: 7, user: 'of-a-directory' }]).ok);
    assert.equal(names(), `5\n${other}\n7\nlp\nof-a-directory\n${uid}\n${tenant}\n`);
    assert.ok(settleJailed(paths(), [{ uid: 5, user: '77' }], (each) => each === uid).ok);
    assert.equal(names(), `5\n${other}\n${uid}\n${tenant}\n`);
    assert.ok(settleJailed(paths(), [], () => false).ok);
    assert.ok(!fs.existsSync(jailedFile(state)));
    assert.equal(session(tenant).stdout, 'web', 'only its state file counts');
  });
});
