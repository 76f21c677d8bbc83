/**
 * Links in directories of /proc/PID, such as `fd` and `ns`. Everybody but root can make whoever reads these of their processes
 * wait for ever, or have so many of them that it takes long. So another program reads them, and is ended then: of the
 * account that does so nothing is known, and all is known of others.
 */
import { spawnSync } from 'node:child_process';

/** All together, and where that takes longer those of each account. */
const patienceMs = { together: 10_000, each: 5_000 };
const outputBytesMax = 256 * 2 ** 20;

export interface ProcessLink {
  readonly pid: string;
  /** What it leads to: `socket:[4711]`. */
  readonly target: string;
}

/** `directories`: of the processes of one account each, `/proc/PID/fd`. `tests`: which links, in the words of find(1). */
export function linksOfOthers(
  directories: readonly (readonly string[])[],
  tests: readonly string[],
): readonly ProcessLink[] {
  if (directories.length === 0) return [];
  const together = findLinks(directories.flat(), tests, patienceMs.together);
  if (together !== undefined) return together;
  return directories.flatMap((of) => findLinks(of, tests, patienceMs.each) ?? []);
}

/** Nothing where that takes too long. */
function findLinks(
  directories: readonly string[],
  tests: readonly string[],
  timeout: number,
): readonly ProcessLink[] | undefined {
  const words = [...directories, '-maxdepth', '1', ...tests, '-printf', '%h %l\\n'];
  const { error, signal, stdout } = spawnSync('/usr/bin/find', words, {
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
