/**
 * Whether two kernel modules are the same program: one that was shipped and one that was built
 * again.
 *
 * The comparison covers what the processor and the loader will see: sections by name, their bytes,
 * flags and sizes, and relocations by their targets. Sections that describe a build rather than the
 * program are left out: `ignoredSections` names them. `.modinfo` is compared separately, entry by
 * entry.
 */
import { printable } from '../../../base/printable.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { FormatError, bytesAsText, type FormatProblem } from '../elf/bytes.ts';
import { changedSymbols, isRelocation, NameBudget, symbolAt } from './compare-symbols.ts';
import { sectionTypes, type Relocation, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';

/** Sections that are not compared, for people. */
const ignoredSections = [
  '.modinfo (compared separately)',
  '__versions',
  '.symtab, .strtab, .shstrtab',
  '.comment',
  '.BTF, .BTF_ids',
  '.debug*',
  '.note.gnu.build-id',
] as const;
const ignored =
  /^(?:\.rela?)?(?:\.modinfo|__versions|\.symtab|\.strtab|\.shstrtab|\.comment|\.BTF.*|\.debug.*|\.note\.gnu\.build-id)$/;
/** Entries of `.modinfo` that describe the build, not the module. */
const buildTags = ['intree', 'vermagic', 'srcversion', 'build_salt'] as const;

export interface Comparison {
  /** Whether no compared section differs. */
  readonly same: boolean;
  /** The amount that was compared. */
  readonly compared: {
    /** The number of sections. */
    readonly sections: number;
    /** The number of bytes. */
    readonly bytes: number;
    /** The number of relocations. */
    readonly relocations: number;
  };
  /** Differences in the order of the first module's sections, at most `differencesMax`. */
  readonly differences: readonly Difference[];
  /** The number of differences beyond those listed. */
  readonly furtherDifferences: number;
  /** Functions and data objects that are not the same, at most `changedSymbolsMax`. */
  readonly changed: readonly string[];
  /** Differences in `.modinfo`, which do not affect `same`. */
  readonly modinfo: readonly ModinfoDifference[];
  /** The names of sections that were not compared. */
  readonly ignored: readonly string[];
}

interface Difference {
  /** The kind of difference; `kind` is the section's type. */
  readonly kind: 'only in the first' | 'only in the second' | 'kind' | 'size' | 'bytes' | 'target';
  /** The name of the section. */
  readonly section: string;
  /**
   * The offset of the first difference in the loaded section; undefined where there is no such
   * place.
   */
  readonly offset: number | undefined;
  /** The function or object that the offset lies in, in the first module, else in the second. */
  readonly symbol: string | undefined;
  readonly message: string;
}

interface ModinfoDifference {
  /** The entry of `.modinfo`: `TAG=VALUE`. */
  readonly entry: string;
  /** The module that has the entry. */
  readonly onlyIn: 'the first' | 'the second';
}

const differencesMax = 50;
const modinfoDifferencesMax = 50;

/** Compares two modules; fails with the place where one of them makes no sense. */
export function compareModules(a: Elf, b: Elf): Result<Comparison, FormatProblem> {
  try {
    checkOverlap(a);
    checkOverlap(b);
    return ok(compare(a, b));
  } catch (error) {
    if (error instanceof FormatError) return fail({ message: error.message, offset: error.offset });
    throw error;
  }
}

/**
 * Throws if sections overlap, which would make the comparison quadratic; no build lays them out so.
 */
function checkOverlap(elf: Elf): void {
  let bytes = 0;
  for (const section of elf.sections) {
    if (section.type === sectionTypes.null || section.type === sectionTypes.nobits) continue;
    bytes += section.size;
    if (bytes > elf.view.length) {
      throw new FormatError('has sections that overlap', section.headerOffset);
    }
  }
}

function compare(a: Elf, b: Elf): Comparison {
  const pairs = pairSections(a, b);
  const comparer = new Comparer(a, b);
  const differences = pairs.flatMap((pair) => comparer.compare(pair) ?? []);
  const header = compareHeaders(a, b);
  if (header !== undefined) differences.unshift(header);
  return {
    same: differences.length === 0,
    compared: { sections: pairs.length, bytes: comparer.bytes, relocations: comparer.relocations },
    differences: differences.slice(0, differencesMax),
    furtherDifferences: Math.max(0, differences.length - differencesMax),
    changed: differences.length === 0 ? [] : changedSymbols(a, b),
    modinfo: compareModinfo(a, b),
    ignored: ignoredSections,
  };
}

function compareHeaders(a: Elf, b: Elf): Difference | undefined {
  const same =
    a.bits === b.bits &&
    a.type === b.type &&
    a.machine === b.machine &&
    a.view.littleEndian === b.view.littleEndian;
  if (same) return undefined;
  return difference('kind', 'ELF header', 'The two are for different machines');
}

interface Pair {
  readonly name: string;
  readonly a: Section | undefined;
  readonly b: Section | undefined;
}

/** Pairs sections of one name in their order: nothing hides behind a second `.text`. */
function pairSections(a: Elf, b: Elf): readonly Pair[] {
  const ofB = Map.groupBy(comparedSections(b), ({ name }) => name);
  const taken = new Map<string, number>();
  const pairs = comparedSections(a).map((section): Pair => {
    const at = taken.get(section.name) ?? 0;
    taken.set(section.name, at + 1);
    return { name: section.name, a: section, b: ofB.get(section.name)?.[at] };
  });
  for (const [name, sections] of ofB) {
    for (const each of sections.slice(taken.get(name) ?? 0)) {
      pairs.push({ name, a: undefined, b: each });
    }
  }
  return pairs;
}

const comparedSections = (elf: Elf): Section[] =>
  elf.sections.filter(({ type, name }) => type !== sectionTypes.null && !ignored.test(name));

class Comparer {
  readonly #a: Elf;
  readonly #b: Elf;
  readonly #targetsOfA: Targets;
  readonly #targetsOfB: Targets;
  bytes = 0;
  relocations = 0;
  #located = 0;

  constructor(a: Elf, b: Elf) {
    this.#a = a;
    this.#b = b;
    this.#targetsOfA = new Targets(a);
    this.#targetsOfB = new Targets(b);
  }

  compare({ name, a, b }: Pair): Difference | undefined {
    if (b === undefined) {
      return difference('only in the first', name, `Section ${name} is missing in the second`);
    }
    if (a === undefined) {
      return difference('only in the second', name, `Section ${name} is missing in the first`);
    }
    if (a.type !== b.type || a.flags !== b.flags || a.entryBytes !== b.entryBytes) {
      return difference('kind', name, `Section ${name} has another type or other flags`);
    }
    return isRelocation(a) ? this.#compareRelocations(a, b) : this.#compareBytes(a, b);
  }

  #compareBytes(a: Section, b: Section): Difference | undefined {
    const offset = firstDifference(this.#a.data(a), this.#b.data(b));
    this.bytes += Math.min(a.size, b.size);
    const strings = offset === undefined ? '' : this.#strings(a, b, offset);
    if (a.size !== b.size) {
      const sizes = `${a.size} and ${b.size} bytes${strings}`;
      return this.#locate('size', a, b, offset ?? Math.min(a.size, b.size), sizes);
    }
    return offset === undefined
      ? undefined
      : this.#locate('bytes', a, b, offset, `other bytes${strings}`);
  }

  /** Returns the two texts at the first difference; none where a section holds no text. */
  #strings(a: Section, b: Section, offset: number): string {
    if (!holdsStrings(a)) return '';
    const [left, right] = [stringAt(this.#a.data(a), offset), stringAt(this.#b.data(b), offset)];
    return left === right ? '' : `, "${left}" and "${right}"`;
  }

  #compareRelocations(a: Section, b: Section): Difference | undefined {
    const [changedA, changedB] = [this.#a.sections[a.info], this.#b.sections[b.info]];
    if (changedA?.name !== changedB?.name) {
      return difference('kind', a.name, `Section ${a.name} relocates another section`);
    }
    const ofB = this.#b.relocations(b);
    for (const left of this.#a.relocations(a)) {
      const next = ofB.next();
      const right = next.done === true ? undefined : next.value;
      this.relocations++;
      if (right === undefined || !this.#sameRelocation(left, right)) {
        const text = this.#describeTargets(left, right);
        return this.#locate('target', changedA ?? a, changedB ?? b, left.offset, text, a.name);
      }
    }
    const more = ofB.next();
    if (more.done === true) return undefined;
    const text = this.#describeTargets(undefined, more.value);
    return this.#locate('target', changedA ?? a, changedB ?? b, more.value.offset, text, a.name);
  }

  #sameRelocation(a: Relocation, b: Relocation): boolean {
    return (
      a.offset === b.offset &&
      a.type === b.type &&
      a.addend === b.addend &&
      this.#targetsOfA.of(a.symbol) === this.#targetsOfB.of(b.symbol)
    );
  }

  #describeTargets(a: Relocation | undefined, b: Relocation | undefined): string {
    const left = a === undefined ? 'nothing' : this.#targetsOfA.describe(a);
    const right = b === undefined ? 'nothing' : this.#targetsOfB.describe(b);
    if (a === undefined || b === undefined || left !== right)
      return `${left} in the first, ${right} in the second`;
    return a.offset === b.offset
      ? `${left} in both, by symbols that differ`
      : `${left} in both, at offset ${a.offset} in the first and ${b.offset} in the second`;
  }

  #locate(
    kind: Difference['kind'],
    a: Section,
    b: Section,
    offset: number,
    text: string,
    section = a.name,
  ): Difference {
    const listed = ++this.#located <= differencesMax;
    const symbol = listed
      ? (symbolAt(this.#a, a, offset) ?? symbolAt(this.#b, b, offset))
      : undefined;
    const where = symbol === undefined ? '' : ` (in ${symbol})`;
    const message = `Section ${section} differs at offset ${offset}${where}: ${text}`;
    return { kind, section, offset, symbol, message };
  }
}

function difference(kind: Difference['kind'], section: string, message: string): Difference {
  return { kind, section, offset: undefined, symbol: undefined, message };
}

const stringCharactersMax = 120;
const stringsFlag = 0x20;

const holdsStrings = ({ flags, name }: Section): boolean =>
  (flags & stringsFlag) !== 0 || name.startsWith('.rodata.str');

/** Returns the string around an offset, shortened if it is long. */
function stringAt(data: Uint8Array, offset: number): string {
  const start = data.lastIndexOf(0, Math.max(0, offset - 1)) + 1;
  const from = Math.max(start, offset - stringCharactersMax / 2);
  const end = data.indexOf(0, offset);
  const to = Math.min(end < 0 ? data.length : end, from + stringCharactersMax);
  return printable(bytesAsText(data.subarray(from, Math.max(from, to))));
}

/**
 * Returns the offset of the first byte that differs in the length both have; undefined if there is
 * none.
 */
function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return at;
  return undefined;
}

