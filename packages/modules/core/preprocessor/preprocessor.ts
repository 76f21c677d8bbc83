/**
 * The files that a compiler opens for one object, by name and in order: the C preprocessor reduced
 * to its directives. Bounded in depth, files and work; exceeding a bound throws
 * `PreprocessorError`.
 */
import { holds } from './condition.ts';
import { readDirectives, type PreprocessorDirective } from './directives.ts';
import { MacroTable, PreprocessorError, tokenise, type Macro, type Work } from './macros.ts';
import { directoryWithSlash, type LocatedFile, type PathSpace } from '../source/source-tree.ts';

const includeDepthMax = 190;
const opensMax = 100_000;

type Branch = Extract<PreprocessorDirective, { next: number }>;

/**
 * The search path of `#include <…>`; shared by the objects of a directory, and keeps what it found.
 */
export class IncludePath {
  readonly directories: readonly string[];
  readonly #space: PathSpace;
  readonly #found = new Map<string, Found | undefined>();

  constructor(space: PathSpace, directories: readonly string[]) {
    this.#space = space;
    this.directories = directories;
  }

  file(spelling: string): LocatedFile | undefined {
    return this.#space.file(spelling);
  }

  /** Returns the first directory, from that index on, which has the file. */
  find(name: string, from: number): Found | undefined {
    const key = `${from} ${name}`;
    if (this.#found.has(key)) return this.#found.get(key);
    const found = this.#search(name, from);
    this.#found.set(key, found);
    return found;
  }

  #search(name: string, from: number): Found | undefined {
    for (let index = from; index < this.directories.length; index++) {
      const spelling = `${this.directories[index]}/${name}`;
      if (this.#space.file(spelling) !== undefined) return { spelling, index };
    }
    return undefined;
  }
}

interface Found {
  readonly spelling: string;
  /** The index of the directory; -1 when the file was found next to the one that includes it. */
  readonly index: number;
}

/** Returns a spelling as the compiler's dependency file has it: without `./` in front. */
const dependencyName = (spelling: string): string => spelling.replace(/^(?:\.\/+)+/, '');

export class Preprocessor {
  readonly #path: IncludePath;
  readonly #macros: MacroTable;
  readonly #dependencies = new Set<string>();
  readonly #missing = new Set<string>();
  readonly #once = new Set<string>();
  #depth = 0;
  #opens = 0;

  constructor(path: IncludePath, macros: Iterable<readonly [string, Macro]>, work: Work) {
    this.#path = path;
    this.#macros = new MacroTable(macros, work);
  }

  /** The files in the order in which they were first opened. */
  get dependencies(): readonly string[] {
    return [...this.#dependencies];
  }

  /** Headers that are included and were not found: `name from file`. */
  get missing(): readonly string[] {
    return [...this.#missing];
  }

  open(spelling: string): void {
    this.#run(spelling, -1);
  }

  #run(spelling: string, index: number): void {
    const file = this.#path.file(spelling);
    const read = file?.tree.derived('directives', file.path, readDirectives);
    if (read === undefined) {
      this.#miss(spelling);
      return;
    }
    if (++this.#opens > opensMax) throw new PreprocessorError('includes files without end');
    this.#dependencies.add(dependencyName(spelling));
    if (read.guard !== undefined && this.#macros.has(read.guard)) return;
    if (this.#once.has(file!.path)) return;
    if (this.#depth >= includeDepthMax) throw new PreprocessorError('nests its includes too deep');
    this.#depth++;
    this.#directivesOf(read.directives, { spelling, index, path: file!.path });
    this.#depth--;
  }

  #directivesOf(directives: readonly PreprocessorDirective[], place: Place): void {
    for (let at = 0; at < directives.length;) {
      const each = directives[at]!;
      this.#macros.charge(1);
      at = this.#step(each, at, directives, place);
    }
  }

  /** Runs one directive and returns the index of the next to read. */
  #step(
    each: PreprocessorDirective,
    at: number,
    directives: readonly PreprocessorDirective[],
    place: Place,
  ): number {
    switch (each.kind) {
      case 'if':
      case 'ifdef':
      case 'ifndef':
        return this.#branch(at, directives, place);
      // A branch that was taken ends here.
      case 'elif':
      case 'elifdef':
      case 'elifndef':
      case 'else':
        return endOfConditional(at, directives);
      case 'define':
        this.#macros.macros.set(each.name, each.macro);
        break;
      case 'undef':
        this.#macros.macros.delete(each.name);
        break;
      case 'once':
        this.#once.add(place.path);
        break;
      case 'include':
        this.#include(each.text, place, -1);
        break;
      case 'include_next':
        this.#include(each.text, place, place.index + 1);
        break;
      case 'endif':
        break;
    }
    return at + 1;
  }

  /** Goes from branch to branch and stops at the first that is taken. */
  #branch(start: number, directives: readonly PreprocessorDirective[], place: Place): number {
    for (let at = start; at < directives.length;) {
      const each = directives[at]!;
      if (!('next' in each) || each.kind === 'endif' || this.#taken(each, place)) return at + 1;
      at = each.next;
    }
    return directives.length;
  }

  #taken(each: Branch, place: Place): boolean {
    switch (each.kind) {
      case 'ifdef':
      case 'elifdef':
        return this.#macros.has(each.name);
      case 'ifndef':
      case 'elifndef':
        return !this.#macros.has(each.name);
      case 'if':
      case 'elif':
        return holds(
          each.tokens,
          this.#macros,
          (text) => this.#locate(text, place, -1) !== undefined,
        );
      case 'else':
      case 'endif':
        return true;
    }
  }

  #include(text: string, place: Place, from: number): void {
    const literal = /^["<]/.test(text);
    const spelled = literal ? text : this.#macros.expand(tokenise(text)).join('').trim();
    const found = this.#locate(spelled, place, from);
    if (found === undefined) this.#miss(`${spelled} from ${place.spelling}`);
    else this.#run(found.spelling, found.index);
  }

  #locate(text: string, place: Place, from: number): Found | undefined {
    const name = /^(?:"([^"]+)"|<([^>]+)>)/.exec(text);
    if (name === null) return undefined;
    const [, quoted, angled] = name;
    const file = (quoted ?? angled)!.trim();
    if (file.startsWith('/')) {
      return this.#path.file(file) === undefined ? undefined : { spelling: file, index: -1 };
    }
    if (quoted !== undefined && from < 0) {
      const beside = directoryWithSlash(place.spelling) + file;
      if (this.#path.file(beside) !== undefined) return { spelling: beside, index: -1 };
    }
    return this.#path.find(file, Math.max(0, from));
  }

  #miss(what: string): void {
    if (this.#missing.size < 50) this.#missing.add(what.slice(0, 300));
  }
}

/** The file that is being read. */
interface Place {
  readonly spelling: string;
  readonly index: number;
  readonly path: string;
}

function endOfConditional(start: number, directives: readonly PreprocessorDirective[]): number {
  let at = start;
  for (;;) {
    const each = directives[at];
    if (each === undefined || !('next' in each) || each.kind === 'endif') return at + 1;
    at = each.next;
  }
}
