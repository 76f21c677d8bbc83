/**
 * How php-fpm understands a configuration: `php-fpm -tt`, as root or as a uid without an account. Each check is in a
 * cgroup of its own, which bounds and ends everything that the check starts. If no cgroup can be made, rlimits and the
 * time limit remain.
 */
import { formatCause } from '../../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';
import { makeScratchCgroup, type ScratchBounds } from '../../../../host/cgroups/scratch-cgroup.ts';
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
  /** Args that precede the php-fpm command, such as `prlimit …`. */
  readonly before?: readonly string[];
  readonly bounds?: ScratchBounds;
}

/** PHP reads its extensions for that; a thousand pools need a tenth of it. */
const defaultBounds: ScratchBounds = { memoryBytes: 512 * 2 ** 20, processes: 64 };

export async function dumpPools(
  program: string,
  configuration: string,
  { timeoutMs, before = [], bounds = defaultBounds }: DumpOptions,
): Promise<Result<readonly FpmSection[], DumpProblem>> {
  const made = makeScratchCgroup('check', bounds);
  using cgroup = made.ok ? made.value : undefined;
  const args = [...before, program, '-tt', '--fpm-config', configuration];
  const words = [...enterScript, ...(cgroup?.procsFiles ?? []), '--', ...args];
  const run = await runBounded('/bin/sh', words, { timeoutMs, onExit: () => cgroup?.kill() });
  if (!run.ok)
    return fail({ message: `php-fpm -tt: ${formatCause(run.error)}`, isUnfinished: true });
  const { status, stderr } = run.value;
  if (status === 0) return ok(parseFpmSections(stderr));
  return fail(parseServerError(stderr));
}

/** Enters the cgroups before "--", and runs what comes after it, also where one cannot be entered. */
const enterScript: readonly string[] = [
  '-c',
  'while [ "$1" != -- ]; do { echo 0 >"$1"; } 2>/dev/null; shift; done; shift; exec "$@"',
  'bulkhead-check',
];

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
 * Args before php-fpm that run it as that uid. It can read everything, since directories that a pool names may be
 * closed to others, and can write and start nothing. It is never in the tenant's cgroup, which may be full.
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
