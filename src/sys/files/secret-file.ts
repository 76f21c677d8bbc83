/** A secret in a file that root alone can read. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { fail, ok, type Result } from '../../base/result.ts';
import { quoted, reasonOf } from '../errno.ts';

const charactersMin = 16;
const bytesMax = 4096;

export function readSecret(path: string): Result<string> {
  const refuse = (why: string) => fail(`Cannot use the token in ${quoted(path)}: ${why}`);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return refuse(
      `${reasonOf(error)}; make one: (umask 077; head -c 32 /dev/urandom | base64 > ${path})`,
    );
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > bytesMax) return refuse('it is no small regular file');
    if (stat.uid !== 0) return refuse(`it belongs to uid ${stat.uid}, not to root`);
    if ((stat.mode & 0o077) !== 0) return refuse('others can read it; chmod 600 it');
    const text = readFileSync(fd, 'utf8').trim();
    if (text.length < charactersMin)
      return refuse(`it is shorter than ${charactersMin} characters`);
    return ok(text);
  } finally {
    closeSync(fd);
  }
}
