/**
 * The record that counts if there are several: servers may have lost the last ones, another controller may have put one, and
 * people put theirs into the published directory. No number goes down, and a release that was taken back stays so.
 */
import type { RolloutRecord } from './record.ts';

/** Below 0: the first one is the older. */
export const compareRecords = (
  a: Pick<RolloutRecord, 'trust' | 'sequence'>,
  b: Pick<RolloutRecord, 'trust' | 'sequence'>,
): number => a.trust - b.trust || a.sequence - b.sequence;

/** Returns what two records say together. The first one is newer, or of people, who win. */
export function joined(newer: RolloutRecord, older: RolloutRecord | undefined): RolloutRecord {
  if (older === undefined) return newer;
  const order =
    newer.release.trust - older.release.trust ||
    newer.release.generation - older.release.generation;
  if (order < 0) return older;
  if (order > 0 || newer.release.root !== older.release.root) return newer;
  const isOver =
    older.verdict === 'back' ||
    (newer.verdict === 'go' && (older.verdict === 'keep' || isPaused(older, newer)));
  const { verdict, reason } = isOver ? older : newer;
  const wave = Math.max(newer.wave, older.wave);
  const opened = newer.opened > older.opened ? newer.opened : older.opened;
  const both = [newer, older].find((each) => each.verdict === verdict && each.wave === wave);
  return both ?? { ...newer, verdict, reason, wave, opened };
}

/** A word that ends a pause opens the wave anew. An older one, handed in again by somebody without a key, does not. */
const isPaused = (older: RolloutRecord, newer: RolloutRecord): boolean =>
  older.verdict === 'hold' && newer.opened <= older.opened;

/** Returns what records of controllers say together. */
export const joinedInOrder = (
  a: RolloutRecord | undefined,
  b: RolloutRecord | undefined,
): RolloutRecord | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  return compareRecords(a, b) >= 0 ? joined(a, b) : joined(b, a);
};

/** Whether hosts do the same by both. */
export const isSameWord = (a: RolloutRecord, b: RolloutRecord | undefined): boolean =>
  b !== undefined &&
  a.verdict === b.verdict &&
  a.wave === b.wave &&
  a.release.trust === b.release.trust &&
  a.release.generation === b.release.generation &&
  a.release.root === b.release.root;

/**
 * Whether a record in the published directory is a new word of people. `heard` is the last one that was followed, and
 * `last` the newest record that is known. One that only says the same for another day is none.
 */
export function isNewWord(
  word: RolloutRecord,
  heard: RolloutRecord | undefined,
  last: RolloutRecord | undefined,
): boolean {
  if (heard === undefined) return last === undefined || compareRecords(word, last) > 0;
  return (
    compareRecords(word, heard) > 0 && !(isSameWord(word, heard) && word.opened === heard.opened)
  );
}
