/** The policy as setup writes it, and as it gives it back. */
import { createHash } from 'node:crypto';
import { rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { editPolicy } from '../../apply/edit.ts';
import type { PolicyReader } from '../../apply/load-policy.ts';
import { formatProblemOrCause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { editPolicyFile } from '../../host/edit-policy-file.ts';
import { createTextFile } from '../../sys/files/edited-file.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import type { Paths } from '../../host/paths.ts';
import type { Step, StepContext } from '../core/step.ts';

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Creates the policy; one that is there stays. */
export const createPolicy = (file: string, text: string): Result<void, Problem> =>
  createTextFile(file, text, { overwrite: false });

/** Edits the policy as the step wants it; returns the digest of the text that is there now. */
export function editForStep(
  step: Pick<Step, 'edit' | 'title'>,
  context: StepContext,
  reader: PolicyReader,
  file: string,
  paths: Paths,
): Result<string, Problem> {
  const edited = editPolicy(reader, file, paths, (text) => step.edit?.(text, context) ?? ok(text));
  if (edited.ok) return ok(digestOf(edited.value.after));
  const [first] = edited.error;
  const reason = first === undefined ? 'the edit failed' : formatProblemOrCause(first);
  return fail({ action: 'edit', object: file, reason });
}

/**
 * Gives back the policy of before. One that somebody has changed since setup wrote it stays, and the answer is false.
 */
export function restorePolicy(
  file: string,
  { before, written }: { readonly before: string | null; readonly written: string | null },
): Result<boolean, Problem> {
  if (written === null) return ok(true);
  const now = readPolicyFile(file);
  if (!now.ok) return now.error.errno === 'ENOENT' ? ok(true) : now;
  if (now.value === before) return ok(true);
  if (digestOf(now.value) !== written) return ok(false);
  if (before === null) {
    rmSync(file, { force: true });
    removeIfEmpty(dirname(file));
    return ok(true);
  }
  const restored = editPolicyFile<Problem>(file, () => ok(before));
  return restored.ok ? ok(true) : restored;
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Others have files in it.
  }
}
