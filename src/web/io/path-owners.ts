/** Finds who can change what is at a path: the owner of it, of a directory above it, or of a link on the way. */
import { lstatSync, type Stats } from 'node:fs';
import type { PathOwners } from '../core/facts.ts';
import { linkAt, realPathOf } from '../../../packages/base/io/read.ts';

/** Returns a reader that reads each path once: a thousand sites are below the same few directories. */
export function pathOwnersReader(): (path: string) => PathOwners | undefined {
  const known = new Map<string, Stats | undefined>();
  const statOf = (path: string): Stats | undefined => {
    if (!known.has(path)) known.set(path, readStat(path));
    return known.get(path);
  };
  return (path) => {
    if (realPathOf(path) === undefined) return undefined;
    const stats = stepsTo(path, statOf).flatMap((each) => statOf(each) ?? []);
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

/** The kernel follows no more. Source: path_resolution(7). */
const linksMax = 40;

/**
 * Returns every path that the kernel visits on the way: `/`, `/home`, `/home/alice`. A link leads through the directories
 * above its target, also if that is a link itself and ends elsewhere.
 */
function stepsTo(path: string, statOf: (path: string) => Stats | undefined): readonly string[] {
  const steps = ['/'];
  const waiting = path.split('/').toReversed();
  let at = '';
  let links = 0;
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    const next = `${at}/${name}`;
    steps.push(next);
    const target = statOf(next)?.isSymbolicLink() === true ? linkAt(next) : '';
    if (target === '' || links === linksMax) {
      at = next;
      continue;
    }
    links++;
    if (target.startsWith('/')) at = '';
    waiting.push(...target.split('/').toReversed());
  }
  return steps;
}

/**
 * Whether others can write to it. A sticky directory protects others' files in it, and a link has no mode of its
 * own.
 */
function canBeWritten(stat: Stats): boolean {
  if (stat.isSymbolicLink() || (stat.isDirectory() && (stat.mode & 0o1000) !== 0)) return false;
  return (stat.mode & 0o002) !== 0 || ((stat.mode & 0o020) !== 0 && stat.gid !== 0);
}
