/**
 * A real kernel: BULKHEAD_TEST_KERNEL names its directories, separated by colons. One has an image and one
 * has Module.symvers. The image's exports must equal the build's list, without exception.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { filesIn } from '../../io/kernel/kernel-files.ts';
import { readImageFile } from '../../io/kernel/kernel-image-file.ts';
import { hostRoots } from '../../io/kernel/kernel-files.ts';
import { readKernel } from '../../io/kernel/read-kernel.ts';
import { formatCause, formatProblem } from '../../../base/problem.ts';

const named = process.env['BULKHEAD_TEST_KERNEL'];
const skip = named === undefined ? 'BULKHEAD_TEST_KERNEL names no directory of a kernel' : false;
const directories = named?.split(':') ?? [];

test('readImageFile() finds the exports of Module.symvers in a real image', { skip }, () => {
  const files = filesIn(directories);
  assert.ok(files.ok, files.ok ? '' : formatProblem(files.error));
  const path = files.value.images.find((each) => each.includes('vmlinuz'));
  assert.ok(path !== undefined, 'there is an image');
  const image = readImageFile(path);
  assert.ok(image.ok, image.ok ? '' : formatCause(image.error));
  assert.ok(image.value.exports.ok);
  const read = readKernel({ directories, cmdline: '', roots: hostRoots });
  assert.ok(read.ok, read.ok ? '' : formatProblem(read.error));
  assert.match(read.value.origins.exports ?? '', /Module\.symvers$/);
  const written = [...read.value.kernel.exports.values()].map(
    ({ name, gplOnly, namespace, crc }) => ({ name, gplOnly, namespace, crc }),
  );
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  assert.ok(written.length > 5000);
  assert.deepEqual(image.value.exports.value.toSorted(byName), written.toSorted(byName));
  assert.equal(image.value.vermagic, read.value.kernel.vermagic);
  assert.ok(read.value.certificates.length > 0);
  for (const der of read.value.certificates) assert.ok(new X509Certificate(der).subject !== '');
});
