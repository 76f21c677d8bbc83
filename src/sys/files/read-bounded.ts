/** Reading a whole file of which nothing is known but its name, up to a limit. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { describeErrno, errnoOf } from '../errno.ts';
import { fail, ok, type Result } from '../../base/result.ts';

const chunkBytes = 1024 * 1024;

/** Files of /proc tell no size, so the end is found by reading. The error is a clause. */
export function readBounded(path: string, bytesMax: number): Result<Uint8Array> {
  let fd: number;
  try {
    // Without O_NONBLOCK a FIFO would be waited for.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return fail(describeErrno(errnoOf(error)));
  }
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) return fail('it is no file');
    if (status.size > bytesMax) return fail(`it is larger than ${bytesMax} bytes`);
    return readAll(fd, Math.max(status.size, 1), bytesMax);
  } catch (error) {
    return fail(describeErrno(errnoOf(error)));
  } finally {
    closeSync(fd);
  }
}

function readAll(fd: number, expectedBytes: number, bytesMax: number): Result<Uint8Array> {
  let bytes = Buffer.allocUnsafeSlow(expectedBytes + 1);
  let length = 0;
  for (;;) {
    if (length === bytes.length) {
      const more = Buffer.allocUnsafeSlow(Math.max(chunkBytes, bytes.length * 2));
      bytes.copy(more);
      bytes = more;
    }
    const count = readSync(fd, bytes, length, bytes.length - length, null);
    if (count === 0) return ok(bytes.subarray(0, length));
    length += count;
    if (length > bytesMax) return fail(`it is larger than ${bytesMax} bytes`);
  }
}
