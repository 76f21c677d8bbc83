/** A mistake in a policy, with its position and a remedy: `file:line:column: error: message`. */
import { printable } from '../../packages/base/printable.ts';
import { placeAt, type Sources } from './fleet/sources.ts';

export type DiagnosticSeverity = 'error' | 'warning' | 'note';

export interface Diagnostic {
  /** `error`: the policy is refused. */
  readonly severity: DiagnosticSeverity;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A place in the text, in UTF-16 code units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Located<T> extends Span {
  readonly value: T;
}

/** A place in a file, both numbers from 1. */
export interface LinePlace {
  /** The file, if the text was merged and another file than the policy's own has it. */
  readonly file?: string;
  readonly line: number;
  readonly column: number;
}

/** Line and column of offsets. Built once per text, then a binary search each. */
export class LineIndex {
  readonly #starts: number[] = [0];
  readonly #sources: Sources | undefined;

  /** `sources`: the places that a merged text comes from. */
  constructor(text: string, sources?: Sources) {
    this.#sources = sources;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
      this.#starts.push(at + 1);
    }
  }

  at(offset: number): LinePlace {
    if (this.#sources !== undefined) return placeAt(this.#sources, offset);
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 };
  }
}

const hintsMax = 100;

/** Collects the diagnostics of one file; the text is indexed only if there are any. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #sources: Sources | undefined;
  #lines: LineIndex | undefined;

  /** `sources`: the places that a merged text comes from. */
  constructor(file: string, text: string, sources?: Sources) {
    this.#file = file;
    this.#text = text;
    this.#sources = sources;
  }

  add(severity: DiagnosticSeverity, offset: number, message: string): void {
    this.list.push({ severity, file: this.#file, ...this.#at(offset), message });
  }

  /** Returns the line of a place, for messages that name another one: `12`, or `12 of FILE` in a merged text. */
  lineOf({ start }: Span): string {
    const { file, line } = this.#at(start);
    return file === undefined ? String(line) : `${line} of ${file}`;
  }

  /** Whether another file than the policy's own has this place, in a merged text. */
  isElsewhere({ start }: Span): boolean {
    return this.#sources !== undefined && this.#at(start).file !== undefined;
  }

  #at(offset: number) {
    this.#lines ??= new LineIndex(this.#text, this.#sources);
    return this.#lines.at(offset);
  }

  error(at: Span | number, message: string): void {
    this.add('error', typeof at === 'number' ? at : at.start, message);
  }

  warn(at: Span | number, message: string): void {
    this.add('warning', typeof at === 'number' ? at : at.start, message);
  }

  /** Hints are given for the first errors only: nobody reads thousands of them. */
  hint(word: string, known: Iterable<string>): string {
    return this.list.length < hintsMax ? suggestion(word, known) : '';
  }

  get failed(): boolean {
    return this.list.some((each) => each.severity === 'error');
  }
}

export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, message } = diagnostic;
  return `${printable(file)}:${line}:${column}: ${severity}: ${printable(message)}`;
}

/** The maximum number of compared names: a policy can have a hundred thousand. */
const comparedMax = 2000;

/** The number of common first letters from which one name was probably meant by the other. */
const sharedMin = 4;

/** Returns the first name of `known` that was probably meant by `word`: `mem` is memory, `entry` is entries. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const names = [...known].slice(0, comparedMax);
  return fewestEdits(word, names, 2) ?? beginsAlike(word, names) ?? fewestEdits(word, names, 3);
}

function beginsAlike(word: string, names: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const whole = lower.length < 3 ? undefined : names.find((each) => each.startsWith(lower));
  return (
    whole ??
    names.find((each) => {
      const shared = lower.slice(0, Math.max(sharedMin, lower.length - 1));
      return shared.length >= sharedMin && each.startsWith(shared);
    })
  );
}

function fewestEdits(word: string, known: readonly string[], max: number): string | undefined {
  let best: string | undefined;
  let min = Math.min(max, Math.ceil(word.length / 2)) + 1;
  for (const name of known) {
    if (Math.abs(name.length - word.length) >= min) continue;
    const distance = editDistance(word.slice(0, 64), name, min);
    if (distance < min) {
      min = distance;
      best = name;
    }
  }
  return best;
}

function editDistance(a: string, b: string, enough: number): number {
  if (Math.abs(a.length - b.length) >= enough) return enough;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + change));
    }
    row = next;
    // It never decreases again.
    if (Math.min(...row) >= enough) return enough;
  }
  return row[b.length] ?? enough;
}

/** Returns `; did you mean "x"?`, or an empty text. */
export function suggestion(word: string, known: Iterable<string>): string {
  const near = nearest(word, known);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}
