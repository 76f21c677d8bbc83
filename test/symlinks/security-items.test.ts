/** The `doctor --security` items about file systems that tenants serve. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Paths } from '../../src/host/paths.ts';
import { symlinksSecurity } from '../../src/symlinks/commands/security-items.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

test('symlinksSecurity() returns lacking when fuse.conf sets user_allow_other, else good', () => {
  using scratch = temporaryDirectory('fuse-conf');
  const etc = scratch.path;
  const verdict = () => symlinksSecurity({ etc } as Paths)[0]?.verdict;
  assert.equal(verdict(), 'good');
  for (const [text, expected] of [
    ['# user_allow_other\nmount_max = 10\n', 'good'],
    ['mount_max = 10\n  user_allow_other \n', 'lacking'],
  ] as const) {
    writeFileSync(join(etc, 'fuse.conf'), text);
    assert.equal(verdict(), expected);
  }
});
