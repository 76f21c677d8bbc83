/**
 * Macros of the C preprocessor, expanded as far as conditions and computed includes need it.
 * Source: ISO C, 6.10.3 to 6.10.5, and the GNU extensions for variable arguments.
 */
export interface Macro {
  /** The parameters; undefined for a macro without brackets. */
  readonly parameters: readonly string[] | undefined;
  readonly variadic: boolean;
  readonly body: string;
  /** The tokens of the body, made when first needed. */
  tokens: readonly string[] | undefined;
}

/** An error about a file that asks the preprocessor for more than a build needs. */
export class PreprocessorError extends Error {}

/** The work that all objects of one module may cost together, in tokens and directives read. */
export class Work {
  #left = 200_000_000;

  charge(work: number): void {
    this.#left -= work;
    if (this.#left < 0) throw new PreprocessorError('expands its macros without end');
  }
}

const expansionDepthMax = 100;
/**
 * The most tokens of one macro's expansion, and characters of one token: more would only fill the
 * memory.
 */
const expandedTokensMax = 1_000_000;
const tokenLengthMax = 100_000;
/**
 * The pattern of a token. A quote behind a backslash begins no text: else each of many would be
 * followed to the end of the line.
 */
const tokenPattern =
  /\s+|[A-Za-z_$][\w$]*|\.?\d(?:[eEpP][+-]|[\w.])*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\["']|##|<<|>>|&&|\|\||[=!<>]=|\.\.\.|[^\s]/g;

/** Splits text into tokens; blanks count as one token `' '`. */
export function tokenise(text: string): readonly string[] {
  return (text.match(tokenPattern) ?? []).map((token) => (token.trim() === '' ? ' ' : token));
}

export const isName = (token: string | undefined): token is string =>
  token !== undefined && /^[A-Za-z_$]/.test(token);

/** Parses `NAME(a, b) body` or `NAME body`. */
export function parseMacro(text: string): { name: string; macro: Macro } | undefined {
  const head = /^\s*([A-Za-z_$][\w$]*)(\()?/.exec(text);
  if (head === null) return undefined;
  const rest = text.slice(head[0].length);
  const name = head[1]!;
  const close = head[2] === undefined ? -1 : rest.indexOf(')');
  if (head[2] === undefined) return { name, macro: macroOf(undefined, false, rest) };
  if (close < 0) return undefined;
  const parameters = rest
    .slice(0, close)
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  const last = parameters.at(-1);
  const variadic = last?.endsWith('...') === true;
  if (variadic) parameters[parameters.length - 1] = last.slice(0, -3).trim() || '__VA_ARGS__';
  return { name, macro: macroOf(parameters, variadic, rest.slice(close + 1)) };
}

function macroOf(
  parameters: readonly string[] | undefined,
  variadic: boolean,
  body: string,
): Macro {
  return { parameters, variadic, body: body.trim(), tokens: undefined };
}

interface Call {
  readonly args: readonly (readonly string[])[];
  /** The place of the closing bracket. */
  readonly end: number;
}

const skipBlank = (tokens: readonly string[], at: number): number =>
  tokens[at] === ' ' ? at + 1 : at;

/** Returns the place behind the name that follows, with or without brackets. */
function endOfOperand(tokens: readonly string[], from: number): number {
  const at = skipBlank(tokens, from);
  return Math.min(tokens.length, (tokens[at] === '(' ? skipBlank(tokens, at + 1) : at) + 1);
}

function trimmed(tokens: readonly string[]): readonly string[] {
  const start = tokens[0] === ' ' ? 1 : 0;
  const end = tokens.at(-1) === ' ' && tokens.length > start ? tokens.length - 1 : tokens.length;
  return start === 0 && end === tokens.length ? tokens : tokens.slice(start, end);
}

/**
 * Returns the arguments in the brackets that open at `open`; undefined when they are not closed.
 */
function readCall(tokens: readonly string[], open: number, macro: Macro): Call | undefined {
  const args: string[][] = [[]];
  const argumentsMax = macro.variadic ? macro.parameters!.length : Infinity;
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (token === '(') depth++;
    if (token === ')') depth--;
    if (depth === 0) return { args: args.map(trimmed), end: at };
    if (token === ',' && depth === 1 && args.length < argumentsMax) args.push([]);
    else if (at > open) args.at(-1)!.push(token);
  }
  return undefined;
}

/** The placeholder of an empty argument next to `##`. */
const placemarker = '\u0001';

export class MacroTable {
  readonly macros: Map<string, Macro>;
  readonly #work: Work;

  constructor(macros: Iterable<readonly [string, Macro]>, work: Work) {
    this.macros = new Map(macros);
    this.#work = work;
  }

  charge(work: number): void {
    this.#work.charge(work);
  }

  has(name: string): boolean {
    return this.macros.has(name);
  }

  expand(tokens: readonly string[]): readonly string[] {
    return this.#expand(tokens, new Set(), 0);
  }

  #expand(input: readonly string[], hidden: ReadonlySet<string>, depth: number): readonly string[] {
    if (depth > expansionDepthMax) throw new PreprocessorError('nests its macros too deep');
    let tokens = input;
    this.charge(tokens.length + 1);
    const out: string[] = [];
    for (let at = 0; at < tokens.length;) {
      const token = tokens[at]!;
      if (token === 'defined') {
        // The operand is taken by its name, not expanded.
        const end = endOfOperand(tokens, at + 1);
        for (; at < end; at++) out.push(tokens[at]!);
        continue;
      }
      const macro = isName(token) && !hidden.has(token) ? this.macros.get(token) : undefined;
      if (macro === undefined) {
        out.push(token);
        at++;
        continue;
      }
      const replaced = this.#replace(tokens, at, macro, hidden, depth);
      if (replaced === undefined) {
        out.push(token);
        at++;
        continue;
      }
      this.charge(replaced.tokens.length);
      if (replaced.tokens.length > expandedTokensMax) {
        throw new PreprocessorError('expands its macros without end');
      }
      const name = this.#opensCall(replaced.tokens, tokens, replaced.next, hidden);
      if (name === undefined) {
        for (const each of replaced.tokens) out.push(each);
        at = replaced.next;
      } else {
        // The expansion ends in the name of a macro whose brackets follow it.
        for (const each of replaced.tokens.slice(0, -1)) out.push(each);
        tokens = [name, ...tokens.slice(replaced.next)];
        this.charge(tokens.length);
        at = 0;
      }
    }
    return out;
  }

  #opensCall(
    expansion: readonly string[],
    tokens: readonly string[],
    next: number,
    hidden: ReadonlySet<string>,
  ): string | undefined {
    const last = expansion.at(-1);
    if (!isName(last) || hidden.has(last)) return undefined;
    if (this.macros.get(last)?.parameters === undefined) return undefined;
    return tokens[skipBlank(tokens, next)] === '(' ? last : undefined;
  }

