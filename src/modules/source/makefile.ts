/**
 * A makefile evaluated for its variables alone: no rule is followed and no command is run, so that a vendor's makefile
 * can be asked what it builds without trusting it.
 *
 * Work is bounded: characters looked at and written, length of a value, depth of expansion and of includes. What
 * exceeds a bound throws `MakefileError`.
 * Source: GNU make manual, chapters 3, 6 and 7.
 */
import {
  closing,
  comparands,
  findAssignment,
  logicalLines,
  splitArguments,
  takeModifiers,
  withoutComment,
  type Operator,
} from './make-lines.ts';
import { makeFunctions, substitute, words, type MakeScope } from './make-functions.ts';

export { words } from './make-functions.ts';

const workMax = 20_000_000;
const valueLengthMax = 1_000_000;
const depthMax = 200;
const includeDepthMax = 16;
const rulesMax = 5000;
/** Stands in values for what a command would have printed, until a decision is made on it. */
const unknown = '\u0002';

/** A makefile that asks for more than a build needs. */
export class MakefileError extends Error {}

/** How the makefile sees files; names as it writes them. */
export interface MakeFiles {
  read(path: string): string | undefined;
  exists(path: string): boolean;
  matching(pattern: string): readonly string[];
}

interface Variable {
  /** Expanded when it is used (`=`), or already (`:=`). */
  readonly recursive: boolean;
  readonly value: string;
}

/** A rule of which only the names are kept; `%` as it was written. */
export interface MakeRule {
  readonly targets: readonly string[];
  readonly prerequisites: readonly string[];
}

export class Makefile implements MakeScope {
  readonly #variables = new Map<string, Variable>();
  readonly #files: MakeFiles;
  readonly #expanding = new Set<string>();
  readonly #shells = new Set<string>();
  readonly #settings = new Set<string>();
  readonly #rules: MakeRule[] = [];
  readonly exported = new Set<string>();
  #commandsDecide = false;
  #work = 0;
  #depth = 0;
  #includeDepth = 0;

  constructor(files: MakeFiles, variables: Iterable<readonly [string, string]>) {
    this.#files = files;
    for (const [name, value] of variables) this.#variables.set(name, { recursive: false, value });
  }

  /** Commands that were to be run for a value, if what is built depends on one; each was taken to print nothing. */
  get decidingCommands(): readonly string[] {
    return this.#commandsDecide ? [...this.#shells] : [];
  }

  get rules(): readonly MakeRule[] {
    return this.#rules;
  }

