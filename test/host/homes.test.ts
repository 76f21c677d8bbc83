/** Marks that distinguish home directories, and owners of uids, on this machine. */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { AccountNames } from '../../src/host/accounts/account-names.ts';
import { markHomes } from '../../src/host/accounts/homes.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const paths = pathsOf();
const account = (home: string) => ({ user: 'ann', uid: 1001, gid: 1001, home });
const mark = (home: string) => markHomes([account(home)], paths)[0]?.[1];

test('markHomes() returns another mark when another directory is at the path', (context: TestContext) => {
  using directory = temporaryDirectory('homes', '/var/tmp');
  const scratch = directory.path;
  const home = join(scratch, 'ann');
  mkdirSync(home);
  const before = mark(home);
  if (before === undefined) {
    context.skip('/var/tmp is on no disk');
    return;
  }
  writeFileSync(join(home, 'file'), '');
  assert.equal(mark(home), before);
  rmSync(join(home, 'file'));
  // The number of an inode is soon given again.
  rmdirSync(home);
  mkdirSync(home);
  assert.notEqual(mark(home), before);
  renameSync(home, `${home}.moved`);
  assert.equal(mark(home), undefined);
  symlinkSync(`${home}.moved`, home);
  assert.equal(mark(home), undefined);
});

test('markHomes() returns no mark when the directory is not on a disk', () => {
  assert.deepEqual(markHomes([account('/proc'), account('/sys'), account('')], paths), []);
});

test('AccountNames reads the passwd file again when it has changed', () => {
  using scratch = temporaryDirectory('names');
  const etc = scratch.path;
  const names = new AccountNames({ etc });
  assert.deepEqual(names.namesOf(1001), []);
  writeFileSync(join(etc, 'passwd'), 'ann:x:1001:1001::/home/ann:/bin/sh\n');
  assert.deepEqual(names.namesOf(1001), ['ann']);
  writeFileSync(join(etc, 'new'), 'ben:x:1001:1001::/home/ben:/bin/sh\nben2:x:1001:1::/:\n');
  renameSync(join(etc, 'new'), join(etc, 'passwd'));
  assert.deepEqual(names.namesOf(1001), ['ben', 'ben2']);
  assert.deepEqual(names.namesOf(1002), []);
});
