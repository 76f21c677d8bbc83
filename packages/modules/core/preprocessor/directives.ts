/**
 * The directives of a C file, scanned once: the scan sees comments, strings and continued lines,
 * not the code between. Each conditional has the place of its next branch, so that an inactive
 * branch is skipped at once.
 */
import { parseMacro, tokenise, type Macro } from './macros.ts';
import { textOfSource } from '../source/source-tree.ts';

export type PreprocessorDirective =
  | {
      readonly kind: 'if' | 'elif';
      readonly tokens: readonly string[];
      next: number;
    }
  | {
      readonly kind: 'ifdef' | 'ifndef' | 'elifdef' | 'elifndef';
      readonly name: string;
      next: number;
    }
  | { readonly kind: 'else' | 'endif'; next: number }
  | { readonly kind: 'define'; readonly name: string; readonly macro: Macro }
  | { readonly kind: 'undef'; readonly name: string }
  | { readonly kind: 'once' }
  | { readonly kind: 'include' | 'include_next'; readonly text: string };

interface DirectiveFile {
  readonly directives: readonly PreprocessorDirective[];
  /** The macro that keeps the whole file from being read again. */
  readonly guard: string | undefined;
}

const directivesMax = 200_000;
const [newline, quote, hash, apostrophe, star, slash, backslash] = [
  0x0a, 0x22, 0x23, 0x27, 0x2a, 0x2f, 0x5c,
];

export function readDirectives(bytes: Uint8Array): DirectiveFile {
  const directives: PreprocessorDirective[] = [];
  for (const line of directiveLines(textOfSource(bytes))) {
    const directive = parseDirective(line);
    if (directive !== undefined) directives.push(directive);
    if (directives.length >= directivesMax) break;
  }
  linkBranches(directives);
  return { directives, guard: guardOf(directives) };
}

const firstName = (text: string): string => /[A-Za-z_$][\w$]*/.exec(text)?.[0] ?? '';

function parseDirective(line: string): PreprocessorDirective | undefined {
  const [, keyword = '', rest = ''] = /^\s*([a-z_]+)(.*)$/s.exec(line) ?? [];
  return parseBranch(keyword, rest) ?? parseStatement(keyword, rest);
}

function parseBranch(keyword: string, rest: string): PreprocessorDirective | undefined {
  switch (keyword) {
    case 'if':
    case 'elif':
      return { kind: keyword, tokens: tokenise(rest), next: 0 };
    case 'ifdef':
    case 'ifndef':
    case 'elifdef':
    case 'elifndef':
      return { kind: keyword, name: firstName(rest), next: 0 };
    case 'else':
    case 'endif':
      return { kind: keyword, next: 0 };
    default:
      return undefined;
  }
}

function parseStatement(keyword: string, rest: string): PreprocessorDirective | undefined {
  switch (keyword) {
    case 'define': {
      const parsed = parseMacro(rest);
      return parsed === undefined ? undefined : { kind: 'define', ...parsed };
    }
    case 'undef':
      return { kind: 'undef', name: firstName(rest) };
    case 'pragma':
      return /^\s*once\b/.test(rest) ? { kind: 'once' } : undefined;
    case 'include':
    case 'include_next':
      return { kind: keyword, text: rest.trim() };
    default:
      return undefined;
  }
}

/**
 * Links each branch to the next of its conditional, the last to its `endif`, an open one to the
 * end.
 */
function linkBranches(directives: readonly PreprocessorDirective[]): void {
  const open: (PreprocessorDirective & { next: number })[] = [];
  for (const [index, each] of directives.entries()) {
    if (!('next' in each)) continue;
    const begins = each.kind === 'if' || each.kind === 'ifdef' || each.kind === 'ifndef';
    each.next = directives.length;
    if (!begins) {
      const previous = open.pop();
      if (previous !== undefined) previous.next = index;
    }
    if (each.kind !== 'endif') open.push(each);
  }
}

function guardOf(directives: readonly PreprocessorDirective[]): string | undefined {
  const first = directives[0];
  const last = directives.length - 1;
  if (first?.kind !== 'ifndef' || first.next !== last) return undefined;
  return directives[last]!.kind === 'endif' ? first.name : undefined;
}

/**
 * Yields what follows the `#` of each directive, comments replaced by a blank and continued lines
 * joined.
 */
function* directiveLines(text: string): Generator<string> {
  let at = 0;
  while (at < text.length) {
    const start = skipBlanks(text, at);
    if (text.charCodeAt(start) === hash) {
      const [line, end] = readDirectiveLine(text, start + 1);
      yield line;
      at = end;
    } else at = endOfCodeLine(text, start);
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  for (;;) {
    const char = text.charCodeAt(at);
    if (char === 0x20 || char === 0x09) at++;
    else if (char === slash && text.charCodeAt(at + 1) === star) at = endOfComment(text, at);
    else return at;
  }
}

function endOfComment(text: string, start: number): number {
  const end = text.indexOf('*/', start + 2);
  return end < 0 ? text.length : end + 2;
}

/** Returns the place behind the closing quote; a line end ends a string that is not closed. */
function endOfQuoted(text: string, start: number): number {
  const mark = text.charCodeAt(start);
  let at = start + 1;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === mark) return at + 1;
    if (char === newline) return at;
    at += char === backslash ? 2 : 1;
  }
  return text.length;
}

/** Returns where a continued line goes on; undefined if the backslash does not continue a line. */
function behindContinuation(text: string, at: number): number | undefined {
  if (text.charCodeAt(at + 1) === newline) return at + 2;
  return text.startsWith('\r\n', at + 1) ? at + 3 : undefined;
}

function endOfCodeLine(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === newline) return at + 1;
    if (char === quote || char === apostrophe) at = endOfQuoted(text, at);
    else if (char === backslash) at = behindContinuation(text, at) ?? at + 1;
    else if (char === slash && text.charCodeAt(at + 1) === star) at = endOfComment(text, at);
    else if (char === slash && text.charCodeAt(at + 1) === slash) at = endOfLine(text, at);
    else at++;
  }
  return at;
}

/** Returns the end of a `//` comment's line; such a comment goes on over continued lines. */
function endOfLine(text: string, start: number): number {
  let end = text.indexOf('\n', start);
  while (end > 0 && text.charCodeAt(end - 1) === backslash) end = text.indexOf('\n', end + 1);
  return end < 0 ? text.length : end;
}

function readDirectiveLine(text: string, start: number): readonly [line: string, end: number] {
  const parts: string[] = [];
  let [at, from] = [start, start];
  const cut = (next: number, replacement: string) => {
    parts.push(text.slice(from, at), replacement);
    at = from = next;
  };
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === newline) break;
    if (char === quote || char === apostrophe) at = endOfQuoted(text, at);
    else if (char === backslash) {
      const next = behindContinuation(text, at);
      if (next === undefined) at++;
      else cut(next, '');
    } else if (char === slash && text.charCodeAt(at + 1) === star) cut(endOfComment(text, at), ' ');
    else if (char === slash && text.charCodeAt(at + 1) === slash) cut(endOfLine(text, at), '');
    else at++;
  }
  parts.push(text.slice(from, at));
  return [parts.join(''), at + 1];
}
