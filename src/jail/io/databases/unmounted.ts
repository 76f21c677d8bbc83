/**
 * The sockets of database servers that the last build could not mount or unmount, for those who did not start it: the
 * agent, `jail status` and `doctor`. Jails are in force all the same.
 *
 *     /run/mysqld/mysqld.sock\tOut of memory
 */
import { readText } from '../../../../packages/base/io/read.ts';
import { removeFile, replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { formatCause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { JailPaths } from '../jail-paths.ts';

/** Returns the reasons by path. */
export const readUnmounted = ({
  unmounted,
}: Pick<JailPaths, 'unmounted'>): ReadonlyMap<string, string> =>
  new Map(
    (readText(unmounted) ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): [string, string] => {
        const [path = '', reason = ''] = line.split('\t');
        return [path, reason];
      }),
  );

export function writeUnmounted(
  paths: Pick<JailPaths, 'unmounted'>,
  problems: readonly Problem[],
): Result<void, Problem> {
  const { unmounted } = paths;
  if (problems.length > 0) return replaceFile(unmounted, problems.map(lineOf).join(''));
  return readText(unmounted) === undefined ? ok(undefined) : removeFile(unmounted);
}

const lineOf = ({ object = '', ...cause }: Problem) =>
  `${[object, formatCause(cause)].map((each) => each.replaceAll(/[\t\n]/g, ' ')).join('\t')}\n`;
