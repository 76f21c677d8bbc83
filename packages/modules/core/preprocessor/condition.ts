/**
 * The expression behind `#if`, in 64-bit integers as the compiler takes them.
 * Source: ISO C, 6.10.1.
 */
import { isName, PreprocessorError, type MacroTable } from './macros.ts';

const questionsAnswered =
  /^__has_(?:attribute|builtin|include|include_next|c_attribute|cpp_attribute)$/;
const depthMax = 200;

/** Whether the condition holds. `includes` answers `__has_include`. */
export function holds(
  tokens: readonly string[],
  table: MacroTable,
  includes: (text: string) => boolean,
): boolean {
  const answered = answerQuestions(tokens, table, includes);
  const expanded = table.expand(answered).filter((token) => token !== ' ');
  table.charge(expanded.length);
  return new Expression(expanded, table).value() !== 0n;
}

/** Replaces `defined` and `__has_…`, which take names before they are expanded. */
function answerQuestions(
  tokens: readonly string[],
  table: MacroTable,
  includes: (text: string) => boolean,
): readonly string[] {
  const out: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (token === 'defined') {
      const { inside, end } = operand(tokens, at + 1);
      const name = inside.find(isName) ?? '';
      out.push(table.has(name) || questionsAnswered.test(name) ? '1' : '0');
      at = end;
    } else if (token.startsWith('__has_') && !table.has(token)) {
      const { inside, end } = operand(tokens, at + 1);
      const present = !token.startsWith('__has_include') || includes(inside.join('').trim());
      out.push(present ? '1' : '0');
      at = end;
    } else out.push(token);
  }
  return out;
}

/** Returns what is in brackets behind an operator, or the one token without them. */
function operand(
  tokens: readonly string[],
  from: number,
): { readonly inside: readonly string[]; readonly end: number } {
  let at = from;
  while (tokens[at] === ' ') at++;
  if (tokens[at] !== '(') return { inside: tokens.slice(at, at + 1), end: at };
  let depth = 0;
  for (let end = at; end < tokens.length; end++) {
    if (tokens[end] === '(') depth++;
    else if (tokens[end] === ')' && --depth === 0)
      return { inside: tokens.slice(at + 1, end), end };
  }
  return { inside: tokens.slice(at + 1), end: tokens.length };
}

const truth = (value: boolean): bigint => (value ? 1n : 0n);

type Operation = (left: bigint, right: bigint) => bigint;

/** Operations by precedence, the loosest first. */
const operations: readonly ReadonlyMap<string, Operation>[] = [
  new Map<string, Operation>([['||', (a, b) => truth(a !== 0n || b !== 0n)]]),
  new Map<string, Operation>([['&&', (a, b) => truth(a !== 0n && b !== 0n)]]),
  new Map<string, Operation>([['|', (a, b) => a | b]]),
  new Map<string, Operation>([['^', (a, b) => a ^ b]]),
  new Map<string, Operation>([['&', (a, b) => a & b]]),
  new Map<string, Operation>([
    ['==', (a, b) => truth(a === b)],
    ['!=', (a, b) => truth(a !== b)],
  ]),
  new Map<string, Operation>([
    ['<', (a, b) => truth(a < b)],
    ['>', (a, b) => truth(a > b)],
    ['<=', (a, b) => truth(a <= b)],
    ['>=', (a, b) => truth(a >= b)],
  ]),
  new Map<string, Operation>([
    ['<<', (a, b) => (b >= 0n && b < 64n ? a << b : 0n)],
    ['>>', (a, b) => (b >= 0n && b < 64n ? a >> b : 0n)],
  ]),
  new Map<string, Operation>([
    ['+', (a, b) => a + b],
    ['-', (a, b) => a - b],
  ]),
  new Map<string, Operation>([
    ['*', (a, b) => a * b],
    ['/', (a, b) => (b === 0n ? 0n : a / b)],
    ['%', (a, b) => (b === 0n ? 0n : a % b)],
  ]),
];

function numberOf(token: string): bigint {
  if (token.startsWith("'")) return token.length === 3 ? BigInt(token.charCodeAt(1)) : 0n;
  const digits = token.replace(/[uUlL]+$/, '').replaceAll("'", '');
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`);
  return digits.length <= 64 && /^(?:0[xX][\da-fA-F]+|0[bB][01]+|\d+)$/.test(digits)
    ? BigInt(digits)
    : 0n;
}

class Expression {
  readonly #tokens: readonly string[];
  readonly #table: MacroTable;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly string[], table: MacroTable) {
    this.#tokens = tokens;
    this.#table = table;
  }

  value(): bigint {
    if (++this.#depth > depthMax) throw new PreprocessorError('nests a condition too deep');
    const condition = this.#binary(0);
    let result = condition;
    if (this.#tokens[this.#at] === '?') {
      this.#at++;
      const then = this.value();
      if (this.#tokens[this.#at] === ':') this.#at++;
      const otherwise = this.value();
      result = condition === 0n ? otherwise : then;
    }
    this.#depth--;
    return result;
  }

  #binary(level: number): bigint {
    const known = operations[level];
    if (known === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operation = known.get(this.#tokens[this.#at] ?? '');
      if (operation === undefined) return left;
      this.#at++;
      left = BigInt.asIntN(64, operation(left, this.#binary(level + 1)));
    }
  }

  #unary(): bigint {
    const signs: string[] = [];
    while (/^[!~+-]$/.test(this.#tokens[this.#at] ?? '')) signs.push(this.#tokens[this.#at++]!);
    let value = this.#primary();
    for (const sign of signs.reverse()) {
      if (sign === '!') value = truth(value === 0n);
      else if (sign === '~') value = ~value;
      else if (sign === '-') value = -value;
    }
    return value;
  }

  #primary(): bigint {
    const token = this.#tokens[this.#at++];
    if (token === undefined) return 0n;
    if (token === '(') {
      const value = this.value();
      this.#at++;
      return value;
    }
    if (token === 'defined') return this.#defined();
    if (!isName(token)) return numberOf(token);
    // A name that is not a macro is 0, and so is anything that looks like a call of it.
    if (this.#tokens[this.#at] === '(') this.#at = operand(this.#tokens, this.#at).end + 1;
    return 0n;
  }

  /** Evaluates a `defined` that came out of a macro. */
  #defined(): bigint {
    const { inside, end } = operand(this.#tokens, this.#at);
    this.#at = end + 1;
    return truth(this.#table.has(inside[0] ?? ''));
  }
}
