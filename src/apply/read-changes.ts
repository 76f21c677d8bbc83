/** Reads the record of the policy's changes, for commands. */
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Paths } from '../host/paths.ts';
import type { ChangeStore, ListedChange, RecordedChange } from '../store/changes/change-store.ts';
import { hasRecord, withRecord } from './change-record.ts';

export type { ListedChange, RecordedChange };

/** The agent waits no longer: its ticks would be late. */
const brieflyMilliseconds = 20;

/** A change, and the text that it left. */
export interface ChangeText {
  readonly change: RecordedChange;
  readonly text: string;
}

/** A change with its texts. */
export interface ChangeTexts {
  readonly change: RecordedChange;
  readonly before: string;
  readonly after: string;
}

/** Lists changes of a period, latest first; none if nothing was recorded yet. */
export function listChanges(
  paths: Paths,
  { from, to }: { readonly from: number; readonly to: number },
): Result<readonly ListedChange[], Problem> {
  return hasRecord(paths) ? withRecord(paths, (store) => store.list(from, to)) : ok([]);
}

/** Lists the latest changes, latest first. It waits hardly for a command that is writing the record. */
export function latestChanges(
  paths: Paths,
  count: number,
): Result<readonly ListedChange[], Problem> {
  if (!hasRecord(paths)) return ok([]);
  const read = (store: ChangeStore) => store.list(0, Number.MAX_SAFE_INTEGER, count);
  return withRecord(paths, read, brieflyMilliseconds);
}

/** Returns the reason why root cannot use the record; other accounts may not read it. */
export function recordProblem(paths: Paths): Problem | undefined {
  if (process.geteuid?.() !== 0 || !hasRecord(paths)) return undefined;
  const last = withRecord(paths, (store) => store.last('any'));
  return last.ok ? undefined : last.error;
}

/** Returns a change and its text; `latest` is the last one that came in force. */
export function readChangeText(
  paths: Paths,
  which: number | 'latest',
): Result<ChangeText, Problem> {
  return withRecorded(paths, (store) => {
    const found = which === 'latest' ? latestInForce(store) : findChange(store, which);
    if (!found.ok) return found;
    const text = store.text(found.value.textKey);
    return text.ok ? ok({ change: found.value, text: text.value }) : text;
  });
}

/** Returns a change with the text before it and the text after it. */
export function readChangeTexts(paths: Paths, number: number): Result<ChangeTexts, Problem> {
  return withRecorded(paths, (store) => {
    const found = findChange(store, number);
    if (!found.ok) return found;
    const change = found.value;
    if (change.beforeKey === undefined)
      return failed({
        action: 'read the text before change',
        object: `${number}`,
        reason: 'it is unknown, since the record begins there',
        hint: '"bulkhead policy show" prints the text after it',
      });
    const before = store.text(change.beforeKey);
    if (!before.ok) return before;
    const after = store.text(change.textKey);
    return after.ok ? ok({ change, before: before.value, after: after.value }) : after;
  });
}

/** Returns a text of a change by its key. */
export const readText = (paths: Paths, key: string): Result<string, Problem> =>
  withRecorded(paths, (store) => store.text(key));

function withRecorded<T>(
  paths: Paths,
  use: (store: ChangeStore) => Result<T, Problem>,
): Result<T, Problem> {
  if (hasRecord(paths)) return withRecord(paths, use);
  return failed({
    action: 'read the record of changes',
    reason: 'nothing was recorded yet',
    hint: 'it begins when the agent or "bulkhead apply" applies a policy',
  });
}

function findChange(store: ChangeStore, number: number): Result<RecordedChange, Problem> {
  const found = store.change(number);
  if (!found.ok) return found;
  if (found.value !== undefined) return ok(found.value);
  return failed({
    action: 'find change',
    object: `${number}`,
    reason: 'the record does not have it',
    hint: '"bulkhead policy log" lists all changes',
  });
}

function latestInForce(store: ChangeStore): Result<RecordedChange, Problem> {
  const all = store.list(0, Number.MAX_SAFE_INTEGER);
  if (!all.ok) return all;
  const found = all.value.find(({ outcome }) => outcome === 'in force' || outcome === 'failed');
  if (found !== undefined) return findChange(store, found.number);
  return failed({ action: 'find the policy in force', reason: 'none has come in force yet' });
}
