/** Finds who can change what is at a path: the owner of it, of a directory above it, or of a link on the way. */
import { lstatSync, type Stats } from 'node:fs';
import type { PathOwners } from '../core/facts.ts';
import { realPathOf } from '../../../packages/base/io/read.ts';

/** Returns a reader that reads each path once: a thousand sites are below the same few directories. */
export function pathOwnersReader(): (path: string) => PathOwners | undefined {
  const known = new Map<string, Stats | undefined>();
  const statOf = (path: string): Stats | undefined => {
    if (!known.has(path)) known.set(path, readStat(path));
    return known.get(path);
  };
  return (path) => {
    const real = realPathOf(path);
    if (real === undefined) return undefined;
    const stats = [...prefixesOf(path), ...prefixesOf(real)].flatMap((each) => statOf(each) ?? []);
    return {
      uids: stats.map(({ uid }) => uid),
      writableByOthers: stats.some(canBeWritten),
    };
  };
}

function readStat(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** `/`, `/home`, `/home/alice`. */
function prefixesOf(path: string): readonly string[] {
  const names = path.split('/').filter((each) => each !== '');
  return ['/', ...names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)];
}

/**
 * Whether others can write to it. A sticky directory protects others' files in it, and a link has no mode of its
 * own.
 */
function canBeWritten(stat: Stats): boolean {
  if (stat.isSymbolicLink() || (stat.isDirectory() && (stat.mode & 0o1000) !== 0)) return false;
  return (stat.mode & 0o002) !== 0 || ((stat.mode & 0o020) !== 0 && stat.gid !== 0);
}
