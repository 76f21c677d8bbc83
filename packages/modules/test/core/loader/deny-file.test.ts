import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelName, formatDenyFile, readDenyFile } from '../../../core/modprobe/deny-file.ts';

const block = `# >>> bulkhead modules deny (lines outside this block are kept)
blacklist pcspkr
install pcspkr /bin/false
blacklist snd_pcsp
install snd_pcsp /bin/false
# on the kernel command line: snd_pcsp
# <<< bulkhead modules deny
`;

test('readDenyFile() and formatDenyFile() keep the block and all lines around it', () => {
  for (const text of [
    block,
    `options a b=1\n${block}`,
    `${block}# no newline`,
    `# x\n${block}# y`,
  ]) {
    const read = readDenyFile(text);
    assert.ok(read.ok);
    assert.deepEqual(read.value.names, ['pcspkr', 'snd_pcsp']);
    assert.deepEqual(read.value.boot, ['snd_pcsp']);
    assert.equal(formatDenyFile(read.value), text);
    const empty = formatDenyFile({ ...read.value, names: [], boot: [] });
    assert.equal(empty, text.replace(block, ''));
  }
});

test('formatDenyFile() puts the block before the lines of a file that has none', () => {
  const read = readDenyFile('options a b=1');
  assert.ok(read.ok);
  const text = formatDenyFile({ ...read.value, names: ['pcspkr', 'snd_pcsp'], boot: ['snd_pcsp'] });
  assert.equal(text, `${block}options a b=1`);
});

test('readDenyFile() refuses a block that was damaged', () => {
  for (const text of [block.slice(0, -5), block + block])
    assert.equal(readDenyFile(text).ok, false);
});

test('readDenyFile() skips names that no kernel module can have', () => {
  const read = readDenyFile(block.replaceAll('pcspkr', 'a /bin/sh; b'));
  assert.ok(read.ok);
  assert.deepEqual(read.value.names, ['snd_pcsp']);
});

test('kernelName() replaces - with _, and refuses invalid names', () => {
  assert.equal(kernelName('snd-pcsp'), 'snd_pcsp');
  assert.equal(kernelName('a'.repeat(55)), 'a'.repeat(55));
  for (const name of ['', 'a'.repeat(56), 'a b', 'a,b', '../a', 'a\n', '$(a)', 'a"', 'é', 'a\0'])
    assert.equal(kernelName(name), undefined, JSON.stringify(name));
});
