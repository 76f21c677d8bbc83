/** The list of accounts for which PAM starts the session step. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { passLogins, publishLogins, withdrawLogins } from '../../src/host/cgroups/launch-logins.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

test('publishLogins() lists the names of all tenants, and of those in slices, for root only', () => {
  using directory = temporaryDirectory('logins');
  const scratch = directory.path;
  const paths = {
    etc: join(scratch, 'etc'),
    runtime: join(scratch, 'run'),
    state: join(scratch, 'state'),
  };
  mkdirSync(paths.etc);
  mkdirSync(paths.runtime);
  writeFileSync(
    join(paths.etc, 'passwd'),
    'root:x:0:0::/root:/bin/sh\nbob:x:1002:1::/:/bin/sh\nann:x:1001:1::/:\n+::::::\nalias:x:1001:1::/:/bin/sh\ncarol:x:1003:1::/:/bin/sh\n',
  );
  const path = join(paths.runtime, 'logins');
  const slices = join(paths.runtime, 'slices');
  const publish = (isSlice = true) =>
    publishLogins(paths, [
      { uid: 1001, isSlice },
      { uid: 1002, user: 'bob', isSlice: false },
      { uid: 1004, user: 'dora@corp', isSlice },
      { uid: 1005, user: 'two\nnames', isSlice },
    ]);
  assert.ok(publish().ok);
  assert.equal(readFileSync(slices, 'utf8'), 'alias\nann\ndora@corp\n');
  assert.equal(statSync(slices).mode & 0o777, 0o600);
  assert.equal(readFileSync(path, 'utf8'), 'alias\nann\nbob\ndora@corp\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { ino } = statSync(path);
  assert.ok(publish().ok);
  assert.equal(statSync(path).ino, ino);
  assert.ok(publish(false).ok);
  assert.equal(existsSync(slices), false);
  assert.ok(publish().ok);
  const inSlices = () => readFileSync(slices, 'utf8');
  assert.ok(passLogins(paths, { uid: 1001, user: 'ann' }, 'step').ok);
  assert.equal(inSlices(), 'dora@corp\n');
  for (let times = 0; times < 2; times++)
    assert.ok(passLogins(paths, { uid: 1001, user: 'ann' }, 'pam_systemd').ok);
  assert.equal(inSlices(), 'alias\nann\ndora@corp\n');
  mkdirSync(join(paths.state, 'stopped'), { recursive: true });
  writeFileSync(join(paths.state, 'stopped/1004'), '{}');
  assert.ok(publish().ok);
  assert.equal(inSlices(), 'alias\nann\n');
  assert.ok(passLogins(paths, { uid: 1001 }, 'step').ok);
  assert.equal(existsSync(slices), false);
  assert.equal(readFileSync(path, 'utf8'), 'alias\nann\nbob\ndora@corp\n');
  withdrawLogins(paths.runtime);
  assert.ok(passLogins(paths, { uid: 1001 }, 'pam_systemd').ok);
  assert.equal(existsSync(slices), false);
  withdrawLogins(paths.runtime);
  assert.deepEqual([path, slices].map(existsSync), [false, false]);
});
