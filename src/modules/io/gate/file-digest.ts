/**
 * The SHA-256 of a file as it lies on disk, hexadecimal: the kernel computes the same before it
 * loads a module.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';

export async function digestOfFile(path: string): Promise<Result<string, Problem>> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
    return ok(hash.digest('hex'));
  } catch (error) {
    return failed({ ...causeOf(error), action: 'read', object: path });
  }
}
