/**
 * Many edits of one policy at once. Each is made in the text of its element only, from the last element to the first: a
 * large policy is parsed once, not once for each edit.
 */
import type { ProblemOrCause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Assignment } from '../assignment.ts';
import { assignmentProblem, find, rootOf, type EditTarget } from '../edit.ts';
import { textLayoutOf } from '../xml-edit.ts';
import type { XmlElement } from '../xml.ts';
import { assignAll } from './assign.ts';

/** The assignments to one element. */
export interface ElementEdit {
  readonly target: EditTarget;
  readonly assignments: readonly Assignment[];
}

/** Returns the text with all edits; undefined if they are to be made one after another, on the text that the last one left. */
export function editEach(
  text: string,
  edits: readonly ElementEdit[],
): Result<string, readonly ProblemOrCause[]> | undefined {
  const parts: Part[] = [];
  for (const edit of edits) {
    const found = find(text, edit.target);
    const part = found.ok && found.value !== undefined ? partOf(text, found.value) : undefined;
    if (part === undefined) return undefined;
    parts.push({ ...part, ...edit });
  }
  const sorted = parts.toSorted((a, b) => b.start - a.start);
  // One element within another, or the same element twice.
  if (sorted.some((each, index) => each.end > (sorted[index - 1]?.start ?? Infinity)))
    return undefined;
  for (const { target, assignments } of edits) {
    const problem = assignmentProblem(text, target, assignments);
    if (problem !== undefined) return fail([problem]);
  }
  return ok(withParts(text, sorted));
}

/** The lines of an element. */
interface Lines {
  readonly start: number;
  readonly end: number;
}

type Part = Lines & ElementEdit;

/** Returns the element with its indentation; undefined if something else is before it on its line. */
function partOf(text: string, { start: from, end }: XmlElement): Lines | undefined {
  const start = text.lastIndexOf('\n', from - 1) + 1;
  return /^[ \t]*$/.test(text.slice(start, from)) ? { start, end } : undefined;
}

function withParts(text: string, fromLast: readonly Part[]): string {
  const layout = textLayoutOf(text, rootOf(text));
  const pieces: string[] = [];
  let end = text.length;
  for (const part of fromLast) {
    pieces.push(text.slice(part.end, end));
    const own = text.slice(part.start, part.end);
    pieces.push(assignAll(own, { find: rootOf, layout }, part.assignments));
    end = part.start;
  }
  return [...pieces, text.slice(0, end)].toReversed().join('');
}
