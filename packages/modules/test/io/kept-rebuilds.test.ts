import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keepRebuilds, readRebuilds, sourceDigest } from '../../io/rebuild/kept-rebuilds.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';

const scratch = suiteDirectory('kept');

const result = { module: 'a1', source: 'b2', release: '6.12.1', offered: '/s', day: '2026-01-31' };

test('keepRebuilds() adds results, and replaces an older one for the same module', () => {
  const directory = join(scratch, 'kept');
  keepRebuilds(directory, [result]);
  keepRebuilds(directory, [
    { ...result, day: '2026-02-01' },
    { ...result, module: 'c3' },
  ]);
  const kept = readRebuilds(directory).map(({ module, day }) => [module, day]);
  assert.deepEqual(kept, [
    ['a1', '2026-02-01'],
    ['c3', '2026-01-31'],
  ]);
});

test('readRebuilds() ignores a file or directory that others can write to', () => {
  const directory = join(scratch, 'open');
  keepRebuilds(directory, [result]);
  assert.equal(readRebuilds(directory).length, 1);
  chmodSync(join(directory, 'rebuilds.jsonl'), 0o622);
  assert.deepEqual(readRebuilds(directory), []);
  chmodSync(join(directory, 'rebuilds.jsonl'), 0o600);
  chmodSync(directory, 0o777);
  assert.deepEqual(readRebuilds(directory), []);
});

test('sourceDigest() changes with each file name, content, symlink and executable bit', () => {
  const directory = join(scratch, 'source');
  mkdirSync(join(directory, 'a'), { recursive: true });
  writeFileSync(join(directory, 'a/x.c'), 'int x;\n');
  writeFileSync(join(directory, 'configure'), '#!/bin/sh\n');
  const digests = [sourceDigest(directory)];
  writeFileSync(join(directory, 'a/x.c'), 'int y;\n');
  digests.push(sourceDigest(directory));
  chmodSync(join(directory, 'configure'), 0o755);
  digests.push(sourceDigest(directory));
  symlinkSync('x.c', join(directory, 'a/y.c'));
  digests.push(sourceDigest(directory));
  writeFileSync(join(directory, 'blob.o'), '\u007fELF');
  digests.push(sourceDigest(directory));
  assert.ok(digests.every((each) => each.ok));
  assert.equal(new Set(digests.map((each) => each.ok && each.value)).size, digests.length);
});
