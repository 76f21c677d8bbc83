/**
 * Records who changed the policy, by which way, and whether it came in force: `history/changes.db` in the state
 * directory, for root only.
 *
 * A command announces its edit before it writes the file. Whoever applies a text, the agent or `apply`, settles the
 * announced change; a text that nobody has announced was edited by hand. A command that is killed leaves a change that
 * is never settled. Recording never prevents a policy from coming in force: a failure is only reported.
 */
import { lstatSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { errnoOf } from '../../packages/base/io/errno.ts';
import { printable } from '../../packages/base/printable.ts';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Paths } from '../host/paths.ts';
import { comparePolicies } from '../policy/changes/compare.ts';
import { valueChanges } from '../policy/changes/describe.ts';
import { Diagnostics } from '../policy/diagnostic.ts';
import { parseXml } from '../policy/xml.ts';
import {
  ChangeStore,
  keyOfText,
  type ChangeAuthor,
  type ChangedValues,
  type ChangeOutcome,
  type RecordedChange,
} from '../store/changes/change-store.ts';
import { changesFile } from '../store/changes/changes-schema.ts';
import { lockFile } from '../sys/files/flock.ts';
import { ensurePrivateDirectory } from '../sys/files/private-file.ts';

/** Whoever has the lock is soon done, but a busy machine may give it no processor for seconds. */
const lockMilliseconds = 30_000;
const valuesMax = 100;
const problemsMax = 5;
const remarkMax = 64;
const dayMilliseconds = 86_400_000;
const mainPolicy = '/etc/bulkhead/policy.xml';

const directoryOf = ({ state }: Pick<Paths, 'state'>) => `${state}/history`;

/** Whether the instance has a record; true if only opening it shows that. */
export function hasRecord(paths: Paths): boolean {
  try {
    lstatSync(`${directoryOf(paths)}/${changesFile}`);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ENOENT';
  }
}

/** Opens the record under its lock. A record that was damaged, and begins anew, is a failure once. */
export function withRecord<T>(
  paths: Paths,
  use: (store: ChangeStore) => Result<T, Problem>,
  waitMs = lockMilliseconds,
): Result<T, Problem> {
  return withLockedRecord(paths, waitMs, (directory) => {
    using store = new ChangeStore(directory);
    const used = use(store);
    const [note] = store.takeNotes();
    if (note === undefined || !used.ok) return used;
    return failed({ action: 'keep the record of changes', reason: note });
  });
}

/** Calls `use` with the directory of the record while nobody else reads or writes it. */
export function withLockedRecord<T>(
  paths: Paths,
  waitMs: number,
  use: (directory: string) => Result<T, Problem>,
): Result<T, Problem> {
  const directory = directoryOf(paths);
  const made = ensurePrivateDirectory(directory);
  if (!made.ok) return made;
  const locked = lockFile(`${directory}/changes.lock`, { waitMs });
  if (!locked.ok) return locked;
  using _lock = locked.value;
  return use(directory);
}

/** The author of an edit, or the command by which the caller of this process makes it. */
export type EditAuthor = ChangeAuthor | string;

interface Edit {
  readonly file: string;
  readonly author: EditAuthor;
  readonly before: string;
  readonly after: string;
}

/**
 * Records an edit that is about to be written; returns its number. Edits of files that are not the instance's policy
 * are not recorded.
 */
export function announceEdit(paths: Paths, edit: Edit): Result<number | undefined, Problem> {
  const file = resolve(edit.file);
  if (!hasRecord(paths) && file !== mainOf(paths)) return ok(undefined);
  return withRecord(paths, (store) => {
    const last = store.last('any');
    if (!last.ok) return last;
    if ((last.value?.file ?? mainOf(paths)) !== file) return ok(undefined);
    const seen = recordUnseen(store, file, edit.before);
    if (!seen.ok) return seen;
    const { author, before, after } = edit;
    return store.add({
      ...(typeof author === 'string' ? caller(author) : author),
      at: Date.now(),
      file,
      before,
      text: after,
      outcome: 'pending',
      problems: [],
      ...changedBetween(before, after),
    });
  });
}

/** The default policy belongs to the default instance. */
const mainOf = ({ instance }: Paths) => (instance === 'bulkhead' ? mainPolicy : undefined);

/** Records an edit by hand that nobody has applied. */
function recordUnseen(store: ChangeStore, file: string, text: string): Result<unknown, Problem> {
  const last = store.last('valid');
  if (!last.ok || last.value?.textKey === keyOfText(text)) return last;
  const recorded = recordedAs(store, file, keyOfText(text));
  if (!recorded.ok || recorded.value.change !== undefined) return recorded;
  return addFound(store, {
    file,
    text,
    author: { way: 'by hand' },
    outcome: 'pending',
    problems: [],
  });
}

interface Found {
  readonly file: string;
  readonly text: string;
  readonly author: ChangeAuthor;
  readonly outcome: ChangeOutcome;
  readonly problems: readonly string[];
}

