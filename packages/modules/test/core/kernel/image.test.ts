import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  bannerRelease,
  imageCompression,
  imageVermagic,
  readImage,
} from '../../../core/kernel/image.ts';
import { bzImage, elfFile } from './elf-file.ts';

test('readImage() finds the payload of a bzImage, without the size that follows it', () => {
  const payload = zstdCompressSync(elfFile([]));
  const file = bzImage(payload, '6.12.1-test');
  const image = readImage(file);
  assert.ok(image.ok && image.value.kind === 'compressed');
  const { offset, size, ...rest } = image.value;
  assert.deepEqual(file.subarray(offset, offset + size), payload);
  assert.deepEqual(rest, {
    kind: 'compressed',
    format: 'bzImage',
    compression: 'zstd',
    release: '6.12.1-test',
  });
});

test('readImage() fails with the defect of a bzImage and its offset', () => {
  const file = Buffer.from(bzImage(zstdCompressSync(Buffer.alloc(10)), 'x'));
  const changed = (change: (copy: Buffer) => void) => {
    const copy = Buffer.from(file);
    change(copy);
    return readImage(copy);
  };
  assert.deepEqual(
    changed((copy) => copy.writeUInt32LE(0xffffffff, 0x24c)),
    {
      ok: false,
      error: { message: `ends after ${file.length} bytes, in the middle of a value`, offset: 1088 },
    },
  );
  assert.deepEqual(
    changed((copy) => copy.fill(0x11, 1088)),
    { ok: false, error: { message: 'is compressed in an unknown way', offset: 1088 } },
  );
  const old = changed((copy) => copy.writeUInt16LE(0x204, 0x206));
  assert.ok(!old.ok && old.error.message.includes('boot protocol before 2.08'));
  for (let length = 0; length < file.length; length += 7) readImage(file.subarray(0, length));
});

test('readImage() recognizes EFI zboot, bare images, compressed files and vmlinux', () => {
  const packed = gzipSync(Buffer.from('kernel'));
  const zboot = Buffer.alloc(128);
  zboot.write('MZ', 0, 'latin1');
  zboot.write('zimg', 4, 'latin1');
  zboot.writeUInt32LE(64, 8);
  zboot.writeUInt32LE(packed.length, 12);
  zboot.write('gzip\0', 24, 'latin1');
  zboot.set(packed, 64);
  const image = readImage(zboot);
  assert.ok(image.ok && image.value.kind === 'compressed');
  assert.equal(image.value.format, 'EFI zboot');
  assert.deepEqual([image.value.offset, image.value.size], [64, packed.length]);
  const bare = Buffer.alloc(64);
  bare.write('MZ', 0, 'latin1');
  bare.write('ARM\x64', 56, 'latin1');
  assert.deepEqual(readImage(bare), { ok: true, value: { kind: 'bare' } });
  assert.deepEqual(readImage(elfFile([])), { ok: true, value: { kind: 'vmlinux' } });
  const whole = readImage(packed);
  assert.ok(
    whole.ok && whole.value.kind === 'compressed' && whole.value.format === 'compressed file',
  );
  assert.deepEqual(readImage(Buffer.from('#!/bin/sh\n')), {
    ok: false,
    error: { message: 'is not a kernel image of a known kind', offset: 0 },
  });
});

test('readImage() finds the kernel in an s390 image by its xz header', () => {
  const file = Buffer.alloc(0x10100);
  file.write('S390EP', 0x10008, 'latin1');
  // The decompressor contains the first bytes, too.
  file.set(Buffer.from('fd377a585a00', 'hex'), 0x10010);
  const packed = Buffer.from(
    'fd377a585a0000016922de36000000001cdf44219042990d010000000000595a',
    'hex',
  );
  file.set(packed, 0x10040);
  const image = readImage(file);
  assert.ok(image.ok && image.value.kind === 'compressed');
  const { offset, size, format } = image.value;
  assert.deepEqual([offset, size, format], [0x10040, packed.length, 's390']);
  const other = readImage(file.subarray(0, 0x10040));
  assert.ok(!other.ok && other.error.message.includes('not compressed by xz'));
});

test('imageCompression() recognizes gzip, zstd and xz by the first bytes', () => {
  assert.equal(imageCompression(gzipSync('x')), 'gzip');
  assert.equal(imageCompression(zstdCompressSync(Buffer.from('x'))), 'zstd');
  assert.equal(imageCompression(Buffer.from('fd377a585a000004', 'hex')), 'xz');
  assert.equal(imageCompression(elfFile([])), undefined);
  assert.equal(imageCompression(new Uint8Array()), undefined);
});

test('bannerRelease() and imageVermagic() find release and vermagic in a kernel', () => {
  const kernel = Buffer.from(
    'x\0Linux version %s (%s)\0Linux version 6.12.1-test (gcc) #1\0' +
      '6.12.1-test\0see 6.12.1-test SMP\0' +
      '6.12.1-test SMP preempt mod_unload modversions \0',
    'latin1',
  );
  assert.equal(bannerRelease(kernel), '6.12.1-test');
  assert.equal(
    imageVermagic(kernel, '6.12.1-test'),
    '6.12.1-test SMP preempt mod_unload modversions ',
  );
  assert.equal(bannerRelease(Buffer.from('Linux version ')), undefined);
  assert.equal(imageVermagic(kernel, '6.12.2'), undefined);
});
