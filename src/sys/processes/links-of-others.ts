/**
 * Reads links in directories of /proc/PID, such as `fd` and `ns`. Every account but root can make readers of its processes
 * wait for ever, or have so many links that reading takes long. So another program reads them and is killed after some
 * seconds: nothing is known of the account that does so, and all of the others.
 */
import { spawnSync } from 'node:child_process';

/** The time for all accounts together and, where that is not enough, for each. */
const patienceMs = { together: 10_000, each: 5_000 };
const outputBytesMax = 256 * 2 ** 20;

export interface ProcessLink {
  readonly pid: string;
  /** The link's target: `socket:[4711]`. */
  readonly target: string;
}

/**
 * Returns the links in `/proc/PID/DIRECTORY`. `accounts` has the pids of each account; `tests` are arguments of find(1) that
 * select links.
 */
export function linksOfOthers(
  proc: string,
  accounts: Iterable<readonly string[]>,
  directory: 'fd' | 'ns',
  tests: readonly string[],
): readonly ProcessLink[] {
  const directories = [...accounts].map((pids) => pids.map((pid) => `${proc}/${pid}/${directory}`));
  if (directories.length === 0) return [];
  const together = findLinks(directories.flat(), tests, patienceMs.together);
  if (together !== undefined) return together;
  return directories.flatMap((of) => findLinks(of, tests, patienceMs.each) ?? []);
}

/** Returns undefined if that takes too long. */
function findLinks(
  directories: readonly string[],
  tests: readonly string[],
  timeout: number,
): readonly ProcessLink[] | undefined {
  const args = [...directories, '-maxdepth', '1', ...tests, '-printf', '%h %l\\n'];
  const { error, signal, stdout } = spawnSync('/usr/bin/find', args, {
    cwd: '/',
    env: { LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'latin1',
    timeout,
    killSignal: 'SIGKILL',
    maxBuffer: outputBytesMax,
  });
  if (error !== undefined || signal !== null) return undefined;
  return stdout.split('\n').flatMap((line) => {
    const [, pid = '', target = ''] = /\/(\d+)\/[a-z]+ (.*)$/.exec(line) ?? [];
    return pid === '' ? [] : [{ pid, target }];
  });
}
