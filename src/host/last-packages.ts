/** Reads the packages that accounts had last by their plans in the panel. */
import { cannotRead, decodeText, readBounded } from '../../packages/base/io/regular-file.ts';
import type { Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import {
  lastPackagesBytesMax,
  parseLastPackages,
  type LastPackages,
} from '../policy/panel/last-packages.ts';
import type { Paths } from './paths.ts';

export const lastPackagesFile = ({ state }: Pick<Paths, 'state'>): string =>
  `${state}/plan-packages.json`;

/** Returns no packages if no apply has written the file yet, or if this process is not root and may not read it. */
export function readLastPackages(paths: Pick<Paths, 'state'>): Result<LastPackages, Problem> {
  const object = lastPackagesFile(paths);
  const read = readBounded(object, lastPackagesBytesMax, { links: 'refuse' });
  const parsed = read.ok ? parseLastPackages(decodeText(read.value)) : read;
  if (parsed.ok) return parsed;
  const { errno } = parsed.error;
  const isHidden = errno === 'EACCES' && process.geteuid?.() !== 0;
  if (errno === 'ENOENT' || isHidden) return ok(new Map());
  const hint = `restore it from a backup; or, to go on without it, run: mv ${object} ${damagedFile(object)}`;
  return cannotRead(object, { ...parsed.error, hint });
}

/** The name of a record that was set aside, since it cannot be read. */
export const damagedFile = (path: string): string => `${path}.damaged`;
