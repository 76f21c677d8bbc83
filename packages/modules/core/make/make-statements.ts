/**
 * The lines of one makefile, in order: the variables they set, and those they would set if unknown
 * facts were otherwise.
 */
import {
  comparands,
  findAssignment,
  logicalLines,
  takeModifiers,
  withoutComment,
  type Operator,
} from './make-lines.ts';
import { makeWords } from './make-functions.ts';
import { MakefileError, union, type Unknowns } from './make-unknowns.ts';

interface Condition {
  /** Whether the lines below are read. */
  on: boolean;
  /** Whether one branch was taken, or none may be. */
  done: boolean;
  /** Whether the lines below are not read for certain. */
  never: boolean;
  /** Unknown facts that it depends on, including its surrounding conditions'. */
  unknowns: Unknowns;
  /** Whether one branch was taken and depends on nothing unknown. */
  settled: boolean;
}

/** The variables, rules and unknown facts that lines change. */
export interface StatementScope {
  readonly exported: Set<string>;
  /** Unknown facts that decide on the lines that are being read. */
  readonly region: Unknowns;
  addRule(text: string): void;
  assign(name: string, operator: Operator, text: string): void;
  /** Accounts for work; throws when there was too much of it. */
  charge(characters: number): void;
  expand(text: string): string;
  include(path: string): void;
  leaveEverythingOpen(unknowns: Unknowns): void;
  /** Notes a variable that would be set if unknown facts were otherwise. */
  leaveOpen(name: string, unknowns: Unknowns, operator?: Operator): void;
  raw(name: string): string;
  undefine(name: string): void;
  /** Runs code and returns the unknown facts it met. */
  watched<T>(run: () => T): readonly [T, Unknowns];
  /** Runs code under the conditions that decide whether it is read. */
  within<T>(region: Unknowns, run: () => T): T;
}

/** Reads the lines of one makefile, in order. */
export class Statements {
  readonly #makefile: StatementScope;
  readonly #conditions: Condition[] = [];
  #definition: { readonly name: string; readonly lines: string[]; depth: number } | undefined;
  #inRule = false;

  readonly #around: Unknowns;

  constructor(makefile: StatementScope) {
    this.#makefile = makefile;
    this.#around = makefile.region;
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

  get #unknowns(): Unknowns {
    return this.#conditions.at(-1)?.unknowns ?? this.#around;
  }

  get #never(): boolean {
    return this.#conditions.at(-1)?.never ?? false;
  }

  #line(line: string): void {
    const trimmed = line.trimStart();
    const conditional = /^(ifn?eq|ifn?def|else|endif)\b\s*(.*)$/s.exec(trimmed);
    if (conditional !== null) {
      this.#conditional(conditional[1]!, withoutComment(conditional[2]!));
      return;
    }
    if (this.#never || (line.startsWith('\t') && this.#inRule)) return;
    const statement = withoutComment(trimmed);
    if (statement === '') return;
    if (this.#active) this.#makefile.within(this.#unknowns, () => this.#statement(statement));
    else this.#skipped(statement);
  }

  /** Notes a statement whose effect depends on something unknown. */
  #skipped(statement: string): void {
    const [, rest] = takeModifiers(statement);
    if (/^(?:-include|include|sinclude)\s|^\$[({]eval\b/.test(rest)) {
      this.#makefile.leaveEverythingOpen(this.#unknowns);
      return;
    }
    const found = findAssignment(rest);
    const name =
      found.kind === 'assignment' ? rest.slice(0, found.start) : /^define\s+(\S+)/.exec(rest)?.[1];
    if (name === undefined) return;
    const operator = found.kind === 'assignment' ? found.operator : undefined;
    this.#makefile.leaveOpen(this.#makefile.expand(name).trim(), this.#unknowns, operator);
  }

  #conditional(keyword: string, rest: string): void {
    if (keyword === 'endif') this.#conditions.pop();
    else if (keyword === 'else') this.#otherwise(rest);
    else {
      if (this.#conditions.length > 1000) throw new MakefileError('nests conditions without end');
      this.#begin(keyword, rest);
    }
  }

  #begin(keyword: string, rest: string): void {
    const [around, active, dead] = [this.#unknowns, this.#active, this.#never];
    const condition = { on: false, done: true, never: dead, unknowns: around, settled: dead };
    this.#conditions.push(condition);
    if (active) this.#decide(condition, keyword, rest);
  }

  #decide(condition: Condition, keyword: string, rest: string): void {
    const [holds, met] = this.#makefile.watched(() => this.#holds(keyword, rest));
    condition.unknowns = union(condition.unknowns, met);
    condition.on = condition.done = holds;
    condition.never = !holds && met.size === 0;
    condition.settled = holds && met.size === 0;
  }

  #otherwise(rest: string): void {
    const condition = this.#conditions.at(-1);
    if (condition === undefined) return;
    if (condition.done) {
      condition.on = false;
      condition.never ||= condition.settled;
      return;
    }
    const again = /^(ifn?eq|ifn?def)\b\s*(.*)$/s.exec(rest);
    if (again === null) Object.assign(condition, { on: true, done: true, never: false });
    else this.#decide(condition, again[1]!, again[2]!);
  }

  #holds(keyword: string, rest: string): boolean {
    if (keyword.endsWith('def')) {
      const value = this.#makefile.raw(this.#makefile.expand(rest).trim());
      return (value !== '') === (keyword === 'ifdef');
    }
    const [left, right] = comparands(rest).map((each) => this.#makefile.expand(each).trim());
    return (left === right) === (keyword === 'ifeq');
  }

  #statement(statement: string): void {
    const include = /^(?:-include|include|sinclude)\s+(.*)$/s.exec(statement);
    if (include !== null) {
      const [paths, met] = this.#makefile.watched(() =>
        makeWords(this.#makefile.expand(include[1]!)),
      );
      this.#makefile.leaveEverythingOpen(met);
      for (const path of paths) this.#makefile.include(path);
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
      const spelled = statement.slice(0, found.start);
      const [name, met] = this.#makefile.watched(() => this.#makefile.expand(spelled).trim());
      this.#inRule = false;
      if (exported) this.#makefile.exported.add(name);
      this.#makefile.assign(name, found.operator, statement.slice(found.end).trimStart());
      if (met.size === 0) return;
      this.#makefile.leaveOpen(name, met);
      if (spelled.startsWith('$')) this.#makefile.leaveEverythingOpen(met);
    } else if (exported) {
      for (const name of makeWords(this.#makefile.expand(statement)))
        this.#makefile.exported.add(name);
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
