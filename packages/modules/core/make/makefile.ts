/**
 * A makefile evaluated only for its variables. It follows no rule and runs no command, so a
 * vendor's makefile can show what it builds without being trusted.
 *
 * Work is bounded: characters read and written, length of a value, depth of expansion and of
 * includes. Exceeding a bound throws `MakefileError`. Source: GNU make manual, chapters 3, 6 and 7.
 */
import { closing, splitArguments, type Operator } from './make-lines.ts';
import { MakefileError, nothing, union, unknownsMax, type Unknowns } from './make-unknowns.ts';
import { Statements, type StatementScope } from './make-statements.ts';
import type { CommandResponse } from './make-commands.ts';
import { makeFunctions, substitute, makeWords, type MakeScope } from './make-functions.ts';

export { MakefileError, type Unknowns } from './make-unknowns.ts';

const workMax = 20_000_000;
const valueLengthMax = 1_000_000;
const depthMax = 200;
const includeDepthMax = 16;
const rulesMax = 5000;

/** Files as the makefile sees them; names as it writes them. */
interface MakeFiles {
  read(path: string): string | undefined;
  exists(path: string): boolean;
  matching(pattern: string): readonly string[];
}

interface Variable {
  /** Whether it is expanded when it is used (`=`), or already was (`:=`). */
  readonly recursive: boolean;
  readonly value: string;
}

/** The names of a rule; `%` as it was written. */
interface MakeRule {
  readonly targets: readonly string[];
  readonly prerequisites: readonly string[];
}

/** Facts known besides the makefile. */
export interface MakeSettings {
  /** Whether a variable without a value is known to have none. */
  isKnownUnset(name: string): boolean;
  /** Whether a makefile that is not there is missing in every build. */
  isKnownMissing(path: string): boolean;
  /** Returns a command's output; undefined if the command would have to be run. */
  answer(command: string): CommandResponse | undefined;
}

/**
 * A makefile and its values. Unknown facts are followed to everything that depends on them: a
 * variable that nothing sets, a command that is not run. So are the variables that such a condition
 * decides on, whichever branch is taken here.
 */
export class Makefile implements MakeScope, StatementScope {
  readonly #variables = new Map<string, Variable>();
  readonly #files: MakeFiles;
  readonly #expanding = new Set<string>();
  readonly #settings: MakeSettings;
  /** Variables whose value depends on something unknown. */
  readonly #open = new Map<string, Unknowns>();
  /** The certain part of such a variable's text. */
  readonly #settled = new Map<string, string>();
  /** Unknown facts because of which an included or evaluated text may be anything. */
  readonly #everythingOpen = new Set<string>();
  /** Unknown facts met while something was expanded. */
  #met = new Set<string>();
  /** Unknown facts that decide on the lines that are being read. */
  #region: Unknowns = nothing;
  readonly #rules: MakeRule[] = [];
  readonly exported = new Set<string>();
  #work = 0;
  #depth = 0;
  #includeDepth = 0;

  constructor(
    files: MakeFiles,
    variables: Iterable<readonly [string, string]>,
    settings: MakeSettings,
  ) {
    this.#files = files;
    this.#settings = settings;
    for (const [name, value] of variables) this.#variables.set(name, { recursive: false, value });
  }

  get rules(): readonly MakeRule[] {
    return this.#rules;
  }

