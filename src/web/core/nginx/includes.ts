/**
 * The files of a dump as one tree: each `include` is replaced by the content of the files that it names.
 *
 * A file means the same wherever it is included, so each is expanded once. A file that includes itself is
 * reported and cut. So are files that include each other twice and would grow without bound.
 */
import { depthMax, type Directive, type ReadProblem } from '../directive.ts';
import { parseNginxFile } from './file.ts';
import type { DumpedFile } from './dump.ts';
import { isPattern, pathMatcher } from './wildcard.ts';

interface NginxTree {
  readonly directives: readonly Directive[];
  readonly problems: readonly ReadProblem[];
}

/** The limit for all files together: a thousand vhosts of a thousand directives each. */
const directivesMax = 1_000_000;

export function nginxTree(files: readonly DumpedFile[]): NginxTree {
  return new Includes(files).tree();
}

class Includes {
  readonly #main: string;
  readonly #parsed = new Map<string, readonly Directive[]>();
  readonly #whole = new Map<string, readonly Directive[]>();
  readonly #byDirectory: ReadonlyMap<string, readonly string[]>;
  readonly #named = new Map<string, readonly string[]>();
  readonly #within = new Set<string>();
  readonly #problems: ReadProblem[] = [];
  #copied = 0;
  #cut = false;

  constructor(files: readonly DumpedFile[]) {
    this.#main = files[0]?.path ?? '';
    for (const { path, text } of files) {
      const { directives, problems } = parseNginxFile(path, text);
      this.#parsed.set(path, directives);
      this.#problems.push(...problems);
    }
    this.#byDirectory = Map.groupBy(this.#parsed.keys(), directoryOf);
  }

  tree(): NginxTree {
    return { directives: this.#fileOf(this.#main), problems: this.#problems };
  }

  #fileOf(path: string): readonly Directive[] {
    const known = this.#whole.get(path);
    if (known !== undefined) return known;
    this.#within.add(path);
    const whole = this.#expand(this.#parsed.get(path) ?? []);
    this.#within.delete(path);
    this.#whole.set(path, whole);
    return whole;
  }

  /** Returns the directives themselves where nothing in them is included. */
  #expand(directives: readonly Directive[]): readonly Directive[] {
    let isSame = true;
    const expanded = directives.flatMap((each): readonly Directive[] => {
      const whole = this.#expandOne(each);
      isSame &&= whole.length === 1 && whole[0] === each;
      return whole;
    });
    return isSame ? directives : expanded;
  }

  #expandOne(directive: Directive): readonly Directive[] {
    if (directive.name === 'include') return this.#included(directive);
    if (directive.block === undefined) return [directive];
    const block = this.#expand(directive.block);
    return [block === directive.block ? directive : { ...directive, block }];
  }

  #included(include: Directive): readonly Directive[] {
    const { file, line } = include;
    return this.#filesNamed(include.args[0] ?? '').flatMap((path) => {
      const reason = this.#within.has(path)
        ? `it includes "${path}" within itself`
        : this.#within.size === depthMax
          ? `files are included more than ${depthMax} deep`
          : undefined;
      if (reason !== undefined) {
        this.#problems.push({ file, line, message: reason });
        return [];
      }
      return this.#counted(this.#fileOf(path), include);
    });
  }

  #counted(directives: readonly Directive[], { file, line }: Directive): readonly Directive[] {
    if (this.#cut) return [];
    this.#copied += directives.length;
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
    if (this.#parsed.has(path)) return [path];
    if (!isPattern(path)) return [];
    const directory = directoryOf(path);
    const among = isPattern(directory)
      ? [...this.#parsed.keys()]
      : (this.#byDirectory.get(directory) ?? []);
    return among.filter(pathMatcher(path));
  }
}

const directoryOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));
