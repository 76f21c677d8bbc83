/** The reason that the kernel's verifier gives for a program that it refuses. */
import type { Cause } from '../../../packages/base/problem.ts';
import { formatErrno } from '../../../packages/base/io/errno.ts';
import { errnoOfAnswer } from './libbpf.ts';

export interface VerifiedProgram {
  readonly name: string;
  readonly log: Uint8Array;
}

/** The size of a log's buffer; the last lines of the log have the reason. */
export const verifierLogBytes = 256 * 1024;
const logLinesShown = 4;

/** Returns why the kernel did not accept a program, with the last lines of the verifier's log, if any. */
export function refusal(programs: readonly VerifiedProgram[], answer: number): Cause {
  const errno = errnoOfAnswer(answer);
  const refused = programs
    .map(({ name, log }) => ({ name, said: lastLines(log) }))
    .findLast(({ said }) => said !== '');
  if (refused === undefined)
    return {
      reason: `the kernel does not take them: ${formatErrno(errno)}`,
      errno,
      ...(errno === 'EPERM' ? { hint: 'run it as root, and not in a container' } : {}),
    };
  return {
    reason: `the kernel's verifier refuses ${refused.name}: ${refused.said}`,
    errno,
    hint: 'report it with the release of the kernel (uname -r)',
  };
}

function lastLines(log: Uint8Array): string {
  const end = log.indexOf(0);
  const lines = Buffer.from(log.subarray(0, end < 0 ? log.length : end))
    .toString('latin1')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(processed \d|verification time|stack depth)/.test(line));
  return lines.slice(-logLinesShown).join(' | ');
}
