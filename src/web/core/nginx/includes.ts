/**
 * The files of a dump as one tree: each `include` is replaced by the content of the files that it names.
 *
 * A file means the same wherever it is included, so each is expanded once. A file that includes itself is
 * reported and cut. So are files that include each other twice and would grow without bound.
 */
import { depthMax, type Directive, type ReadProblem } from '../directive.ts';
import { parseNginxFile } from './file.ts';
import type { DumpedFile } from './dump.ts';
import { isPattern, pathMatcher } from '../wildcard.ts';

interface NginxTree {
  readonly directives: readonly Directive[];
  readonly problems: readonly ReadProblem[];
}

/** The limit for all files together: a thousand vhosts of a thousand directives each. */
const directivesMax = 1_000_000;

/** Takes a `server` of `http`, whole, in the order of the configuration. */
type TakeServer = (server: Directive) => void;

/** Servers that are taken are not in the tree: the directives of ten thousand are not kept at the same time then. */
export function nginxTree(files: readonly DumpedFile[], take?: TakeServer): NginxTree {
  return new Includes(files, take).tree();
}

class Includes {
  readonly #main: string;
  readonly #take: TakeServer | undefined;
  readonly #files: ReadonlyMap<string, DumpedFile>;
  /** Files without servers that were taken, at the http level and elsewhere. */
  readonly #whole = new Map<string, readonly Directive[]>();
  readonly #byDirectory: ReadonlyMap<string, readonly string[]>;
  readonly #named = new Map<string, readonly string[]>();
  readonly #within = new Set<string>();
  readonly #problems: ReadProblem[] = [];
  #taken = 0;
  #copied = 0;
  #cut = false;

  constructor(files: readonly DumpedFile[], take: TakeServer | undefined) {
    this.#main = files[0]?.path ?? '';
    this.#take = take;
    this.#files = new Map(files.map((each) => [each.path, each]));
    this.#byDirectory = Map.groupBy(this.#files.keys(), directoryOf);
  }

  tree(): NginxTree {
    return { directives: this.#fileOf(this.#main, false), problems: this.#problems };
  }

  #fileOf(path: string, isHttp: boolean): readonly Directive[] {
    const key = `${isHttp ? 'http' : ''} ${path}`;
    const known = this.#whole.get(key);
    if (known !== undefined) return known;
    const taken = this.#taken;
    const { directives, problems } = parseNginxFile(path, this.#files.get(path)?.text ?? '');
    this.#problems.push(...problems);
    this.#within.add(path);
    const whole = this.#expand(directives, isHttp);
    this.#within.delete(path);
    if (taken === this.#taken) this.#whole.set(key, whole);
    return whole;
  }

  /** Returns the directives themselves where nothing in them is included. */
  #expand(directives: readonly Directive[], isHttp: boolean): readonly Directive[] {
    let isSame = true;
    const expanded = directives.flatMap((each): readonly Directive[] => {
      const whole = this.#expandOne(each, isHttp);
      isSame &&= whole.length === 1 && whole[0] === each;
      return whole;
    });
    return isSame ? directives : expanded;
  }

  #expandOne(directive: Directive, isHttp: boolean): readonly Directive[] {
    if (directive.name === 'include') return this.#included(directive, isHttp);
    if (directive.block === undefined) return [directive];
    const block = this.#expand(directive.block, directive.name === 'http');
    const whole = block === directive.block ? directive : { ...directive, block };
    if (this.#take === undefined || !isHttp || whole.name !== 'server') return [whole];
    this.#taken++;
    this.#take(whole);
    return [];
  }

  #included(include: Directive, isHttp: boolean): readonly Directive[] {
    const { file, line } = include;
    return this.#filesNamed(include.args[0] ?? '').flatMap((path) => {
      if (this.#cut) return [];
      const reason = this.#within.has(path)
        ? `it includes "${path}" within itself`
        : this.#within.size === depthMax
          ? `files are included more than ${depthMax} deep`
          : undefined;
      if (reason !== undefined) {
        this.#problems.push({ file, line, message: reason });
        return [];
      }
      const taken = this.#taken;
      const directives = this.#fileOf(path, isHttp);
      return this.#counted(directives, this.#taken - taken, include);
    });
  }

  #counted(
    directives: readonly Directive[],
    taken: number,
    { file, line }: Directive,
  ): readonly Directive[] {
    if (this.#cut) return [];
    this.#copied += directives.length + taken;
    if (this.#copied <= directivesMax) return directives;
    this.#cut = true;
    const message = `more than ${directivesMax} directives are included; the rest is left out`;
    this.#problems.push({ file, line, message });
    return [];
  }

  #filesNamed(name: string): readonly string[] {
    const known = this.#named.get(name);
    if (known !== undefined) return known;
    // Relative names start at the directory of the main file.
    const path = name.startsWith('/') ? name : `${directoryOf(this.#main)}/${name}`;
    const found = this.#search(path);
    this.#named.set(name, found);
    return found;
  }

  #search(path: string): readonly string[] {
    if (this.#files.has(path)) return [path];
    if (!isPattern(path)) return [];
    const directory = directoryOf(path);
    const among = isPattern(directory)
      ? [...this.#files.keys()]
      : (this.#byDirectory.get(directory) ?? []);
    return among.filter(pathMatcher(path));
  }
}

const directoryOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));
