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
import { announceEdit, recordUnwritten } from './change-record.ts';
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
  /** The reason why the edit is not in the record of changes. */
  readonly unrecorded?: Problem;
}

/**
 * Reads, edits, checks and writes under one lock. An edit that changes nothing writes nothing. `way` is the command, for
 * the record of changes.
 */
export function editPolicy(
  reader: PolicyReader,
  file: string,
  paths: Paths,
  edit: PolicyEdit,
  way: string,
): Result<EditedPolicy, EditErrors> {
  const { check, news } = checking(reader, file, paths, edit);
  const edited = editRecorded(file, paths, way, check);
  if (edited.ok) return ok({ ...edited.value, news });
  return fail('action' in edited.error ? [edited.error] : edited.error);
}

/** Replaces the policy by a text that was in force before. */
export function replacePolicy(
  file: string,
  paths: Paths,
  text: string,
  way: string,
): Result<unknown, Problem> {
  return editRecorded<Problem>(file, paths, way, () => ok(text));
}

/** Edits the file, and records that before it is written. */
function editRecorded<E>(
  file: string,
  paths: Paths,
  way: string,
  edit: (text: string) => Result<string, E>,
): Result<Omit<EditedPolicy, 'news'>, E | Problem> {
  let announced: Result<number | undefined, Problem> = ok(undefined);
  const edited = editPolicyFile<E>(file, (before) => {
    const after = edit(before);
    if (after.ok && after.value !== before)
      announced = announceEdit(paths, { file, way, before, after: after.value });
    return after;
  });
  if (edited.ok)
    return announced.ok ? edited : ok({ ...edited.value, unrecorded: announced.error });
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
  const { check, news } = checking(reader, file, paths, edit);
  const edited = check(read.value);
  return edited.ok ? ok({ before: read.value, after: edited.value, news }) : edited;
}

/** Checks an edit. It resolves each text at most once, and the previous one only if it matters. */
function checking(reader: PolicyReader, file: string, paths: Paths, edit: PolicyEdit) {
  let news = (): readonly Diagnostic[] => [];
  const check = (text: string): Result<string, EditErrors> => {
    const foreign = reader.foreignFormat(text);
    if (foreign !== undefined) {
      const { name, editHint: hint } = foreign;
      return fail([{ action: 'edit', object: file, reason: `it is a ${name}`, hint }]);
    }
    let before: Loaded | undefined;
    const now = () => (before ??= reader.resolve(file, text, paths));
    const edited = edit(text, now);
    if (!edited.ok || edited.value === text) return edited;
    const after = reader.resolve(file, edited.value, paths);
    news = () => newDiagnostics(now().diagnostics, after.diagnostics);
    if (after.policy !== undefined) return edited;
    const errors = newErrors(now().diagnostics, after.diagnostics);
    return errors.length === 0 ? edited : fail(errors.map(({ message }) => ({ reason: message })));
  };
  return { check, news: () => news() };
}
