/**
 * Walks the files of a directory in name order, without ever following a link. Each directory is opened through its
 * parent and kept open, so nobody can put another in its place. Bounded in depth and count.
 */
import { fstatSync, lstatSync, readdirSync, type Stats } from 'node:fs';
import { reasonOf } from './errno.ts';
import { isTrusted, pinDirectory, writableByOthers } from './pinned-directory.ts';

export type WalkEntry =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly device: number;
      readonly inode: number;
    }
  /** A link in a directory that only root, or we, can change. */
  | { readonly kind: 'link'; readonly path: string }
  | { readonly kind: 'problem'; readonly path: string; readonly why: string };

export interface WalkLimits {
  readonly depth: number;
  /** The maximum number of names in all directories together. */
  readonly names: number;
}

export const walkLimits: WalkLimits = { depth: 64, names: 2_000_000 };

interface Walk {
  readonly wants: (name: string) => boolean;
  readonly limits: WalkLimits;
  /** `device:inode` of the directories above: a mount can make a loop without a link. */
  readonly above: Set<string>;
  names: number;
}

/** Yields the files. `wants` decides by file name; the directory itself may be a link. */
export function* walk(
  directory: string,
  wants: (name: string) => boolean,
  limits: WalkLimits = walkLimits,
): Generator<WalkEntry, void, void> {
  yield* walkDirectory(directory, directory, { wants, limits, above: new Set(), names: 0 }, 0);
}

function* walkDirectory(
  path: string,
  opened: string,
  state: Walk,
  depth: number,
): Generator<WalkEntry, void, void> {
  if (depth >= state.limits.depth) {
    yield problem(
      path,
      `it is more than ${state.limits.depth} directories deep, and is not looked into`,
    );
    return;
  }
  const pinned = pinDirectory(opened, depth > 0 ? 'refuse' : 'follow');
  if (!pinned.ok) {
    yield problem(path, pinned.error.reason);
    return;
  }
  using held = pinned.value;
  const stat = fstatSync(held.fd);
  const identity = `${stat.dev}:${stat.ino}`;
  try {
    if (state.above.has(identity)) {
      yield problem(path, 'it is one of the directories above it, mounted here');
      return;
    }
    state.above.add(identity);
    yield* walkNames(path, held.at('.'), state, depth, onlyOurs(stat));
  } finally {
    state.above.delete(identity);
  }
}

const problem = (path: string, why: string): WalkEntry => ({ kind: 'problem', path, why });

const onlyOurs = (stat: Stats) => isTrusted(stat.uid) && !writableByOthers(stat);

function* walkNames(
  path: string,
  pinned: string,
  state: Walk,
  depth: number,
  trusted: boolean,
): Generator<WalkEntry, void, void> {
  let names: string[];
  try {
    names = readdirSync(pinned).sort();
  } catch (error) {
    yield problem(path, reasonOf(error));
    return;
  }
  for (const name of names) {
    if (++state.names > state.limits.names) {
      if (state.names === state.limits.names + 1) {
        yield problem(
          path,
          `there are more than ${state.limits.names} names; the rest is not looked at`,
        );
      }
      return;
    }
    const below = path.endsWith('/') ? `${path}${name}` : `${path}/${name}`;
    const stat = lstatSync(`${pinned}/${name}`, { throwIfNoEntry: false });
    if (stat?.isDirectory() === true) {
      yield* walkDirectory(below, `${pinned}/${name}`, state, depth + 1);
    } else if (stat !== undefined && state.wants(name)) yield foundAt(below, stat, trusted);
  }
}

function foundAt(path: string, stat: Stats, trusted: boolean): WalkEntry {
  if (stat.isFile()) return { kind: 'file', path, device: stat.dev, inode: stat.ino };
  if (!stat.isSymbolicLink()) return problem(path, 'it is not a regular file');
  return trusted
    ? { kind: 'link', path }
    : problem(path, `it is a link in a directory that others can write to, and is not followed`);
}
