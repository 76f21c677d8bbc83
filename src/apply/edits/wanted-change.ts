/**
 * A change of the policy as a program asks for it: edits, a whole text, or the undo of a recorded change. The edits are
 * those of `bulkhead set`.
 */
import type { Paths } from '../../host/paths.ts';
import { parseAssignments } from '../../policy/assignment.ts';
import { editChecked, withLimits, withoutTarget, type EditTarget } from '../../policy/edit.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { EditErrors } from '../edit.ts';
import { readChangeTexts } from '../read-changes.ts';
import { parseTarget } from './edit-target.ts';
import { undone } from './undo-edit.ts';

/** One edit: limits and attributes to set and to remove, or the removal of the element. */
export interface WantedEdit {
  /** The element, as `parseTarget` takes it. */
  readonly target: string;
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly unset: readonly string[];
  readonly remove: boolean;
}

export type WantedChange =
  | { readonly kind: 'edits'; readonly edits: readonly WantedEdit[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'undo'; readonly number: number };

/** Returns the text with the change. */
export function withChange(
  text: string,
  change: WantedChange,
  paths: Paths,
): Result<string, EditErrors> {
  switch (change.kind) {
    case 'text':
      return ok(change.text);
    case 'edits':
      return editChecked(text, (now) => withEdits(now, change.edits, paths));
    case 'undo': {
      const texts = readChangeTexts(paths, change.number);
      return texts.ok ? undone(text, texts.value) : fail([texts.error]);
    }
  }
}

function withEdits(
  text: string,
  edits: readonly WantedEdit[],
  paths: Paths,
): Result<string, EditErrors> {
  let now = text;
  for (const edit of edits) {
    const target = parseTarget(edit.target, paths);
    if (!target.ok) return fail([target.error]);
    const edited = edit.remove
      ? withoutTarget(now, target.value)
      : assigned(now, target.value, edit);
    if (!edited.ok) return edited;
    now = edited.value;
  }
  return ok(now);
}

function assigned(
  text: string,
  target: EditTarget,
  { set, unset }: WantedEdit,
): Result<string, EditErrors> {
  const words = set.map(([name, value]) => `${name}=${value}`);
  const assignments = parseAssignments(words, unset);
  return assignments.ok ? withLimits(text, target, assignments.value) : assignments;
}
