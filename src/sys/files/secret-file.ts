/** A secret in a file that only root can read. */
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { openRegularFile, readWhole, decodeText } from '../../../packages/base/io/regular-file.ts';

const charactersMin = 16;
const bytesMax = 4096;

export function readSecret(path: string): Result<string, Problem> {
  const refuse = (cause: Cause) => failed({ ...cause, action: 'use the token in', object: path });
  const opened = openRegularFile(path, { links: 'refuse' });
  if (!opened.ok) {
    const { reason, errno } = opened.error;
    const hint = `make one: (umask 077; head -c 32 /dev/urandom | base64 > ${path})`;
    return refuse({ reason, hint, ...(errno && { errno }) });
  }
  using file = opened.value;
  const { uid, mode } = file.stat;
  if (uid !== 0) return refuse({ reason: `it belongs to uid ${uid}, not to root` });
  if ((mode & 0o077) !== 0) return refuse({ reason: 'others can read it', hint: 'chmod 600 it' });
  const read = readWhole(file, bytesMax);
  if (!read.ok) return refuse({ reason: read.error.reason });
  const text = decodeText(read.value).trim();
  if (text.length < charactersMin)
    return refuse({ reason: `it is shorter than ${charactersMin} characters` });
  return ok(text);
}
