/**
 * Edits the policy. It checks the whole text before it writes it, also against the host's users: an edit never
 * introduces a new reason why the file cannot be applied.
 */
import { editPolicyFile } from '../host/edit-policy-file.ts';
import type { Paths } from '../host/paths.ts';
import { readPolicyFile } from '../host/policy-file.ts';
import type { Diagnostic } from '../policy/diagnostic.ts';
import { newDiagnostics, newErrors } from '../policy/edit.ts';
import { formatProblem, type Problem, type ProblemOrCause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { announceEdit, recordUnwritten, type EditAuthor } from './change-record.ts';
import type { Loaded, PolicyReader } from './load-policy.ts';

/** The errors of an edit. The messages of diagnostics are causes. */
export type EditErrors = readonly ProblemOrCause[];

/** An edit. `now` returns the policy before the edit, and reads it when called. */
export type PolicyEdit = (text: string, now: () => Loaded) => Result<string, EditErrors>;

export interface EditedPolicy {
  readonly before: string;
  readonly after: string;
  /** Returns the warnings and notes that the edit caused. */
  readonly news: () => readonly Diagnostic[];
  /** Returns what both texts mean on this host. */
  readonly loaded: () => { readonly before: Loaded; readonly after: Loaded };
  /** The number of the change; absent if nothing changed, or it is not in the record. */
  readonly change?: number;
  /** The reason why the edit is not in the record of changes. */
  readonly unrecorded?: Problem;
}

/** Reads, edits, checks and writes under one lock. An edit that changes nothing writes nothing. */
export function editPolicy(
  reader: PolicyReader,
  file: string,
  paths: Paths,
  edit: PolicyEdit,
  author: EditAuthor,
): Result<EditedPolicy, EditErrors> {
  const { check, ...found } = checking(reader, file, paths, edit);
  const edited = editRecorded(file, paths, author, check);
  if (edited.ok) return ok({ ...edited.value, ...found });
  return fail('action' in edited.error ? [edited.error] : edited.error);
}

/** Replaces the policy by a text that was in force before. */
export function replacePolicy(
  file: string,
  paths: Paths,
  text: string,
  author: EditAuthor,
): Result<unknown, Problem> {
  return editRecorded<Problem>(file, paths, author, () => ok(text));
}

/** Replaces the policy by the text that `edit` makes of it. */
export function replacePolicyText(
  file: string,
  paths: Paths,
  edit: (text: string) => Result<string, Problem>,
  author: EditAuthor,
): Result<{ readonly isReplaced: boolean }, Problem> {
  const edited = editRecorded<Problem>(file, paths, author, edit);
  return edited.ok ? ok({ isReplaced: edited.value.before !== edited.value.after }) : edited;
}

/** Edits the file, and records that before it is written. */
function editRecorded<E>(
  file: string,
  paths: Paths,
  author: EditAuthor,
  edit: (text: string) => Result<string, E>,
): Result<Omit<EditedPolicy, 'news' | 'loaded'>, E | Problem> {
  let announced: Result<number | undefined, Problem> = ok(undefined);
  const edited = editPolicyFile<E>(file, (before) => {
    const after = edit(before);
    if (after.ok && after.value !== before)
      announced = announceEdit(paths, { file, author, before, after: after.value });
    return after;
  });
  if (edited.ok) {
    if (!announced.ok) return ok({ ...edited.value, unrecorded: announced.error });
    const change = announced.value;
    return ok({ ...edited.value, ...(change !== undefined && { change }) });
  }
  if (announced.ok && announced.value !== undefined) {
    const { error } = edited;
    const reason = isProblem(error) ? formatProblem(error) : 'the edit failed';
    recordUnwritten(paths, announced.value, reason);
  }
  return edited;
}

const isProblem = (error: unknown): error is Problem =>
  typeof error === 'object' && error !== null && 'action' in error && 'reason' in error;

/** Does the same without writing. */
export function tryPolicyEdit(
  reader: PolicyReader,
  file: string,
  paths: Paths,
  edit: PolicyEdit,
): Result<EditedPolicy, EditErrors> {
  const read = readPolicyFile(file);
  if (!read.ok) return fail([read.error]);
  const { check, ...found } = checking(reader, file, paths, edit);
  const edited = check(read.value);
  return edited.ok ? ok({ before: read.value, after: edited.value, ...found }) : edited;
}

/** Checks an edit. It resolves each text at most once, and only if it matters. */
function checking(reader: PolicyReader, file: string, paths: Paths, edit: PolicyEdit) {
  const texts = new Map<string, Loaded>();
  const resolved = (text: string): Loaded => {
    const known = texts.get(text) ?? reader.resolve(file, text, paths);
    texts.set(text, known);
    return known;
  };
  let [before, after] = ['', ''];
  const loaded = () => ({ before: resolved(before), after: resolved(after) });
  const check = (text: string): Result<string, EditErrors> => {
    before = after = text;
    const foreign = reader.foreignFormat(text);
    if (foreign !== undefined) {
      const { name, editHint: hint } = foreign;
      return fail([{ action: 'edit', object: file, reason: `it is a ${name}`, hint }]);
    }
    const edited = edit(text, () => resolved(text));
    if (!edited.ok || edited.value === text) return edited;
    after = edited.value;
    if (resolved(after).policy !== undefined) return edited;
    const errors = newErrors(resolved(text).diagnostics, resolved(after).diagnostics);
    return errors.length === 0 ? edited : fail(errors.map(({ message }) => ({ reason: message })));
  };
  const news = () =>
    before === after ? [] : newDiagnostics(loaded().before.diagnostics, loaded().after.diagnostics);
  return { check, news, loaded };
}
