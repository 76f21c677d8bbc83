/**
 * A PAM file in /etc/pam.d, as libpam reads it: pam.conf(5).
 *
 *     # a comment
 *     @include common-session
 *     -session [success=2 default=ignore] pam_exec.so quiet \
 *         seteuid [a word with blanks] # another
 *     session substack system-auth
 */

export type PamType = 'auth' | 'account' | 'password' | 'session';

export interface ModuleLine {
  readonly kind: 'module';
  /** The number of its first line, from 1. */
  readonly line: number;
  readonly type: PamType;
  /** `optional`, or `[success=3 default=ignore]` with single blanks. */
  readonly control: string;
  /** The module without its directory: `pam_exec.so`. */
  readonly module: string;
  /** The path as written: `pam_exec.so`, `/opt/lib/pam_exec.so`. */
  readonly path: string;
  readonly args: readonly string[];
}

interface IncludeLine {
  readonly kind: 'include';
  readonly line: number;
  /** Absent for `@include`, which takes every type. */
  readonly type: PamType | undefined;
  readonly file: string;
  /** Whether jumps inside end inside. */
  readonly substack: boolean;
}

export type PamLine = ModuleLine | IncludeLine;

/**
 * Parses the text. Lines that libpam would refuse are left out: it denies every session of such a file, which is
 * obvious.
 */
export function parsePamFile(text: string): readonly PamLine[] {
  return logicalLines(text).flatMap(({ line, text: each }) => lineOf(line, wordsOf(each)) ?? []);
}

interface LogicalLine {
  readonly line: number;
  readonly text: string;
}

/**
 * Joins continued lines: a backslash at the end of a line continues it; a comment ends with its line, continued or not.
 */
function logicalLines(text: string): readonly LogicalLine[] {
  const lines: LogicalLine[] = [];
  let started: LogicalLine | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const isComment = raw.includes('#');
    const plain = isComment ? raw.slice(0, raw.indexOf('#')) : raw;
    const continues = !isComment && plain.endsWith('\\');
    const piece = continues ? plain.slice(0, -1) : plain;
    started = { line: started?.line ?? index + 1, text: `${started?.text ?? ''} ${piece}` };
    if (continues) continue;
    lines.push(started);
    started = undefined;
  }
  return started === undefined ? lines : [...lines, started];
}

/** A word in brackets may have blanks, and ends with its line at the latest; in it `\]` is a bracket. */
const wordPattern = /\[(?<inner>(?:\\\]|[^\]])*)(?:\]|$)|(?<plain>\S+)/g;

interface Word {
  readonly text: string;
  readonly bracketed: boolean;
}

const wordsOf = (text: string): readonly Word[] =>
  [...text.matchAll(wordPattern)].map(({ groups }) => {
    const { inner, plain = '' } = groups ?? {};
    return inner === undefined
      ? { text: plain, bracketed: false }
      : { text: inner.replaceAll(String.raw`\]`, ']'), bracketed: true };
  });

function lineOf(line: number, words: readonly Word[]): PamLine | undefined {
  const [first, control, target, ...args] = words;
  if (first === undefined || control === undefined) return undefined;
  if (first.text.toLowerCase() === '@include')
    return { kind: 'include', line, type: undefined, file: control.text, substack: false };
  const type = typeOf(first.text);
  if (type === undefined || target === undefined) return undefined;
  const word = control.text.toLowerCase();
  if (!control.bracketed && (word === 'include' || word === 'substack'))
    return { kind: 'include', line, type, file: target.text, substack: word === 'substack' };
  return {
    kind: 'module',
    line,
    type,
    control: control.bracketed ? `[${control.text.trim().split(/\s+/).join(' ')}]` : word,
    module: target.text.slice(target.text.lastIndexOf('/') + 1),
    path: target.text,
    args: args.map(({ text }) => text),
  };
}

/** Returns the type. A leading dash means that a missing module is not logged. */
function typeOf(word: string): PamType | undefined {
  const name = word.toLowerCase().replace(/^-/, '');
  return name === 'auth' || name === 'account' || name === 'password' || name === 'session'
    ? name
    : undefined;
}

/** Returns how many modules are skipped when this one succeeds; 0 for none. */
export function jumpOnSuccess(control: string): number {
  const values = new Map(
    [...control.matchAll(/([a-z_]+)=([a-z0-9]+)/g)].map(([, key = '', value = '']) => [key, value]),
  );
  const action = values.get('success') ?? values.get('default') ?? '';
  return /^\d+$/.test(action) ? Number(action) : 0;
}
