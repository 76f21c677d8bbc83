/**
 * Changes that go back by themselves unless somebody keeps them: a file in the state directory, written before the change.
 * Each account has at most one.
 *
 * An entry has the texts before and after its change. If the policy still has the text after, it gets the text before, to
 * the byte. Otherwise only what the change has set and nobody has changed since goes back: whoever changed something
 * later, and that is root at last, wins. An entry is announced before its change is written, and settled afterwards. If
 * its process is killed in between, the text that the policy has shows whether it was written.
 */
import { existsSync, rmSync } from 'node:fs';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { replaceStateFile } from '../../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { undoInPart, type UndoneInPart } from '../../../policy/changes/undo.ts';
import { keyOfText } from '../../../store/changes/change-store.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import type { PolicyPending } from '../../api/policy-api.ts';

export interface GoingBack {
  readonly file: string;
  /** The texts before and after, compressed, in base64. */
  readonly texts: string;
  /** SHA-256 of the text after. */
  readonly afterKey: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** How long that was from the change. */
  readonly seconds: number;
  readonly user: string;
  readonly uid: number;
  /** Whether the change is known to be in the policy. */
  readonly isWritten: boolean;
  /** The number of the change, once it is recorded. */
  readonly change?: number;
}

/** The number of accounts with such a change. */
const entriesMax = 16;
/** The agent's ticks wait for it. */
const lockMilliseconds = 2_000;
const textsBytesMax = 16 * 2 ** 20;

export const goingBackFile = ({ state }: Pick<Paths, 'state'>): string =>
  `${state}/policy-goes-back.json`;

const lockOf = ({ runtime }: Pick<Paths, 'runtime'>) => `${runtime}/policy-goes-back.lock`;

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
  const { file, texts, afterKey, at, seconds, user, uid } = value as Partial<GoingBack>;
  return (
    [file, texts, afterKey, user].every((each) => typeof each === 'string') &&
    [at, seconds, uid].every((each) => Number.isFinite(each))
  );
}

/** Compresses the texts of an entry. */
export const packTexts = (before: string, after: string): string =>
  zstdCompressSync(JSON.stringify([before, after])).toString('base64');

