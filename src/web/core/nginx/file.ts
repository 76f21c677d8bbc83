/**
 * One file of nginx's configuration → directives, as nginx itself reads words.
 *
 *     location ~ "\.php$|^/{2,3}" { fastcgi_pass unix:/run/php/shop.sock; }    # a comment
 *
 * A quote counts at the beginning of a word only, as does `#`; `{` ends a word unless `$` is before it.
 * Source: ngx_conf_file.c, ngx_conf_read_token(); ngx_http_lua_module for `…_by_lua_block`.
 */
import { depthMax, type Directive, type ReadProblem } from '../directive.ts';
import { endOfLua } from './lua.ts';

interface NginxFile {
  readonly directives: readonly Directive[];
  readonly problems: readonly ReadProblem[];
}

export function parseNginxFile(file: string, text: string): NginxFile {
  return new Reader(file, text).read();
}

/** A word, or a character that ends one. */
type Token = 'word' | ';' | '{' | '}' | 'end';

/** The part of an unquoted word up to an escape: braces belong to it after a dollar sign. */
const plainPart = /(?:\$\{*|[^ \t\r\n;{\\$])+/y;
const quotedPart = { '"': /[^"\\]+/y, "'": /[^'\\]+/y } as const;
const luaBlock = /_by_lua_block$/;
const escapes: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' };

/** The words of a directive, and the line of the first. */
interface Words {
  readonly line: number;
  readonly texts: readonly string[];
}

interface OpenBlock {
  readonly words: Words;
  readonly inside: Directive[];
}

class Reader {
  readonly #file: string;
  readonly #text: string;
  readonly #problems: ReadProblem[] = [];
  #at = 0;
  #line = 1;
  #words: string[] = [];
  /** The line of the first of the words. */
  #first = 1;
  #inside: Directive[] = [];
  readonly #open: OpenBlock[] = [];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  read(): NginxFile {
    for (;;) {
      this.#skipBlanks();
      const line = this.#line;
      const token = this.#token();
      if (token === 'end') break;
      if (token === 'word') this.#keepWord(line);
      else if (token === '{' && !this.#begin(line)) break;
      else if (token === ';') this.#finish(this.#taken(), undefined);
      else if (token === '}') this.#close(line);
    }
    if (this.#open.length > 0 || this.#words.length > 0) {
      this.#problem(this.#line, 'it ends within a directive');
      this.#finish(this.#taken(), undefined);
      while (this.#open.length > 0) this.#close(this.#line);
    }
    return { directives: this.#inside, problems: this.#problems };
  }

  #keepWord(line: number): void {
    if (this.#words.length === 0) this.#first = line;
    const quote = this.#text[this.#at];
    this.#words.push(quote === '"' || quote === "'" ? this.#quoted(quote) : this.#plain());
  }

  /** Returns the words so far; the next directive has its own. */
  #taken(): Words {
    const texts = this.#words;
    this.#words = [];
    return { line: this.#first, texts };
  }

  /** Whether parsing can go on. */
  #begin(line: number): boolean {
    const [name] = this.#words;
    if (name !== undefined && luaBlock.test(name)) return this.#skipLua(line);
    if (this.#open.length === depthMax) {
      this.#problem(line, `it is nested more than ${depthMax} deep`);
      return false;
    }
    this.#open.push({ words: this.#taken(), inside: this.#inside });
    this.#inside = [];
    return true;
  }

  #skipLua(line: number): boolean {
    const end = endOfLua(this.#text, this.#at);
    if (end === undefined) {
      this.#problem(line, 'a block of Lua does not end');
      return false;
    }
    while (this.#at < end) this.#step();
    this.#finish(this.#taken(), undefined);
    return true;
  }

  #close(line: number): void {
    const block = this.#open.pop();
    if (block === undefined) return this.#problem(line, 'a "}" closes nothing');
    // nginx refuses words that nothing ends.
    this.#words = [];
    const inside = this.#inside;
    this.#inside = block.inside;
    this.#finish(block.words, inside);
  }

  #finish({ texts, line }: Words, block: readonly Directive[] | undefined): void {
    const [name, ...args] = texts;
    if (name === undefined) return;
    const directive = { name, args, file: this.#file, line };
    this.#inside.push(block === undefined ? directive : { ...directive, block });
  }

  #problem(line: number, message: string): void {
    this.#problems.push({ file: this.#file, line, message });
  }

  #step(): string {
    const char = this.#text[this.#at++] ?? '';
    if (char === '\n') this.#line++;
    return char;
  }

  /** Returns the kind of what comes next, and goes past it unless it is a word. */
  #token(): Token {
    const char = this.#text[this.#at];
    if (char === undefined) return 'end';
    if (char !== ';' && char !== '{' && char !== '}') return 'word';
    this.#at++;
    return char;
  }

  #skipBlanks(): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === '#') {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end === -1 ? this.#text.length : end;
      } else if (char === ' ' || char === '\t' || char === '\r' || char === '\n') this.#step();
      else return;
    }
  }

  #quoted(quote: '"' | "'"): string {
    this.#at++;
    let word = '';
    for (;;) {
      const part = this.#part(quotedPart[quote]);
      word += part;
      this.#line += newlinesIn(part);
      const char = this.#text[this.#at];
      if (char !== undefined) this.#at++;
      if (char !== '\\') return word;
      word += this.#escape();
    }
  }

  #plain(): string {
    let word = '';
    for (;;) {
      word += this.#part(plainPart);
      if (this.#text[this.#at] !== '\\') return word;
      this.#at++;
      word += this.#escape();
    }
  }

  /** Returns what an expression matches here, and goes past it. */
  #part(expression: RegExp): string {
    const begin = this.#at;
    expression.lastIndex = begin;
    if (expression.test(this.#text)) this.#at = expression.lastIndex;
    return this.#text.slice(begin, this.#at);
  }

  /**
   * Returns the text for an escape. A backslash before a quote or a backslash is dropped, other
   * backslashes stay.
   */
  #escape(): string {
    const char = this.#step();
    if (char === '"' || char === "'" || char === '\\') return char;
    return escapes[char] ?? `\\${char}`;
  }
}

const newlinesIn = (text: string) => text.split('\n').length - 1;
