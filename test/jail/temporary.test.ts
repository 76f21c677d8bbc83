/** Temporary files of tenants that have no jail any more, when removing them takes long. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { removeTemporary, shareOf } from '../../src/jail/io/build/temporary.ts';
import { jailPathsOf } from '../../src/jail/io/jail-paths.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const skip = process.geteuid?.() === 0 ? false : 'only root may remove files as a tenant';
const state = suiteDirectory('jail-temporary');
// The files are removed as the tenant.
chmodSync(state, 0o755);
const paths = jailPathsOf({ ...pathsOf('bulkhead-temporary-test'), state });
const [first, second, empty] = [620_131, 620_132, 620_133] as const;
const of = (uid: number) => join(paths.temporary, String(uid));

function make(uid: number, names: readonly string[]): void {
  for (const each of ['tmp', 'tmp/a', 'vartmp']) {
    mkdirSync(join(of(uid), each), { recursive: true });
    chownSync(join(of(uid), each), uid, uid);
  }
  for (const each of names) writeFileSync(join(of(uid), 'tmp/a', each), '');
}

test(
  'removeTemporary() leaves to the next call what it has no time for, and names it once',
  { skip },
  () => {
    make(first, ['x', 'y']);
    make(second, ['z']);
    mkdirSync(of(empty));
    writeFileSync(paths.places, `${paths.temporary}\n`);
    const problems = removeTemporary(paths, () => false, 0);
    assert.equal(problems.length, 1);
    const [{ object = '', reason, hint } = { reason: '' }] = problems;
    assert.equal(object, `${of(first)}, ${of(second)}`);
    assert.match(reason, /not all gone after 0 s/);
    assert.match(hint ?? '', /goes on where it stopped/);
    assert.deepEqual(
      [first, second, empty].map((uid) => existsSync(of(uid))),
      [true, true, false],
    );
    assert.deepEqual(
      removeTemporary(paths, (key) => key === String(second)),
      [],
    );
    assert.deepEqual(
      [first, second].map((uid) => existsSync(of(uid))),
      [false, true],
    );
    assert.deepEqual(
      removeTemporary(paths, () => false),
      [],
    );
    assert.ok(!existsSync(paths.temporary));
  },
);

test('shareOf() gives each directory its part, at least five seconds, and no more than there is', () => {
  assert.equal(shareOf(60_000, 1), 60_000);
  assert.equal(shareOf(60_000, 4), 15_000);
  assert.equal(shareOf(60_000, 1_000), 5_000);
  assert.equal(shareOf(3_000, 1_000), 3_000);
  for (const left of [0, -1, -60_000]) assert.ok(shareOf(left, 7) <= 0, String(left));
});