function unpackTexts({ texts }: GoingBack): readonly [before: string, after: string] | undefined {
  try {
    const bytes = Buffer.from(texts, 'base64');
    const text = zstdDecompressSync(bytes, { maxOutputLength: textsBytesMax }).toString();
    const [before, after] = JSON.parse(text) as readonly unknown[];
    return typeof before === 'string' && typeof after === 'string' ? [before, after] : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the text without what is left of a change's values; the conflicts say what stays. */
export function withoutValues(now: string, entry: GoingBack): UndoneInPart {
  const texts = unpackTexts(entry);
  if (texts === undefined) return { text: now, conflicts: [{ reason: 'its entry is damaged' }] };
  const [before, after] = texts;
  return undoInPart(now, { before, after });
}

/** Returns the text before a change, if nothing was changed since. */
export function textBefore(now: string, entry: GoingBack): string | undefined {
  const [before, after] = unpackTexts(entry) ?? [];
  return now === after ? before : undefined;
}

/** Announces a change that is about to be written. */
export const announceGoingBack = (paths: Paths, entry: GoingBack): Result<void, Problem> =>
  change(paths, (entries) => {
    const others = entries.filter(({ uid }) => uid !== entry.uid);
    // Root waits for nobody.
    return others.length >= entriesMax && entry.uid !== 0
      ? failed({
          action: 'let the change go back by itself',
          reason: `changes of ${entriesMax} accounts wait for that already`,
          hint: 'retry later, or write it for good',
        })
      : ok([entry, ...others]);
  });

/** Notes that the change of an account is in the policy. */
export const settleGoingBack = (
  paths: Paths,
  { uid, afterKey }: Pick<GoingBack, 'uid' | 'afterKey'>,
  number: number | undefined,
): Result<void, Problem> =>
  change(paths, (entries) =>
    ok(
      entries.map((each) =>
        each.uid === uid && each.afterKey === afterKey
          ? { ...each, isWritten: true, ...(number !== undefined && { change: number }) }
          : each,
      ),
    ),
  );

/** Decides about changes whose processes were killed: whether the policy has their texts. */
export const settleKilled = (paths: Paths, file: string, text: string): Result<void, Problem> =>
  change(paths, (entries) => {
    const key = keyOfText(text);
    return ok(
      entries.flatMap((each) => {
        if (each.isWritten || each.file !== file) return [each];
        return each.afterKey === key ? [{ ...each, isWritten: true }] : [];
      }),
    );
  });

export const forgetGoingBack = (
  paths: Paths,
  isOver: (entry: GoingBack) => boolean,
): Result<void, Problem> => change(paths, (entries) => ok(entries.filter((each) => !isOver(each))));

/**
 * Forgets a change that has gone back. The others go back to texts without it: what somebody else set later must not
 * bring it again.
 */
export const endGoingBack = (paths: Paths, gone: GoingBack): Result<void, Problem> =>
  change(paths, (entries) =>
    ok(
      entries
        .filter((each) => each.uid !== gone.uid || each.afterKey !== gone.afterKey)
        .map((each) => (each.file === gone.file && each.isWritten ? rebased(each, gone) : each)),
    ),
  );

function rebased(entry: GoingBack, gone: GoingBack): GoingBack {
  const texts = unpackTexts(entry);
  if (texts === undefined) return entry;
  const [before, after] = texts.map((text) => withoutValues(text, gone).text) as [string, string];
  return { ...entry, texts: packTexts(before, after), afterKey: keyOfText(after) };
}

/** Other processes change the file as well: each change is of the entries of then. */
function change(
  paths: Paths,
  edit: (entries: readonly GoingBack[]) => Result<readonly GoingBack[], Problem>,
): Result<void, Problem> {
  const act = () => {
    const entries = edit(goingBackEntries(paths));
    return entries.ok ? save(paths, entries.value) : entries;
  };
  return underLock(lockOf(paths), act, lockMilliseconds);
}

function save(paths: Paths, entries: readonly GoingBack[]): Result<void, Problem> {
  const object = goingBackFile(paths);
  if (entries.length === 0 && !existsSync(object)) return ok(undefined);
  // Unlike a removal, an empty list survives a power failure.
  const saved = replaceStateFile(object, JSON.stringify(entries));
  if (!saved.ok || entries.length > 0) return saved;
  try {
    rmSync(object, { force: true });
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove', object, ...causeOf(error) });
  }
}

/**
 * Gives changes whose time is further away than when they were made the whole time again: the clock was set back, perhaps
 * by years.
 */
export function shortenTimes(paths: Paths): Result<void, Problem> {
  const latest = ({ seconds }: GoingBack) => Date.now() + seconds * 1000;
  if (goingBackEntries(paths).every((each) => each.at <= latest(each))) return ok(undefined);
  return change(paths, (entries) =>
    ok(entries.map((each) => ({ ...each, at: Math.min(each.at, latest(each)) }))),
  );
}

/** Returns the time that is left, in milliseconds. */
export const timeLeft = ({ at, seconds }: Pick<GoingBack, 'at' | 'seconds'>): number =>
  Math.max(0, Math.min(at - Date.now(), seconds * 1000));

/** Returns the seconds until an entry is gone: a whole number, at least one. */
export const secondsLeftOf = (entry: GoingBack): number =>
  Math.max(1, Math.ceil(timeLeft(entry) / 1000));

/** Returns the changes of a policy that go back; of one account, or of all. */
export const pendingEntries = (paths: Paths, file: string, uid?: number): readonly GoingBack[] =>
  goingBackEntries(paths).filter(
    (each) => each.file === file && (uid === undefined || each.uid === uid),
  );

export function pendingOf(entry: GoingBack): PolicyPending {
  const left = timeLeft(entry);
  return {
    ...(entry.change !== undefined && { change: entry.change }),
    goesBackAt: Date.now() + left,
    secondsLeft: Math.ceil(left / 1000),
    user: entry.user,
  };
}
