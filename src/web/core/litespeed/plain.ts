/**
 * Parses OpenLiteSpeed's plain configuration:
 *
 *     virtualHost shop {
 *       vhRoot      /home/shop
 *       note        <<<END_note
 *     any text
 *       END_note
 *       include     $SERVER_ROOT/conf/extra/*.conf
 *     }
 *
 * A brace opens a block at the end of a line, and closes one at its start. A line that ends with a backslash goes on. A
 * comment is a line of its own.
 * Source: src/main/plainconf.cpp of OpenLiteSpeed.
 */
import type { ReadProblem } from '../directive.ts';
import { nestedMax, nodesMax, type LiteSpeedNode, type LiteSpeedRead } from './node.ts';

export interface PlainFile {
  readonly path: string;
  readonly text: string;
}

/** Returns the files that an include in a file names. */
type Included = (pattern: string, from: string) => readonly PlainFile[];

const depthMax = 10;
const includesMax = 20_000;

export function parsePlain(file: PlainFile, included: Included): LiteSpeedRead {
  const reader = new PlainReader(file.path, included);
  reader.read(file, 0);
  return reader.end();
}

type Building = LiteSpeedNode & { readonly children: Building[] };

class PlainReader {
  readonly #included: Included;
  readonly #problems: ReadProblem[] = [];
  readonly #open: Building[];
  #nodes = 0;
  #includes = 0;
  #isStopped = false;

  constructor(path: string, included: Included) {
    this.#included = included;
    this.#open = [{ name: '', value: '', file: path, line: 0, children: [] }];
  }

  end(): LiteSpeedRead {
    const [root, ...unclosed] = this.#open;
    const last = unclosed.at(-1);
    if (last !== undefined) this.#report(last, `the block ${last.name} is not closed`);
    return { root: root as LiteSpeedNode, problems: this.#problems };
  }

  read({ path, text }: PlainFile, depth: number): void {
    const lines = new WholeLines();
    for (const [index, line] of text.split('\n').entries()) {
      const at = { file: path, line: index + 1 };
      const whole = lines.add(line.trim());
      if (this.#isStopped) return;
      if (whole === undefined) continue;
      const include = /^include\s+(\S.*)$/i.exec(whole)?.[1];
      if (include === undefined) this.#statement(whole, at);
      else this.#include(include, at, depth);
    }
    if (lines.isPending) this.#report({ file: path, line: 0 }, 'its last directive does not end');
  }

  #include(pattern: string, at: Place, depth: number): void {
    if (depth === depthMax) this.#stop(at, `more than ${depthMax} files include each other`);
    for (const each of this.#isStopped ? [] : this.#included(pattern, at.file)) {
      if (++this.#includes > includesMax)
        this.#stop(at, `there are more than ${includesMax} includes`);
      if (!this.#isStopped) this.read(each, depth + 1);
    }
  }

  #statement(text: string, at: Place): void {
    let rest = text;
    for (; rest.startsWith('}'); rest = rest.slice(1).trimStart()) {
      if (this.#open.length === 1) this.#stop(at, 'a brace closes no block');
      else this.#open.pop();
    }
    if (rest === '') return;
    const isBlock = rest.endsWith('{');
    const [, name = '', value = ''] =
      /^(\S+)\s*([^]*)$/.exec(isBlock ? rest.slice(0, -1) : rest) ?? [];
    this.#add({ name: name.toLowerCase(), value: value.trim(), ...at, children: [] }, isBlock);
  }

  #add(node: Building, isBlock: boolean): void {
    if (++this.#nodes > nodesMax) this.#stop(node, `there are more than ${nodesMax} directives`);
    if (this.#open.length > nestedMax)
      this.#stop(node, `blocks are nested deeper than ${nestedMax}`);
    if (this.#isStopped) return;
    this.#open.at(-1)?.children.push(node);
    if (isBlock) this.#open.push(node);
  }

  /** Leaves out all that follows, since files that include each other could have far more. */
  #stop(at: Place, message: string): void {
    if (!this.#isStopped) this.#report(at, message);
    this.#isStopped = true;
  }

  #report({ file, line }: Place, message: string): void {
    this.#problems.push({ message, file, ...(line > 0 && { line }) });
  }
}

/** Joins the lines of a directive: those that end with a backslash, and those up to the mark after `<<<`. */
class WholeLines {
  #pending = '';
  #mark: string | undefined;

  get isPending(): boolean {
    return this.#pending !== '';
  }

  /** Returns the directive that the line completes, if it does. */
  add(line: string): string | undefined {
    if (this.#mark !== undefined) return this.#addText(line, this.#mark);
    if (line.startsWith('#') || /^[\s\\]*$/.test(line)) return undefined;
    const begin = line.indexOf('<<<');
    if (begin > 0 && line.length > begin + 3) {
      this.#mark = line.slice(begin + 3).toLowerCase();
      this.#pending += line.slice(0, begin);
      return undefined;
    }
    if (!line.endsWith('\\') || line.endsWith('\\\\')) return this.#take(line);
    this.#pending += line.slice(0, -1);
    return undefined;
  }

  #addText(line: string, mark: string): string | undefined {
    if (line.toLowerCase() !== mark) {
      this.#pending += `${line}\n`;
      return undefined;
    }
    this.#mark = undefined;
    return this.#take('').trimEnd();
  }

  #take(last: string): string {
    const whole = this.#pending + last;
    this.#pending = '';
    return whole;
  }
}

interface Place {
  readonly file: string;
  readonly line: number;
}
