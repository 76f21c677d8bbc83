import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readCached, writeCached } from '../../io/scan/own-cache.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';

describe('writeCached()', () => {
  const scratch = suiteDirectory('own-cache');
  const nameOf = (number: number) => `${number.toString(16).padStart(32, '0')}.jsonl`;

  test('keeps the 32 newest files', () => {
    const directory = join(scratch, 'many');
    for (let number = 0; number < 40; number++) {
      writeCached(directory, nameOf(number), `${number}`);
      utimesSync(join(directory, nameOf(number)), number + 1, number + 1);
    }
    writeCached(directory, nameOf(40), 'the last');
    assert.equal(readdirSync(directory).length, 32);
    assert.equal(readCached(directory, nameOf(40)), 'the last');
    assert.equal(readCached(directory, nameOf(9)), '9');
    assert.equal(readCached(directory, nameOf(8)), undefined);
  });

  test('removes the oldest file when the cache is too large', () => {
    const directory = join(scratch, 'large');
    writeCached(directory, nameOf(0), 'first');
    for (const number of [1, 2]) {
      const fd = openSync(join(directory, nameOf(number)), 'w', 0o600);
      ftruncateSync(fd, 150 * 2 ** 20);
      closeSync(fd);
      utimesSync(join(directory, nameOf(number)), number, number);
    }
    writeCached(directory, nameOf(3), 'last');
    assert.deepEqual(readdirSync(directory).sort(), [nameOf(0), nameOf(2), nameOf(3)]);
  });
});
