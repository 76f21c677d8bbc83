/** Runs commands of Bulkhead itself, each in a process of its own. */
import type { Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { packageFile } from '../../sys/package-files.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';
import type { Words } from '../core/words.ts';

/** Longer than a reload of PHP-FPM for thousands of tenants. */
const timeoutMs = 1_800_000;

export const formatCommand = (words: Words): string => `bulkhead ${words.join(' ')}`;

interface Ran {
  readonly status: number;
  readonly stdout: string;
  /** The last lines of what it printed as errors. */
  readonly said: string;
}

/** Runs the command, whatever its exit status is. */
export async function runForOutput(
  words: Words,
  { instance }: Pick<Paths, 'instance'>,
): Promise<Result<Ran, Problem>> {
  const args = instance === 'bulkhead' ? words : ['--instance', instance, ...words];
  const ran = await runBounded(packageFile('bulkhead'), args, { timeoutMs });
  if (!ran.ok) return fail({ action: 'run', object: formatCommand(words), ...ran.error });
  const { status, stdout, stderr } = ran.value;
  return ok({ status, stdout: Buffer.from(stdout).toString('utf8'), said: saidBy(stderr) });
}

/** Runs the command; the reason for a failure is what it printed, in one line. */
export async function runCommand(
  words: Words,
  paths: Pick<Paths, 'instance'>,
): Promise<Result<string, Problem>> {
  const ran = await runForOutput(words, paths);
  if (!ran.ok) return ran;
  const { status, stdout, said } = ran.value;
  if (status === 0) return ok(stdout);
  const reason = said === '' ? `it ended with status ${status}` : said;
  return fail({ action: 'run', object: formatCommand(words), reason });
}

/** Runs commands one after the other; the first one that fails is the last. */
export async function runCommands(
  commands: readonly Words[],
  paths: Pick<Paths, 'instance'>,
): Promise<Result<void, Problem>> {
  for (const words of commands) {
    const ran = await runCommand(words, paths);
    if (!ran.ok) return ran;
  }
  return ok(undefined);
}

/** The last lines say most, but the first error is often the cause. */
const linesMax = 5;

function saidBy(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((each) => each.replace(/^bulkhead: /, '').trim())
    .filter((each) => each !== '');
  return lines.slice(-linesMax).join('; ');
}
