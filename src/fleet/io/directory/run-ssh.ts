/** Runs programs of OpenSSH. Passphrases and touches are asked for by the programs themselves. */
import { spawnSync } from 'node:child_process';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';

const outputBytesMax = 1024 * 1024;

/** Runs a program to its end, however long a person takes, and returns what it prints. */
export function runSsh(
  action: string,
  program: 'ssh-keygen' | 'ssh-add',
  args: readonly string[],
  input = '',
): Result<string, Problem> {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    maxBuffer: outputBytesMax,
    // "Confirm user presence for key" must be seen.
    stdio: ['pipe', 'pipe', program === 'ssh-keygen' ? 'inherit' : 'pipe'],
  });
  if (error !== undefined) {
    const cause = causeOf(error);
    return failed({
      action,
      object: program,
      ...cause,
      ...(cause.errno === 'ENOENT' && { hint: 'install the OpenSSH client' }),
    });
  }
  if (status === 0) return ok(stdout);
  const said = (stderr as string | null)?.trim() ?? '';
  return failed({
    action,
    object: program,
    reason: said === '' ? `it ended with ${status}` : said,
  });
}
