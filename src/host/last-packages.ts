/** Reads the packages that accounts had last by their plans in the panel. keep-last-packages.ts changes the file. */
import { decodeText, readBounded } from '../../packages/base/io/regular-file.ts';
import type { Cause } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import {
  lastPackagesBytesMax,
  parseLastPackages,
  type LastPackages,
} from '../policy/panel/last-packages.ts';
import type { Paths } from './paths.ts';

export const lastPackagesFile = ({ state }: Pick<Paths, 'state'>): string =>
  `${state}/plan-packages.json`;

/** Returns no packages if no apply has written the file yet, or this process may not read it. */
export function readLastPackages(paths: Pick<Paths, 'state'>): Result<LastPackages, Cause> {
  const read = readBounded(lastPackagesFile(paths), lastPackagesBytesMax, { links: 'refuse' });
  if (read.ok) return parseLastPackages(decodeText(read.value));
  return ['ENOENT', 'EACCES'].includes(read.error.errno ?? '') ? ok(new Map()) : read;
}