  #replace(
    tokens: readonly string[],
    at: number,
    macro: Macro,
    hidden: ReadonlySet<string>,
    depth: number,
  ): { readonly tokens: readonly string[]; readonly next: number } | undefined {
    macro.tokens ??= tokenise(macro.body);
    const within = new Set(hidden).add(tokens[at]!);
    if (macro.parameters === undefined) {
      const body = macro.tokens;
      if (body.length === 1 && !isName(body[0])) return { tokens: body, next: at + 1 };
      return { tokens: this.#expand(paste(body), within, depth + 1), next: at + 1 };
    }
    const open = skipBlank(tokens, at + 1);
    const call = tokens[open] === '(' ? readCall(tokens, open, macro) : undefined;
    if (call === undefined) return undefined;
    const body = paste(this.#substitute(macro, call.args, hidden, depth));
    return { tokens: this.#expand(body, within, depth + 1), next: call.end + 1 };
  }

  #substitute(
    macro: Macro,
    args: readonly (readonly string[])[],
    hidden: ReadonlySet<string>,
    depth: number,
  ): readonly string[] {
    const body = macro.tokens!;
    const out: string[] = [];
    for (let at = 0; at < body.length; at++) {
      const token = body[at]!;
      const following = skipBlank(body, at + 1);
      const stringified = token === '#' ? parameterIndex(macro, body[following]) : -1;
      if (stringified >= 0) {
        out.push(stringOf(args[stringified] ?? []));
        at = following;
        continue;
      }
      const parameter = parameterIndex(macro, token);
      if (parameter < 0) {
        out.push(token);
        continue;
      }
      const arg = args[parameter] ?? [];
      const before = body[at - 1] === ' ' ? body[at - 2] : body[at - 1];
      const pasted = body[following] === '##' || before === '##';
      if (pasted && arg.length === 0) out.push(placemarker);
      const value = pasted ? arg : this.#expand(arg, hidden, depth + 1);
      this.charge(value.length);
      for (const each of value) out.push(each);
    }
    return out;
  }
}

const parameterIndex = (macro: Macro, token: string | undefined): number =>
  isName(token) ? macro.parameters!.indexOf(token) : -1;

function stringOf(tokens: readonly string[]): string {
  const length = tokens.reduce((sum, each) => sum + each.length, 0);
  if (length > tokenLengthMax) throw new PreprocessorError('has a text without end');
  return `"${tokens.join('')}"`;
}

function paste(tokens: readonly string[]): readonly string[] {
  if (!tokens.includes('##') && !tokens.includes(placemarker)) return tokens;
  const out: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at] !== '##') {
      out.push(tokens[at]!);
      continue;
    }
    while (out.at(-1) === ' ') out.pop();
    at = skipBlank(tokens, at + 1);
    const joined = [out.pop() ?? '', tokens[at] ?? '']
      .filter((each) => each !== placemarker)
      .join('');
    if (joined.length > tokenLengthMax) throw new PreprocessorError('has a name without end');
    out.push(joined === '' ? placemarker : joined);
  }
  return out.filter((each) => each !== placemarker);
}
