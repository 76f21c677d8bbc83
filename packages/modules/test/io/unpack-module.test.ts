import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { firstBytes, keptBytesMax, statedBytes } from '../../io/inputs/decompress.ts';
import { UnpackBudget } from '../../io/inputs/unpack-budget.ts';
import { ModuleUnpacker } from '../../io/inputs/unpack-module.ts';
import { readZstdFrame } from '../../io/inputs/zstd-frame.ts';
import { formatCause } from '../../../base/problem.ts';

const elf = Buffer.alloc(keptBytesMax + 4096, 'what a module holds ');
elf.write('\u007fELF', 'latin1');
const packings = { gzip: gzipSync(elf), zstd: zstdCompressSync(elf) } as const;

test('statedBytes() and firstBytes() return size and first bytes without unpacking', () => {
  for (const how of ['gzip', 'zstd'] as const) {
    assert.deepEqual(statedBytes(packings[how], how), { ok: true, value: elf.length });
    assert.ok(Buffer.from(firstBytes(packings[how], how)).equals(elf.subarray(0, 64)), how);
    assert.equal(firstBytes(packings[how].subarray(0, 12), how).length, 0);
  }
});

test('readZstdFrame() reads sizes of all widths, and throws when the frame is cut off', () => {
  for (const size of [0, 200, 256, 300, 65_791, 65_792, 100_000]) {
    const packed = zstdCompressSync(Buffer.alloc(size, 'x'));
    const { contentBytes, firstBlockEnd } = readZstdFrame(packed);
    assert.equal(contentBytes, size);
    assert.ok(firstBlockEnd <= packed.length);
  }
  assert.throws(() => readZstdFrame(packings.zstd.subarray(0, 5)), { name: 'Error' });
});

test('ModuleUnpacker.use() reads large and multi-part modules, and releases its memory', () => {
  const shared = UnpackBudget.make(64 * 2 ** 20);
  const unpacker = new ModuleUnpacker(shared);
  const half = elf.length / 2;
  const parts = Buffer.concat([gzipSync(elf.subarray(0, half)), gzipSync(elf.subarray(half))]);
  for (const stored of [
    packings.gzip,
    packings.zstd,
    parts,
    gzipSync(elf.subarray(0, 1000)),
    elf,
  ]) {
    const read = unpacker.use(stored, (bytes) => Buffer.from(bytes));
    assert.ok(read.ok, read.ok ? '' : formatCause(read.error));
    assert.ok(read.value.equals(elf.subarray(0, read.value.length)));
  }
  const zeros = unpacker.use(gzipSync(Buffer.alloc(elf.length)), () => 'read');
  assert.deepEqual(zeros, { ok: false, error: { reason: 'is not an ELF file' } });
  assert.throws(() =>
    unpacker.use(packings.gzip, () => {
      throw new RangeError('not enough');
    }),
  );
  assert.equal(new Int32Array(shared.left)[0], shared.totalUnits);
});

test('UnpackBudget.reserve() blocks a thread until another one releases memory', async () => {
  const shared = UnpackBudget.make(2 ** 20);
  const reserved = new UnpackBudget(shared).reserve(2 ** 19);
  const module = new URL('../../io/inputs/unpack-budget.ts', import.meta.url).href;
  const program = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { UnpackBudget } from ${JSON.stringify(module)};
    parentPort.postMessage('waits');
    using reserved = new UnpackBudget(workerData).reserve(2 ** 30);
    parentPort.postMessage('has it');`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), {
    workerData: shared,
  });
  const exited = once(worker, 'exit');
  const [first] = await once(worker, 'message');
  assert.equal(first, 'waits');
  assert.equal(new Int32Array(shared.left)[0], shared.totalUnits / 2);
  const second = once(worker, 'message');
  reserved[Symbol.dispose]();
  assert.deepEqual(await second, ['has it']);
  await exited;
  assert.equal(new Int32Array(shared.left)[0], shared.totalUnits);
});
