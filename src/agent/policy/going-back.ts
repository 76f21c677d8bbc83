/**
 * Changes that go back by themselves unless somebody keeps them: a file in the state directory, written before the change.
 *
 * Each entry has the text before and the hash of the text after. The one whose hash the policy has now is in force; any
 * other edit of the policy gives it another hash, which cancels the entry. While a new change is being written the file
 * has its entry next to the one of the change before, so a kill at any moment loses neither.
 */
import { existsSync, rmSync } from 'node:fs';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import type { PolicyPending } from '../api/policy-api.ts';

export interface GoingBack {
  readonly file: string;
  /** The text to which it goes back. */
  readonly before: string;
  readonly beforeKey: string;
  /** SHA-256 of the text of the change. */
  readonly afterKey: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** How long that was from the change; a clock that was set back makes it no longer. */
  readonly seconds: number;
  readonly user: string;
  readonly uid: number;
  /** The number of the change, once it is recorded. */
  readonly change?: number;
}

const entriesMax = 2;

export const goingBackFile = ({ state }: Pick<Paths, 'state'>): string =>
  `${state}/policy-goes-back.json`;

/** Returns the entries, the latest first; none if the file is not there, or damaged. */
export function goingBackEntries(paths: Paths): readonly GoingBack[] {
  const text = readText(goingBackFile(paths));
  if (text === undefined) return [];
  try {
    const entries: unknown = JSON.parse(text);
    return Array.isArray(entries) ? (entries as readonly GoingBack[]).filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is GoingBack {
  if (typeof value !== 'object' || value === null) return false;
  const { file, before, beforeKey, afterKey, at, seconds, user, uid } = value as Partial<GoingBack>;
  const texts = [file, before, beforeKey, afterKey, user];
  return (
    texts.every((each) => typeof each === 'string') &&
    [at, seconds, uid].every((each) => Number.isFinite(each))
  );
}

/** Announces a change that is about to be written. */
export const announceGoingBack = (paths: Paths, entry: GoingBack): Result<void, Problem> =>
  save(paths, [entry, ...goingBackEntries(paths)].slice(0, entriesMax));

/** Keeps only the entry of the text that the policy has, with the number of its change. */
export function settleGoingBack(
  paths: Paths,
  key: string,
  change: number | undefined,
): Result<void, Problem> {
  const found = goingBackEntries(paths).find(({ afterKey }) => afterKey === key);
  if (found === undefined) return forgetGoingBack(paths);
  return save(paths, [{ ...found, ...(change !== undefined && { change }) }]);
}

export function forgetGoingBack(paths: Paths): Result<void, Problem> {
  const object = goingBackFile(paths);
  if (!existsSync(object)) return ok(undefined);
  // Unlike a removal, this survives a power failure.
  const emptied = save(paths, []);
  if (!emptied.ok) return emptied;
  try {
    rmSync(object, { force: true });
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove', object, ...causeOf(error) });
  }
}

const save = (paths: Paths, entries: readonly GoingBack[]): Result<void, Problem> =>
  replaceStateFile(goingBackFile(paths), JSON.stringify(entries));

/** Returns the time that is left, in milliseconds. */
export const timeLeft = ({ at, seconds }: Pick<GoingBack, 'at' | 'seconds'>): number =>
  Math.max(0, Math.min(at - Date.now(), seconds * 1000));

/** Returns the change that goes back, if the policy has its text. */
export function readGoingBack(paths: Paths, key: string): PolicyPending | undefined {
  const found = goingBackEntries(paths).find(({ afterKey }) => afterKey === key);
  return found && pendingOf(found);
}

export function pendingOf(entry: GoingBack): PolicyPending {
  const left = timeLeft(entry);
  return {
    ...(entry.change !== undefined && { change: entry.change }),
    goesBackAt: Date.now() + left,
    secondsLeft: Math.ceil(left / 1000),
    user: entry.user,
  };
}