/** The targets of relocations, as texts that are equal for the same thing in two files. */
class Targets {
  readonly #elf: Elf;
  readonly #table: Section | undefined;
  readonly #cache = new Map<number, string>();
  readonly #budget: NameBudget;

  constructor(elf: Elf) {
    this.#elf = elf;
    this.#table = elf.symbolTable;
    this.#budget = new NameBudget(this.#table?.offset ?? 0);
  }

  /**
   * Returns the text for a symbol: another module's by its name, this module's by its place and its
   * name.
   */
  of(index: number): string {
    const known = this.#cache.get(index);
    if (known !== undefined) return known;
    const target = this.#read(index);
    this.#budget.spend(target);
    this.#cache.set(index, target);
    return target;
  }

  #read(index: number): string {
    if (index === 0) return '*nothing*';
    if (this.#table === undefined) throw new FormatError('has relocations but no symbols', 0);
    const symbol = this.#elf.symbol(this.#table, index);
    const section = this.#elf.sections[symbol.section];
    if (symbol.section === 0) return `${symbol.name}/${symbol.binding}`;
    return `${symbol.name}@${section?.name ?? `index ${symbol.section}`}+${symbol.value}`;
  }

  describe({ type, symbol, addend }: Relocation): string {
    const sign = addend < 0 ? '-' : '+';
    const target = this.of(symbol)
      .replace(/\/\d+$/, '')
      .slice(0, 200);
    return `${target} ${sign} ${Math.abs(addend)} (type ${type})`;
  }
}

function compareModinfo(a: Elf, b: Elf): readonly ModinfoDifference[] {
  const [ofA, ofB] = [modinfoEntries(a), modinfoEntries(b)];
  const only = (
    these: ReadonlySet<string>,
    others: ReadonlySet<string>,
    onlyIn: ModinfoDifference['onlyIn'],
  ): ModinfoDifference[] =>
    [...these].filter((entry) => !others.has(entry)).map((entry) => ({ entry, onlyIn }));
  return [...only(ofA, ofB, 'the first'), ...only(ofB, ofA, 'the second')].slice(
    0,
    modinfoDifferencesMax,
  );
}

function modinfoEntries(elf: Elf): ReadonlySet<string> {
  const section = elf.section('.modinfo');
  if (section === undefined) return new Set();
  const entries = bytesAsText(elf.data(section)).split('\0');
  return new Set(entries.filter((entry) => entry !== '' && !isBuildTag(entry)));
}

const isBuildTag = (entry: string): boolean => buildTags.some((tag) => entry.startsWith(`${tag}=`));
