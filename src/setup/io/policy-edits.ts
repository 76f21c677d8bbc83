/** The policy as setup writes it, and as it gives it back. */
import { createHash } from 'node:crypto';
import { rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { editPolicy, replacePolicy, tryPolicyEdit, type EditErrors } from '../../apply/edit.ts';
import type { PolicyReader } from '../../apply/load-policy.ts';
import { formatProblemOrCause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { createFile } from '../../sys/files/edited-file.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import type { Paths } from '../../host/paths.ts';
import type { Step, StepContext } from '../core/step.ts';

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Creates the policy; one that is there stays. */
export const createPolicy = (file: string, text: string): Result<void, Problem> =>
  createFile(file, text, { overwrite: false });

/** Edits the policy as the step wants it. `intend` records the digest of the new text before it is written. */
export function editForStep(
  step: Pick<Step, 'edit'>,
  context: StepContext,
  reader: PolicyReader,
  { file, paths }: { readonly file: string; readonly paths: Paths },
  intend: (digest: string) => Result<void, Problem>,
): Result<void, Problem> {
  const change = (text: string) => step.edit?.(text, context) ?? ok(text);
  const tried = tryPolicyEdit(reader, file, paths, change);
  if (!tried.ok) return editFailed(file, tried.error);
  if (tried.value.after === tried.value.before) return ok(undefined);
  const intended = intend(digestOf(tried.value.after));
  if (!intended.ok) return intended;
  const edited = editPolicy(reader, file, paths, change, 'setup');
  return edited.ok ? ok(undefined) : editFailed(file, edited.error);
}

function editFailed(object: string, [first]: EditErrors): Result<never, Problem> {
  const reason = first === undefined ? 'the edit failed' : formatProblemOrCause(first);
  return fail({ action: 'edit', object, reason });
}

/**
 * Gives back the policy of before. One that somebody has changed since setup wrote it stays, and the answer is false.
 */
export function restorePolicy(
  { file, paths }: { readonly file: string; readonly paths: Paths },
  { before, written }: { readonly before: string | null; readonly written: readonly string[] },
): Result<boolean, Problem> {
  if (written.length === 0) return ok(true);
  const now = readPolicyFile(file);
  if (!now.ok) return now.error.errno === 'ENOENT' ? ok(true) : now;
  if (now.value === before) return ok(true);
  if (!written.includes(digestOf(now.value))) return ok(false);
  if (before === null) {
    rmSync(file, { force: true });
    removeIfEmpty(dirname(file));
    return ok(true);
  }
  const restored = replacePolicy(file, paths, before, 'setup undo');
  return restored.ok ? ok(true) : restored;
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Others have files in it.
  }
}