/** Adds a change that nobody has announced. Its text before is the last one known. */
function addFound(store: ChangeStore, found: Found): Result<number, Problem> {
  const last = store.last('valid');
  if (!last.ok) return last;
  const read = last.value && store.text(last.value.textKey);
  const before = read?.ok === true ? read.value : undefined;
  const { file, text, author, outcome, problems } = found;
  const shown = problems.slice(0, problemsMax);
  const at = Date.now();
  const added = store.add({
    ...author,
    at,
    file,
    text,
    outcome: 'pending',
    problems: shown,
    ...(before !== undefined && { before, ...changedBetween(before, text) }),
  });
  if (!added.ok || outcome === 'pending') return added;
  const settled = settle(store, added.value, outcome, shown);
  return settled.ok ? added : settled;
}

/** Records that an announced edit could not be written. */
export const recordUnwritten = (
  paths: Paths,
  number: number,
  reason: string,
): Result<void, Problem> =>
  withRecord(paths, (store) => store.settle(number, 'not written', Date.now(), [reason], false));

export interface AppliedText {
  readonly file: string;
  readonly text: string;
  /** The way of a text that nobody has announced: `by hand`, or the command that applies it. */
  readonly way: string;
  readonly outcome: ChangeOutcome;
  readonly problems: readonly string[];
  /** How long changes are kept; absent for a policy that is refused. */
  readonly keepMilliseconds?: number;
}

/**
 * Records what became of a text that the agent or a command has read. The record begins with a text that came in
 * force, so one that is refused before that is not recorded.
 */
export function recordApplied(paths: Paths, applied: AppliedText): Result<void, Problem> {
  if (applied.outcome === 'refused' && !hasRecord(paths)) return ok(undefined);
  return withRecord(paths, (store) => {
    const { text, outcome, keepMilliseconds } = applied;
    const problems = applied.problems.slice(0, problemsMax);
    const file = resolve(applied.file);
    const found = recordedAs(store, file, keyOfText(text));
    if (!found.ok) return found;
    const { change, last } = found.value;
    // The file may have only logins.
    if (outcome === 'refused' && last === undefined) return ok(undefined);
    if (change?.outcome === outcome && isDeepStrictEqual(change.problems, problems))
      return ok(undefined);
    const author = applied.way === 'by hand' ? { way: 'by hand' } : caller(applied.way);
    const written =
      change === undefined
        ? addFound(store, { file, text, author, outcome, problems })
        : settle(store, change.number, outcome, problems);
    if (!written.ok) return written;
    if (keepMilliseconds === undefined) return ok(undefined);
    const before = change === undefined ? ok(last) : store.change(change.number - 1);
    if (!before.ok) return before;
    return store.forget(oldest(before.value?.at, keepMilliseconds));
  });
}

/**
 * Finds the change that left a text: the last one, or one that only announced changes follow. These were made after the
 * text was read, or were never written. A change that could not be written has left nothing.
 */
function recordedAs(
  store: ChangeStore,
  file: string,
  key: string,
): Result<
  { readonly change?: RecordedChange; readonly last: RecordedChange | undefined },
  Problem
> {
  const last = store.last('any');
  if (!last.ok) return last;
  let each = last.value;
  while (each !== undefined) {
    const isUnwritten = each.outcome === 'not written';
    if (!isUnwritten && each.file === file && each.textKey === key)
      return ok({ change: each, last: last.value });
    if (!isUnwritten && each.outcome !== 'pending') break;
    const previous = store.change(each.number - 1);
    if (!previous.ok) return previous;
    each = previous.value;
  }
  return ok({ last: last.value });
}

/** Settles a change. A text that was refused does not show what became of those before it. */
const settle = (
  store: ChangeStore,
  number: number,
  outcome: ChangeOutcome,
  problems: readonly string[],
): Result<void, Problem> =>
  store.settle(number, outcome, Date.now(), problems, outcome !== 'refused');

/** A clock that is ahead must not delete the record, so the time of the change before limits it. */
const oldest = (before: number | undefined, keepMilliseconds: number): number =>
  Math.min(Date.now(), (before ?? 0) + dayMilliseconds) - keepMilliseconds;

/** Returns the account that runs this, as the kernel has it; SUDO_USER is only a remark. */
function caller(way: string): ChangeAuthor {
  const uid = process.getuid?.();
  const sudo = process.env['SUDO_USER'];
  return {
    way,
    ...(uid !== undefined && { uid }),
    ...userName(),
    ...(sudo !== undefined && { remark: printable(`SUDO_USER=${sudo}`).slice(0, remarkMax) }),
  };
}

function userName(): { readonly user?: string } {
  try {
    return { user: userInfo().username };
  } catch {
    return {};
  }
}

/** Returns the changed values, the first `max` of them; none if a text is not XML. */
export function changedBetween(
  before: string,
  after: string,
  max = valuesMax,
): { readonly changed?: ChangedValues } {
  const [old, now] = [before, after].map((text) => parseXml(text, new Diagnostics('', text)));
  if (old === undefined || now === undefined) return {};
  const values = valueChanges(comparePolicies(old, now));
  return { changed: { count: values.length, values: values.slice(0, max) } };
}
