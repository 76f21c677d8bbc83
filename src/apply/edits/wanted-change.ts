/**
 * A change of the policy as a program asks for it: edits, a whole text, or the undo of a recorded change. The edits are
 * those of `bulkhead set`.
 */
import type { Paths } from '../../host/paths.ts';
import { parseAssignments } from '../../policy/assignment.ts';
import { editChecked, withLimits, withoutTarget, type EditTarget } from '../../policy/edit.ts';
import { Diagnostics } from '../../policy/diagnostic.ts';
import { parseXml } from '../../policy/xml.ts';
import { editEach, type ElementEdit } from '../../policy/elements/edit-each.ts';
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

/** Returns the text with the change. Whoever tries or writes it checks the whole text afterwards. */
export function withChange(
  text: string,
  change: WantedChange,
  paths: Paths,
): Result<string, EditErrors> {
  switch (change.kind) {
    case 'text':
      return ok(change.text);
    case 'edits':
      return isPolicy(text) ? withEdits(text, change.edits, paths) : editChecked(text, ok);
    case 'undo': {
      const texts = readChangeTexts(paths, change.number);
      return texts.ok ? undone(text, texts.value) : fail([texts.error]);
    }
  }
}

const isPolicy = (text: string): boolean =>
  parseXml(text, new Diagnostics('', text))?.name === 'bulkhead';

function withEdits(
  text: string,
  edits: readonly WantedEdit[],
  paths: Paths,
): Result<string, EditErrors> {
  const read: (ElementEdit | EditTarget)[] = [];
  for (const { target, set, unset, remove } of edits) {
    const found = parseTarget(target, paths);
    if (!found.ok) return fail([found.error]);
    const words = set.map(([name, value]) => `${name}=${value}`);
    const assignments = remove ? undefined : parseAssignments(words, unset);
    if (assignments?.ok === false) return assignments;
    read.push(
      assignments === undefined
        ? found.value
        : { target: found.value, assignments: assignments.value },
    );
  }
  const only = read.filter((each) => 'assignments' in each);
  const atOnce = only.length === read.length ? editEach(text, only) : undefined;
  return atOnce ?? oneAfterAnother(text, read);
}

/** Removes each target, and makes each edit. */
function oneAfterAnother(
  text: string,
  edits: readonly (ElementEdit | EditTarget)[],
): Result<string, EditErrors> {
  let now = text;
  for (const edit of edits) {
    const edited =
      'assignments' in edit
        ? withLimits(now, edit.target, edit.assignments)
        : withoutTarget(now, edit);
    if (!edited.ok) return edited;
    now = edited.value;
  }
  return ok(now);
}
