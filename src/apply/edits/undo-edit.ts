/** The undo of a recorded change. */
import { undoChange } from '../../policy/changes/undo.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { EditErrors } from '../edit.ts';
import type { ChangeTexts } from '../read-changes.ts';

/** Returns the text without the change. */
export function undone(
  text: string,
  { change, before, after }: ChangeTexts,
): Result<string, EditErrors> {
  const { number, outcome, file } = change;
  const [action, object] = ['undo change', `${number}`];
  if (outcome === 'not written') return fail([{ action, object, reason: 'it was never written' }]);
  if (text === after) return ok(before);
  const edited = undoChange(text, { before, after });
  if (edited.ok) return edited;
  const hint = `"bulkhead policy diff ${number}" shows it; edit ${file} instead`;
  return fail([
    ...edited.error,
    { action, object, reason: 'the policy has other values since; nothing was changed', hint },
  ]);
}
