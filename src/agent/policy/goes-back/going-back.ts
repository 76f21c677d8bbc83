/**
 * Changes that go back by themselves unless somebody keeps them: a file in the state directory, written before the change.
 * Each account has at most one.
 *
 * An entry has the texts before and after its change. If the policy still has the text after, it gets the text before, to
 * the byte. Otherwise only what the change has set and nobody has changed since goes back: whoever changed something
 * later, and that is root at last, wins. An entry is announced before its change is written, and settled afterwards. If
 * its process is killed in between, the text that the policy has shows what is left of it.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { undoInPart, type UndoneInPart } from '../../../policy/changes/undo.ts';
import { bytesMax } from '../../../policy/xml.ts';
import { keyOfText } from '../../../store/changes/change-store.ts';
import type { PolicyPending } from '../../api/policy-api.ts';
import { changeEntries, goingBackEntries, type GoingBack } from './going-back-file.ts';

/** The number of accounts with such a change. */
const entriesMax = 16;
/** Two texts as JSON, in which a quote is two characters. */
const textsBytesMax = 4 * bytesMax;

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

/** Whether the texts of an entry can be read, and belong to it. */
export function isWhole(entry: GoingBack): boolean {
  const [, after] = unpackTexts(entry) ?? [];
  return after !== undefined && keyOfText(after) === entry.afterKey;
}

/** Returns the text without what is left of a change's values; the conflicts say what stays. */
export function withoutValues(now: string, entry: GoingBack): UndoneInPart {
  const texts = unpackTexts(entry);
  if (texts === undefined)
    return { text: now, conflicts: [{ reason: 'its entry is damaged' }], isCompared: false };
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
  changeEntries(paths, (entries) => {
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
  changeEntries(paths, (entries) =>
    ok(
      entries.map((each) =>
        each.uid === uid && each.afterKey === afterKey
          ? { ...each, isWritten: true, ...(number !== undefined && { change: number }) }
          : each,
      ),
    ),
  );

/**
 * Decides about changes whose processes were killed, by what the policy has now: a change is over if the policy has the
 * text before it, or nothing that the change has set. Otherwise it goes back at its time. Returns sentences about edits
 * that were made in between.
 */
export function settleKilled(
  paths: Paths,
  file: string,
  text: string,
): Result<readonly string[], Problem> {
  let notes: readonly string[] = [];
  const settled = changeEntries(paths, (entries) => {
    const decided = entries.map((entry) => ({ entry, state: stateOf(entry, file, text) }));
    notes = decided.flatMap(({ entry, state }) => noteOf(entry, state));
    return ok(
      decided.flatMap(({ entry, state }) => {
        if (state === 'known') return [entry];
        return state === 'over' ? [] : [{ ...entry, isWritten: true }];
      }),
    );
  });
  return settled.ok ? ok(notes) : settled;
}

/**
 *     known    nothing is to be decided
 *     whole    the policy has the text after the change
 *     edited   the policy has another text: whatever it still has of the change goes back
 *     over     the policy has nothing of the change
 */
type KilledState = 'known' | 'whole' | 'edited' | 'over';

function stateOf(entry: GoingBack, file: string, text: string): KilledState {
  if (entry.isWritten || entry.file !== file) return 'known';
  if (entry.afterKey === keyOfText(text)) return 'whole';
  const [before] = unpackTexts(entry) ?? [];
  if (before === text) return 'over';
  const { text: without, isCompared } = withoutValues(text, entry);
  return without === text && isCompared ? 'over' : 'edited';
}

function noteOf({ file, user }: GoingBack, state: KilledState): readonly string[] {
  const change = `The change of ${file} by ${user}`;
  if (state === 'over')
    return [`${change} was never written, or nothing of it is left: nothing goes back`];
  return state === 'edited'
    ? [
        `${change} was being written when the agent ended, and the file was edited since: what it set and still has its value goes back at its time`,
      ]
    : [];
}

export const forgetGoingBack = (
  paths: Paths,
  isOver: (entry: GoingBack) => boolean,
): Result<void, Problem> =>
  changeEntries(paths, (entries) => ok(entries.filter((each) => !isOver(each))));

/**
 * Forgets a change that has gone back. The others go back to texts without it: what somebody else set later must not
 * bring it again.
 */
export const endGoingBack = (paths: Paths, gone: GoingBack): Result<void, Problem> =>
  changeEntries(paths, (entries) =>
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

/**
 * Gives changes whose time is further away than when they were made the whole time again: the clock was set back, perhaps
 * by years.
 */
export function shortenTimes(paths: Paths): Result<void, Problem> {
  const latest = ({ seconds }: GoingBack) => Date.now() + seconds * 1000;
  if (goingBackEntries(paths).every((each) => each.at <= latest(each))) return ok(undefined);
  return changeEntries(paths, (entries) =>
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
