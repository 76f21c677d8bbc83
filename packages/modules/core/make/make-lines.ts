/**
 * The lines of a makefile taken apart, without their meaning. Source: GNU make manual, chapter 3.
 */

export type Operator = '=' | ':=' | '?=' | '+=';

/** Returns where the bracket at `start` is closed; the end of the text when it is not. */
export function closing(text: string, start: number, open: string): number {
  const close = open === '(' ? ')' : '}';
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === open) depth++;
    else if (text[at] === close && --depth === 0) return at;
  }
  return text.length;
}

export function splitArguments(text: string, max: number): readonly string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at < text.length && parts.length < max - 1; at++) {
    const char = text[at];
    if (char === '(' || char === '{') depth++;
    else if (char === ')' || char === '}') depth--;
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)];
}

const operators: readonly (readonly [text: string, operator: Operator])[] = [
  [':::=', ':='],
  ['::=', ':='],
  [':=', ':='],
  ['?=', '?='],
  ['+=', '+='],
  ['=', '='],
];

type Statement =
  | {
      readonly kind: 'assignment';
      readonly operator: Operator;
      readonly start: number;
      readonly end: number;
    }
  /**
   * A rule or anything else; also a rule with a variable of its own, which does not affect what is
   * built.
   */
  | { readonly kind: 'rule' | 'other' };

export function findAssignment(statement: string): Statement {
  let depth = 0;
  for (let at = 0; at < statement.length; at++) {
    const char = statement[at];
    if (char === '(' || char === '{') depth++;
    else if (char === ')' || char === '}') depth--;
    if (depth > 0 || !(char === '=' || char === ':' || char === '?' || char === '+')) continue;
    const found = operators.find(([text]) => statement.startsWith(text, at));
    if (found !== undefined) {
      return { kind: 'assignment', operator: found[1], start: at, end: at + found[0].length };
    }
    if (char === ':') return { kind: 'rule' };
  }
  return { kind: 'other' };
}

export function takeModifiers(statement: string): readonly [readonly string[], string] {
  const modifiers: string[] = [];
  let rest = statement;
  for (let count = 0; count < 4; count++) {
    const found = /^(override|export|unexport|private|undefine)(?:\s+|$)/.exec(rest);
    // `export = x` is a variable of that name.
    if (found === null || /^[:?+]*=/.test(rest.slice(found[0].length))) break;
    modifiers.push(found[1]!);
    rest = rest.slice(found[0].length);
  }
  return [modifiers, rest];
}

/** Returns the two sides of `(a,b)`, `"a" "b"` or `'a' 'b'`. */
export function comparands(text: string): readonly [string, string] {
  const trimmed = text.trim();
  if (trimmed.startsWith('(')) {
    const inner = trimmed.slice(1, closing(trimmed, 0, '('));
    const [left = '', right = ''] = splitArguments(inner, 2);
    return [left, right];
  }
  const quoted = /^(["'])([^]*?)\1\s*(["'])([^]*?)\3/.exec(trimmed);
  return quoted === null ? ['', ' '] : [quoted[2]!, quoted[4]!];
}

/**
 * Yields logical lines. A line that ends in an odd number of backslashes goes on; the break becomes
 * one blank.
 */
export function* logicalLines(text: string): Generator<string> {
  let parts: string[] = [];
  for (const each of text.split('\n')) {
    const line = each.endsWith('\r') ? each.slice(0, -1) : each;
    const part = parts.length > 0 ? line.trimStart() : line;
    if (endsInBackslash(line)) {
      parts.push(part.slice(0, -1).trimEnd());
      continue;
    }
    yield parts.length > 0 ? [...parts, part].join(' ') : part;
    parts = [];
  }
  if (parts.length > 0) yield parts.join(' ');
}

function endsInBackslash(line: string): boolean {
  let count = 0;
  while (line[line.length - 1 - count] === '\\') count++;
  return count % 2 === 1;
}

export function withoutComment(text: string): string {
  for (let at = text.indexOf('#'); at >= 0; at = text.indexOf('#', at + 1)) {
    if (text[at - 1] !== '\\') return text.slice(0, at).trimEnd();
  }
  return text.trimEnd();
}