  addRule(text: string): void {
    if (this.#rules.length >= rulesMax) return;
    const parts = this.expand(text).split(/::?/).map(words);
    const targets = parts[0] ?? [];
    this.#rules.push({ targets, prerequisites: parts.slice(1).flat() });
  }

  /** The value on which something is decided: without what commands would have printed. */
  decided(value: string): string {
    if (!value.includes(unknown)) return value;
    this.#commandsDecide = true;
    return value.replaceAll(unknown, '');
  }

  /** The words of a variable that decides what is built. */
  list(name: string): readonly string[] {
    return words(this.decided(this.get(name)));
  }

  /** `CONFIG_…` that were asked for and are not set. */
  get unsetSettings(): readonly string[] {
    return [...this.#settings];
  }

  charge(characters: number): void {
    this.#work += characters;
    if (this.#work > workMax) throw new MakefileError('takes more work than any makefile should');
  }

  noteShell(command: string): string {
    if (this.#shells.size < 100) this.#shells.add(command.slice(0, 200));
    return unknown;
  }

  exists(path: string): boolean {
    return this.#files.exists(path);
  }

  matching(pattern: string): readonly string[] {
    this.charge(pattern.length + 100);
    if (this.#files.exists(pattern)) return [pattern];
    const found = this.#files.matching(pattern);
    this.charge(found.length);
    return found;
  }

  has(name: string): boolean {
    return this.#variables.has(name);
  }

  raw(name: string): string {
    const variable = this.#variables.get(name);
    if (variable === undefined && name.startsWith('CONFIG_')) this.#settings.add(name);
    return variable?.value ?? '';
  }

  get(name: string): string {
    const value = this.raw(name);
    if (this.#variables.get(name)?.recursive !== true) {
      this.charge(value.length);
      return value;
    }
    if (this.#expanding.has(name)) return '';
    this.#expanding.add(name);
    try {
      return this.expand(value);
    } finally {
      this.#expanding.delete(name);
    }
  }

  bound<T>(names: Readonly<Record<string, string>>, run: () => T): T {
    const before = Object.keys(names).map((name) => [name, this.#variables.get(name)] as const);
    for (const [name, value] of Object.entries(names)) {
      this.#variables.set(name, { recursive: false, value });
    }
    try {
      return run();
    } finally {
      for (const [name, variable] of before) {
        if (variable === undefined) this.#variables.delete(name);
        else this.#variables.set(name, variable);
      }
    }
  }

  assign(name: string, operator: Operator, text: string): void {
    const old = this.#variables.get(name);
    switch (operator) {
      case '?=':
        if (old === undefined) this.#store(name, true, text);
        return;
      case '+=':
        if (old === undefined) this.#store(name, true, text);
        else {
          const added = old.recursive ? text : this.expand(text);
          this.#store(name, old.recursive, old.value === '' ? added : `${old.value} ${added}`);
        }
        return;
      case ':=':
        this.#store(name, false, this.expand(text));
        return;
      case '=':
        this.#store(name, true, text);
    }
  }

  #store(name: string, recursive: boolean, value: string): void {
    this.charge(value.length);
    if (value.length > valueLengthMax) throw new MakefileError('has a value without end');
    this.#variables.set(name, { recursive, value });
  }

  undefine(name: string): void {
    this.#variables.delete(name);
  }

  expand(text: string): string {
    if (!text.includes('$')) return text;
    if (++this.#depth > depthMax) throw new MakefileError('nests its values too deep');
    this.charge(text.length);
    const parts: string[] = [];
    let length = 0;
    for (let at = 0; at < text.length;) {
      const dollar = text.indexOf('$', at);
      const plainEnd = dollar < 0 ? text.length : dollar;
      const [part, next] = dollar < 0 ? ['', text.length] : this.#reference(text, dollar);
      parts.push(text.slice(at, plainEnd), part);
      length += plainEnd - at + part.length;
      if (length > valueLengthMax) throw new MakefileError('has a value without end');
      at = next;
    }
    this.charge(length);
    this.#depth--;
    return parts.join('');
  }

  /** The value of the reference that starts at `$`, and where it ends. */
  #reference(text: string, dollar: number): readonly [value: string, next: number] {
    const open = text[dollar + 1];
    if (open === undefined) return ['', dollar + 1];
    if (open === '$') return ['$', dollar + 2];
    if (open !== '(' && open !== '{') return [this.get(open), dollar + 2];
    const end = closing(text, dollar + 1, open);
    this.charge(end - dollar);
    return [this.#value(text.slice(dollar + 2, end)), end + 1];
  }

  #value(body: string): string {
    const called = /^([a-z-]+)[ \t\n]+/.exec(body);
    const run = called === null ? undefined : makeFunctions.get(called[1]!);
    if (run !== undefined) return run(this, body.slice(called![0].length));
    const name = this.expand(body);
    const colon = name.indexOf(':');
    const equals = colon < 0 ? -1 : name.indexOf('=', colon);
    if (colon <= 0 || equals < 0) return this.get(name);
    const bare = !name.slice(colon + 1, equals).includes('%');
    const [pattern, replacement] = [name.slice(colon + 1, equals), name.slice(equals + 1)].map(
      (each) => (bare ? `%${each}` : each),
    );
    const list = words(this.get(name.slice(0, colon)));
    this.charge(list.length * (replacement!.length + 1));
    return list.map((word) => substitute(pattern!, replacement!, word)).join(' ');
  }

  split(text: string, max = Infinity): readonly string[] {
    this.charge(text.length);
    return splitArguments(text, max);
  }

  evaluate(text: string): void {
    this.charge(text.length);
    if (++this.#includeDepth > includeDepthMax) {
      throw new MakefileError('includes makefiles without end');
    }
    new Statements(this).run(text);
    this.#includeDepth--;
  }

  include(path: string): void {
    this.charge(path.length + 100);
    const text = this.#files.read(path);
    if (text !== undefined) this.evaluate(text);
  }
}

interface Condition {
  /** Whether the lines below are read. */
  on: boolean;
  /** Whether one branch was taken, or none may be. */
  done: boolean;
}

/** Reads the lines of one makefile, in order. */
class Statements {
  readonly #makefile: Makefile;
  readonly #conditions: Condition[] = [];
  #definition: { readonly name: string; readonly lines: string[]; depth: number } | undefined;
  #inRule = false;

  constructor(makefile: Makefile) {
    this.#makefile = makefile;
  }

  run(text: string): void {
    for (const line of logicalLines(text)) {
      this.#makefile.charge(line.length + 1);
      if (this.#definition === undefined) this.#line(line);
      else this.#definitionLine(line);
    }
  }

  get #active(): boolean {
    return this.#conditions.at(-1)?.on ?? true;
  }

  #line(line: string): void {
    const trimmed = line.trimStart();
    const conditional = /^(ifn?eq|ifn?def|else|endif)\b\s*(.*)$/s.exec(trimmed);
    if (conditional !== null) {
      this.#conditional(conditional[1]!, withoutComment(conditional[2]!));
      return;
    }
    if (!this.#active || (line.startsWith('\t') && this.#inRule)) return;
    const statement = withoutComment(trimmed);
    if (statement !== '') this.#statement(statement);
  }

  #conditional(keyword: string, rest: string): void {
    if (keyword === 'endif') this.#conditions.pop();
    else if (keyword === 'else') this.#otherwise(rest);
    else {
      if (this.#conditions.length > 1000) throw new MakefileError('nests conditions without end');
      const on = this.#active && this.#holds(keyword, rest);
      this.#conditions.push({ on, done: on || !this.#active });
    }
  }

  #otherwise(rest: string): void {
    const condition = this.#conditions.at(-1);
    if (condition === undefined) return;
    if (condition.done) {
      condition.on = false;
      return;
    }
    const again = /^(ifn?eq|ifn?def)\b\s*(.*)$/s.exec(rest);
    condition.on = again === null || this.#holds(again[1]!, again[2]!);
    condition.done = condition.on;
  }

  #holds(keyword: string, rest: string): boolean {
    if (keyword.endsWith('def')) {
      const value = this.#makefile.decided(this.#makefile.raw(this.#makefile.expand(rest).trim()));
      return (value !== '') === (keyword === 'ifdef');
    }
    const [left, right] = comparands(rest).map((each) =>
      this.#makefile.decided(this.#makefile.expand(each)).trim(),
    );
    return (left === right) === (keyword === 'ifeq');
  }

  #statement(statement: string): void {
    const include = /^(?:-include|include|sinclude)\s+(.*)$/s.exec(statement);
    if (include !== null) {
      for (const path of words(this.#makefile.expand(include[1]!))) this.#makefile.include(path);
      return;
    }
    const [modifiers, rest] = takeModifiers(statement);
    const definition = /^define\s+(\S+)/.exec(rest);
    if (definition !== null) {
      this.#definition = { name: this.#makefile.expand(definition[1]!), lines: [], depth: 0 };
    } else if (modifiers.includes('undefine')) {
      this.#makefile.undefine(this.#makefile.expand(rest).trim());
    } else this.#assignmentOrRule(modifiers.includes('export'), rest);
  }

  #assignmentOrRule(exported: boolean, statement: string): void {
    const found = findAssignment(statement);
    if (found.kind === 'rule') {
      this.#inRule = true;
      this.#makefile.addRule(statement);
    } else if (found.kind === 'assignment') {
      const name = this.#makefile.expand(statement.slice(0, found.start)).trim();
      this.#inRule = false;
      if (exported) this.#makefile.exported.add(name);
      this.#makefile.assign(name, found.operator, statement.slice(found.end).trimStart());
    } else if (exported) {
      for (const name of words(this.#makefile.expand(statement))) this.#makefile.exported.add(name);
    } else if (statement.startsWith('$')) this.#makefile.expand(statement);
  }

  #definitionLine(line: string): void {
    const definition = this.#definition!;
    if (/^\s*define\b/.test(line)) definition.depth++;
    if (/^\s*endef\b/.test(line) && definition.depth-- === 0) {
      this.#makefile.assign(definition.name, '=', definition.lines.join('\n'));
      this.#definition = undefined;
    } else definition.lines.push(line);
  }
}
