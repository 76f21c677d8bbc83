/**
 * Statements of source files about their license: SPDX lines and `MODULE_LICENSE`. Comments are
 * outside srcversion.
 */
import { textOfSource } from './source-tree.ts';

/** Returns the statement in the head of a file, without the comment's marks. */
export function spdxOf(file: Uint8Array): string | undefined {
  const head = textOfSource(file.subarray(0, 2048));
  const found = /SPDX-License-Identifier:[ \t]*([^\n]{1,200})/.exec(head)?.[1];
  return found?.replace(/\*\/.*$/, '').trim();
}

interface Declarations {
  readonly values: readonly string[];
  /** Whether some are not written out but made by a macro. */
  readonly computed: boolean;
}

/**
 * Returns the arguments of `MACRO("…")` in a file, as for `MODULE_LICENSE` and `MODULE_VERSION`.
 */
export function declarationsOf(file: Uint8Array, macro: string): Declarations {
  const values: string[] = [];
  let computed = false;
  const text = textOfSource(file);
  const sought = `${macro}(`;
  for (
    let at = text.indexOf(macro);
    at >= 0 && values.length < 100;
    at = text.indexOf(macro, at + 1)
  ) {
    const statement = text.slice(at, at + 300);
    // A comment or the macro's own definition.
    if (!statement.replace(/[ \t]/g, '').startsWith(sought)) continue;
    const literal = /^\w+[ \t]*\(\s*"((?:[^"\\\n]|\\.)*)"\s*\)/.exec(statement)?.[1];
    if (literal === undefined) computed = true;
    else values.push(literal);
  }
  return { values, computed };
}

/** Licenses under which code may be part of the kernel, besides the GPL in version 2. */
const permissive = new Set(
  'mit x11 isc zlib bsd-1-clause bsd-2-clause bsd-3-clause bsd-3-clause-clear 0bsd cc0-1.0 unlicense linux-openib ntp bsl-1.0'.split(
    ' ',
  ),
);

function identifierFits(identifier: string): boolean {
  const name = identifier.toLowerCase();
  if (permissive.has(name)) return true;
  return /^(?:gpl-2\.0(?:\+|-only|-or-later)?|gpl-1\.0(?:\+|-or-later)|lgpl-2\.[01](?:\+|-only|-or-later)?)$/.test(
    name,
  );
}

/**
 * Whether an SPDX expression lets its file be part of a GPL-2.0 kernel; undefined when it cannot be
 * read. Only well known licenses count as fitting: `GPL-3.0-only` and `Apache-2.0` do not by
 * themselves.
 */
export function fitsKernel(expression: string): boolean | undefined {
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? [];
  if (tokens.length === 0 || tokens.length > 100) return undefined;
  const reader = new ExpressionReader(tokens);
  const fits = reader.either();
  return reader.finished ? fits : undefined;
}

class ExpressionReader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get finished(): boolean {
    return this.#at === this.#tokens.length;
  }

  #take(word: string): boolean {
    if (this.#tokens[this.#at]?.toUpperCase() !== word) return false;
    this.#at++;
    return true;
  }

  either(): boolean {
    let fits = this.#all();
    while (this.#take('OR')) fits = this.#all() || fits;
    return fits;
  }

  #all(): boolean {
    let fits = this.#one();
    while (this.#take('AND')) fits = this.#one() && fits;
    return fits;
  }

  #one(): boolean {
    if (this.#take('(')) {
      const fits = this.either();
      this.#take(')');
      return fits;
    }
    const fits = identifierFits(this.#tokens[this.#at++] ?? '');
    if (this.#take('WITH')) this.#at++;
    return fits;
  }
}
