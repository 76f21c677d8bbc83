/**
 * A file of texts, as an administrator edits it:
 *
 *     # The subject of mail about one account.
 *     subject = Your account {accounts} on {host}
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { fieldsOf, isTextKey, type TextKey, type Texts } from './texts.ts';

const charactersMax = 1000;
const problemsMax = 20;

export interface TextProblem extends Cause {
  /** The line, from 1. */
  readonly line: number;
}

export interface TextFile {
  /** The texts without mistakes. */
  readonly texts: Texts;
  readonly problems: readonly TextProblem[];
}

export function parseTexts(text: string): TextFile {
  const texts = new Map<TextKey, string>();
  const problems: TextProblem[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const problem = readLine(line, texts);
    if (problem !== undefined && problems.length < problemsMax)
      problems.push({ ...problem, line: index + 1 });
  }
  return { texts, problems };
}

/** Adds the text of a line; returns what is wrong with it. */
function readLine(line: string, texts: Map<TextKey, string>): Cause | undefined {
  const [, key, value] = /^([A-Za-z][A-Za-z ]*?)\s*=\s*(\S.*?)\s*$/.exec(line) ?? [];
  if (key === undefined || value === undefined)
    return { reason: 'it is not "name = text"', hint: 'a comment begins with #' };
  if (!isTextKey(key))
    return {
      reason: `there is no text "${printable(key)}"`,
      hint: '"bulkhead digest texts en" prints all',
    };
  if (texts.has(key)) return { reason: `"${key}" occurs twice` };
  const problem = valueProblem(key, value);
  if (problem === undefined) texts.set(key, value);
  return problem;
}

function valueProblem(key: TextKey, value: string): Cause | undefined {
  if (value.length > charactersMax)
    return { reason: `"${key}" has more than ${charactersMax} characters` };
  if (/\p{Cc}/u.test(value)) return { reason: `"${key}" has a control character` };
  const known = fieldsOf(key);
  const unknown = [...value.matchAll(/\{([^}]*)\}?/g)].find(
    ([whole, name]) => !whole.endsWith('}') || !known.some((each) => each === name),
  );
  if (unknown === undefined) return undefined;
  const may = known.length === 0 ? 'none' : known.map((each) => `{${each}}`).join(', ');
  return { reason: `"${key}" has ${printable(unknown[0])}`, hint: `it may have: ${may}` };
}
