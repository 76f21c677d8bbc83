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

type Token =
  | { readonly kind: 'word'; readonly text: string; readonly line: number }
  | { readonly kind: ';' | '{' | '}'; readonly line: number }
  | { readonly kind: 'end' };

const blank = /[ \t\r\n]/;
const luaBlock = /_by_lua_block$/;
const escapes: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' };

interface OpenBlock {
  readonly words: readonly Word[];
  readonly inside: Directive[];
}

type Word = Extract<Token, { kind: 'word' }>;

class Reader {
  readonly #file: string;
  readonly #text: string;
  readonly #problems: ReadProblem[] = [];
  #at = 0;
  #line = 1;
  #words: Word[] = [];
  #inside: Directive[] = [];
  readonly #open: OpenBlock[] = [];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  read(): NginxFile {
    for (;;) {
      const token = this.#token();
      if (token.kind === 'end') break;
      if (token.kind === 'word') this.#words.push(token);
      else if (token.kind === '{' && !this.#begin(token.line)) break;
      else if (token.kind === ';') this.#finish(this.#words, undefined);
      else if (token.kind === '}') this.#close(token.line);
    }
    if (this.#open.length > 0 || this.#words.length > 0) {
      this.#problem(this.#line, 'it ends within a directive');
      this.#finish(this.#words, undefined);
      while (this.#open.length > 0) this.#close(this.#line);
    }
    return { directives: this.#inside, problems: this.#problems };
  }

  /** Whether parsing can go on. */
  #begin(line: number): boolean {
    const [name] = this.#words;
    if (name !== undefined && luaBlock.test(name.text)) return this.#skipLua(line);
    if (this.#open.length === depthMax) {
      this.#problem(line, `it is nested more than ${depthMax} deep`);
      return false;
    }
    this.#open.push({ words: this.#words, inside: this.#inside });
    this.#words = [];
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
    this.#finish(this.#words, undefined);
    return true;
  }

  #close(line: number): void {
    const block = this.#open.pop();
    if (block === undefined) return this.#problem(line, 'a "}" closes nothing');
    const inside = this.#inside;
    this.#inside = block.inside;
    this.#finish(block.words, inside);
  }

  #finish(words: readonly Word[], block: readonly Directive[] | undefined): void {
    this.#words = [];
    const [name, ...args] = words;
    if (name === undefined) return;
    this.#inside.push({
      name: name.text,
      args: args.map((each) => each.text),
      file: this.#file,
      line: name.line,
      ...(block === undefined ? {} : { block }),
    });
  }

  #problem(line: number, message: string): void {
    this.#problems.push({ file: this.#file, line, message });
  }

  #step(): string {
    const char = this.#text[this.#at++] ?? '';
    if (char === '\n') this.#line++;
    return char;
  }

  #token(): Token {
    this.#skipBlanks();
    const line = this.#line;
    const char = this.#text[this.#at];
    if (char === undefined) return { kind: 'end' };
    if (char === ';' || char === '{' || char === '}') {
      this.#at++;
      return { kind: char, line };
    }
    const quoted = char === '"' || char === "'";
    if (quoted) this.#at++;
    return { kind: 'word', text: quoted ? this.#quoted(char) : this.#plain(), line };
  }

  #skipBlanks(): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) return;
      if (char === '#') {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end === -1 ? this.#text.length : end;
      } else if (blank.test(char)) this.#step();
      else return;
    }
  }

  #quoted(quote: string): string {
    let word = '';
    while (this.#at < this.#text.length) {
      const char = this.#step();
      if (char === quote) return word;
      word += char === '\\' ? this.#escape() : char;
    }
    return word;
  }

  #plain(): string {
    let word = '';
    let variable = false;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] ?? '';
      const isBrace = char === '{';
      if (blank.test(char) || char === ';' || (isBrace && !variable)) return word;
      this.#step();
      variable = char === '$' || (isBrace && variable);
      word += char === '\\' ? this.#escape() : char;
    }
    return word;
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
