/** Reads a login from a file that root alone can read. */
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { decodeText, openRegularFile, readWhole } from '../../../packages/base/io/regular-file.ts';
import { parseCredentials, type Credentials } from '../core/rights/credentials.ts';

const bytesMax = 4096;

export function readCredentials(path: string): Result<Credentials, Problem> {
  const refuse = (cause: Cause) => failed({ ...cause, action: 'use the login in', object: path });
  const opened = openRegularFile(path, { links: 'refuse' });
  if (!opened.ok) return opened;
  using file = opened.value;
  const { uid, mode } = file.stat;
  if (uid !== 0) return refuse({ reason: `it belongs to uid ${uid}, not to root` });
  if ((mode & 0o077) !== 0)
    return refuse({ reason: 'others than root can read it', hint: `run: chmod 600 ${path}` });
  const read = readWhole(file, bytesMax);
  if (!read.ok) return read;
  const parsed = parseCredentials(decodeText(read.value));
  return parsed.ok ? parsed : refuse(parsed.error);
}