  addRule(text: string): void {
    if (this.#rules.length >= rulesMax) return;
    const parts = this.expand(text).split(/::?/).map(makeWords);
    const targets = parts[0] ?? [];
    this.#rules.push({ targets, prerequisites: parts.slice(1).flat() });
  }

  /**
   * Returns the words of a variable that decides what is built; none when there is no such
   * variable.
   */
  list(name: string): readonly string[] {
    return this.#variables.has(name) ? makeWords(this.get(name)) : [];
  }

  /** Returns the unknown facts that a variable's value depends on. */
  unknownsOf(name: string): Unknowns {
    const [, met] = this.watched(() => this.list(name));
    return union(met, this.#open.get(name), this.#everythingOpen);
  }

  /** Returns the words that a variable has in any case. */
  certainWordsOf(name: string): readonly string[] {
    if (this.#everythingOpen.size > 0) return [];
    const [value, met] = this.watched(() => this.expand(this.#certainText(name) ?? ''));
    return met.size > 0 ? [] : makeWords(value);
  }

  #certainText(name: string): string | undefined {
    return this.#open.has(name) ? this.#settled.get(name) : this.#variables.get(name)?.value;
  }

  /** Runs code and returns the unknown facts it met. */
  watched<T>(run: () => T): readonly [T, Unknowns] {
    const outer = this.#met;
    const own = new Set<string>();
    this.#met = own;
    try {
      return [run(), own];
    } finally {
      this.#met = outer;
      for (const each of own) this.#meet(each);
    }
  }

  #meet(what: string): void {
    if (this.#met.size < unknownsMax) this.#met.add(what);
  }

  get region(): Unknowns {
    return this.#region;
  }

  /** Runs code under the conditions that decide whether it is read. */
  within<T>(region: Unknowns, run: () => T): T {
    const outer = this.#region;
    this.#region = region;
    try {
      return run();
    } finally {
      this.#region = outer;
    }
  }

  /** Notes a variable that would be set if unknown facts were otherwise. */
  leaveOpen(name: string, unknowns: Unknowns, operator?: Operator): void {
    this.#leaveOpen(name, unknowns, operator === '+=' ? this.#certainText(name) : undefined);
  }

  #leaveOpen(name: string, unknowns: Unknowns, settled: string | undefined): void {
    this.charge(name.length + unknowns.size);
    if (settled === undefined) this.#settled.delete(name);
    else this.#settled.set(name, settled);
    this.#open.set(name, union(unknowns, this.#open.get(name)));
  }

  leaveEverythingOpen(unknowns: Unknowns): void {
    for (const each of unknowns) {
      if (this.#everythingOpen.size < unknownsMax) this.#everythingOpen.add(each);
    }
  }

  charge(characters: number): void {
    this.#work += characters;
    if (this.#work > workMax) throw new MakefileError('takes more work than any makefile should');
  }

  noteShell(command: string): string {
    const answer = this.#settings.answer(command);
    if (answer?.certain !== true) this.#meet(`the command "${command.slice(0, 200)}"`);
    return answer?.output ?? '';
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
    const has = this.#variables.has(name);
    this.#meetVariable(name, has);
    return has;
  }

  raw(name: string): string {
    const variable = this.#variables.get(name);
    this.#meetVariable(name, variable !== undefined);
    return variable?.value ?? '';
  }

  #meetVariable(name: string, isSet: boolean): void {
    const open = this.#open.get(name);
    for (const each of open ?? nothing) this.#meet(each);
    if (isSet || open !== undefined) return;
    if (/^[\w.-]{1,100}$/.test(name) && !this.#settings.isKnownUnset(name)) {
      this.#meet(`the variable "${name}"`);
    }
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
    const before = operator === '+=' ? this.#certainText(name) : undefined;
    const [, met] = this.watched(() => this.#assign(name, operator, text));
    if (operator === ':=' || operator === '=') this.#open.delete(name);
    const unknowns = union(met, this.#region);
    if (unknowns.size > 0) this.#leaveOpen(name, unknowns, before);
  }

  #assign(name: string, operator: Operator, text: string): void {
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
    this.leaveOpen(name, this.#region);
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

  /** Returns the value of the reference that starts at `$`, and where it ends. */
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
    const list = makeWords(this.get(name.slice(0, colon)));
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
    else if (!this.#settings.isKnownMissing(path)) {
      this.leaveEverythingOpen(new Set([`the makefile "${path}"`]));
    }
  }
}
