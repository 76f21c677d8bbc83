import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  decompress,
  decompressed,
  OutputBuffer,
  unpackWithProgram,
} from '../../io/inputs/decompress.ts';
import { xzDecoder } from '../../io/inputs/liblzma.ts';
import { xzUnpackedBytes } from '../../io/inputs/xz-index.ts';
import { formatCause } from '../../../base/problem.ts';

const xz = (bytes: Uint8Array, ...options: string[]) =>
  spawnSync('xz', ['-c', ...options], { input: bytes, maxBuffer: 1 << 28 }).stdout;
const noXz =
  spawnSync('xz', ['--version']).status === 0 ? false : 'the program "xz" is not installed';
const noLibrary = xzDecoder() === undefined ? 'liblzma.so.5 is not installed' : noXz;

const text = Buffer.from('a line that repeats\n'.repeat(5000));
const limit = 1 << 20;

const same = (result: ReturnType<typeof decompress>, expected: Uint8Array) => {
  assert.ok(result.ok, result.ok ? '' : formatCause(result.error));
  assert.ok(Buffer.from(result.value).equals(expected));
};
const bomb = {
  ok: false,
  error: { reason: 'it would unpack to more than 99999 bytes, which is the limit' },
};

test('decompress() unpacks gzip and zstd, also several streams in one file', () => {
  same(decompress(gzipSync(text), 'gzip', limit), text);
  same(decompress(zstdCompressSync(text), 'zstd', limit), text);
  const twice = Buffer.concat([gzipSync(text), gzipSync(text)]);
  same(decompress(twice, 'gzip', limit), Buffer.concat([text, text]));
  const frames = Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)]);
  same(decompress(frames, 'zstd', limit), Buffer.concat([text, text]));
});

test(
  'decompress() unpacks xz: several streams, padding, several blocks',
  { skip: noLibrary },
  () => {
    same(decompress(xz(text), 'xz', limit), text);
    const padded = Buffer.concat([xz(text), Buffer.alloc(8), xz(text, '--block-size=1000')]);
    same(decompress(padded, 'xz', limit), Buffer.concat([text, text]));
    same(decompress(xz(new Uint8Array()), 'xz', limit), new Uint8Array());
    same(decompress(xz(text, '--check=crc32', '--x86', '--lzma2=dict=1MiB'), 'xz', limit), text);
  },
);

test('decompress() fails when the output exceeds the limit', { skip: noLibrary }, () => {
  assert.deepEqual(decompress(gzipSync(text), 'gzip', 99_999), bomb);
  assert.deepEqual(decompress(zstdCompressSync(text), 'zstd', 99_999), bomb);
  assert.deepEqual(decompress(xz(text), 'xz', 99_999), bomb);
  assert.deepEqual(unpackWithProgram(xz(text), 'xz', 99_999), bomb);
  assert.deepEqual(decompressed(text, 99_999), bomb);
});

test('decompress() fails when xz data is cut or changed at any byte', { skip: noLibrary }, () => {
  const packed = xz(text);
  for (let length = 0; length < packed.length; length++) {
    const answer = decompress(packed.subarray(0, length), 'xz', limit);
    assert.ok(!answer.ok || length === 0, `cut at ${length}`);
  }
  for (let at = 0; at < packed.length; at++) {
    const changed = Buffer.from(packed);
    changed[at] = (changed[at] ?? 0) ^ 0x15;
    assert.ok(!decompress(changed, 'xz', limit).ok, `changed at ${at}`);
  }
});

test('decompress() reports whether gzip or zstd data is cut off or damaged', () => {
  const cut = (bytes: Buffer) => bytes.subarray(0, bytes.length - 20);
  assert.deepEqual(decompress(cut(gzipSync(text)), 'gzip', limit), {
    ok: false,
    error: { reason: 'its gzip stream is cut off' },
  });
  const broken = Buffer.from(zstdCompressSync(text));
  broken.fill(0xff, 8, 20);
  assert.deepEqual(decompress(broken, 'zstd', limit), {
    ok: false,
    error: { reason: 'its zstd stream is damaged' },
  });
});

test(
  'unpackWithProgram() unpacks xz, and decompress() unpacks lzma, with the xz program',
  { skip: noXz },
  () => {
    same(unpackWithProgram(xz(text), 'xz', limit), text);
    same(decompress(xz(text, '--format=lzma'), 'lzma', limit), text);
    assert.ok(!unpackWithProgram(Buffer.from('no xz at all'), 'xz', limit).ok);
  },
);

test('unpackWithProgram() names the package to install when the program is missing', () => {
  const path = process.env['PATH'];
  process.env['PATH'] = '/nonexistent';
  try {
    assert.deepEqual(unpackWithProgram(text, 'xz', limit), {
      ok: false,
      error: {
        reason: 'it is compressed with xz',
        hint: 'install liblzma (package "liblzma5") or "xz" (package "xz-utils") to read it',
      },
    });
  } finally {
    process.env['PATH'] = path;
  }
});

test('OutputBuffer is reused by decompress(), and grows', { skip: noLibrary }, () => {
  const buffer = new OutputBuffer();
  const first = decompress(xz(text), 'xz', limit, buffer);
  const second = decompress(xz(text.subarray(0, 500)), 'xz', limit, buffer);
  assert.ok(first.ok && second.ok);
  assert.equal(first.value.buffer, second.value.buffer);
  same(second, text.subarray(0, 500));
  assert.equal(buffer.take(text.length * 3).length, text.length * 3);
});

test(
  'xzUnpackedBytes() reads the size from the index, and fails when its size is too large',
  { skip: noXz },
  () => {
    const packed = Buffer.from(xz(text));
    assert.deepEqual(xzUnpackedBytes(packed), { ok: true, value: text.length });
    const backward = packed.length - 8;
    packed.writeUInt32LE(0xfffffff0, backward);
    const answer = xzUnpackedBytes(packed);
    assert.ok(!answer.ok && answer.error.reason.includes('has no index'));
  },
);
