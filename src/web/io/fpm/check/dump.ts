/** How php-fpm understands a configuration: `php-fpm -tt`, as root or as an account of nobody's. */
import { fail, ok, type Result } from '../../../../base/result.ts';
import { runBounded } from '../../../../sys/processes/run-bounded.ts';
import type { ReadProblem } from '../../../core/directive.ts';
import { parseFpmSections, type FpmSection } from '../../../core/fpm/dump.ts';
import { parseServerError } from '../../../core/server-error.ts';

export interface DumpProblem extends ReadProblem {
  /** php-fpm was killed, or did not finish in time: it has said nothing about the configuration. */
  readonly isUnfinished?: true;
}

export interface DumpOptions {
  readonly timeoutMs: number;
  /** Words before those of php-fpm. */
  readonly before?: readonly string[];
}

export async function dumpPools(
  program: string,
  configuration: string,
  { timeoutMs, before = [] }: DumpOptions,
): Promise<Result<readonly FpmSection[], DumpProblem>> {
  const [first, ...rest] = [...before, program];
  const args = [...rest, '-tt', '--fpm-config', configuration];
  const run = await runBounded(first, args, { timeoutMs });
  if (!run.ok) return fail({ message: `php-fpm -tt: ${run.error}`, isUnfinished: true });
  const { status, stderr } = run.value;
  if (status === 0) return ok(parseFpmSections(stderr));
  return fail(parseServerError(stderr));
}

/**
 * No account has this uid: Debian reserves it, and systemd leaves it out of its dynamic ones. So no tenant can signal,
 * trace or stop what runs as it, and nothing here belongs to it.
 */
export const checkUid = 65_532;

const limits = '--cpu=60 --nproc=64 --nofile=1024 --fsize=0 --core=0';
const capabilities = [
  '--bounding-set=-all,+dac_read_search',
  '--inh-caps=-all,+dac_read_search',
  '--ambient-caps=-all,+dac_read_search',
];

/**
 * Before php-fpm, to run it as that uid. It can read everything, since directories that a pool names may be closed to
 * others, and can write and start nothing. It is in the cgroup of the caller, never in the tenant's, which may be full.
 */
export const asNobody: readonly string[] = [
  'prlimit',
  ...limits.split(' '),
  '--',
  'setpriv',
  `--reuid=${checkUid}`,
  `--regid=${checkUid}`,
  '--clear-groups',
  '--no-new-privs',
  ...capabilities,
  '--',
];

export function placeText({ file, line, message }: ReadProblem): string {
  if (file === undefined) return message;
  return line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`;
}
