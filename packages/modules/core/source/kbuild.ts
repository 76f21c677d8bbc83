/**
 * The objects that a source directory links into a module, and each one's compiler flags, as Kbuild
 * takes them from the directory's `Kbuild` or `Makefile`. Source:
 * Documentation/kbuild/makefiles.rst, modules.rst and scripts/Makefile.lib of the kernel.
 */
import { matchWildcard } from '../make/make-functions.ts';
import { commandResponse } from '../make/make-commands.ts';
import { Makefile, MakefileError, type MakeSettings, type Unknowns } from '../make/makefile.ts';
import {
  directoryWithSlash,
  joinPath,
  baseNameOf,
  resolvePath,
  type CachedTree,
  type PathSpace,
} from './source-tree.ts';
import {
  externalPrefix,
  kernelPrefix,
  type BuildSettings,
  type CompilerFlags,
  type Recipe,
} from './recipe.ts';
import { madeOf } from './rules.ts';

/** Variables with options; one that ends in `_` is for a single object. */
const assemblerFlags = 'KBUILD_CPPFLAGS cppflags-y asflags-y AFLAGS_'.split(' ');
const compilerFlags =
  'KBUILD_CPPFLAGS KCPPFLAGS cppflags-y KBUILD_CFLAGS ccflags-y EXTRA_CFLAGS CFLAGS_'.split(' ');

const directoriesMax = 20_000;
const directoryDepthMax = 24;
const objectsMax = 5000;

/** Whether two module names are the same: `-` and `_` do not differ. */
const sameModuleName = (first: string, second: string): boolean =>
  first.replaceAll('-', '_') === second.replaceAll('-', '_');

/** The makefiles of one tree. */
export class Kbuild {
  readonly #tree: CachedTree;
  readonly #space: PathSpace;
  readonly #settings: BuildSettings;
  readonly #makefiles = new Map<string, Makefile | undefined>();
  readonly #lists = new Map<string, readonly string[]>();
  readonly #problems: string[] = [];

  constructor(tree: CachedTree, space: PathSpace, settings: BuildSettings) {
    this.#tree = tree;
    this.#space = space;
    this.#settings = settings;
  }

  /** Makefiles that could not be evaluated, and why. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Returns the name by which a build knows the sources of a directory. */
  sourceName(directory: string): string {
    const prefix = this.#settings.kind === 'kernel' ? kernelPrefix : externalPrefix;
    return directory === '' ? prefix.slice(0, -1) : prefix + directory;
  }

  /** Returns the name by which a build knows the objects of a directory. */
  objectName(directory: string): string {
    return this.#settings.kind === 'kernel' ? directory : this.sourceName(directory);
  }

  /**
   * Finds a module's recipe by its place below `kernel/` of the modules' directory, without `.ko`:
   * `drivers/net/dummy`.
   */
  recipeAt(place: string): Recipe | undefined {
    const name = baseNameOf(place);
    let directory = directoryWithSlash(place).slice(0, -1);
    let below = '';
    for (;;) {
      const found = this.#recipeIn(directory, below + name);
      if (found !== undefined || directory === '') return found;
      below = `${baseNameOf(directory)}/${below}`;
      directory = directoryWithSlash(directory).slice(0, -1);
    }
  }

  /**
   * Finds recipes by name, wherever in the tree; one for every directory that builds such a module.
   */
  recipesNamed(name: string): readonly Recipe[] {
    const found: Recipe[] = [];
    for (const directory of this.#directories()) {
      if (!this.#mayBuild(directory, name)) continue;
      const recipe = this.#recipeIn(directory, name);
      if (recipe !== undefined) found.push(recipe);
      if (found.length >= 8) break;
    }
    return found;
  }

  /**
   * Whether a makefile is worth evaluating: of the thousands in a kernel's tree, only those that
   * name the module are.
   */
  #mayBuild(directory: string, name: string): boolean {
    const makefile = this.#makefileName(directory);
    if (makefile === undefined) return false;
    if (this.#settings.kind === 'external') return true;
    const text = this.#tree.text(makefile) ?? '';
    return text.replaceAll('-', '_').includes(`${name.replaceAll('-', '_')}.o`);
  }

  /**
   * Yields directories breadth first, so that the nearest comes first; hidden directories hold no
   * source.
   */
  *#directories(): Generator<string> {
    const queue: { readonly directory: string; readonly depth: number }[] = [
      { directory: '', depth: 0 },
    ];
    for (let at = 0; at < queue.length; at++) {
      const { directory, depth } = queue[at]!;
      yield directory;
      if (depth >= directoryDepthMax) continue;
      for (const name of this.#tree.names(directory) ?? []) {
        if (!name.endsWith('/') || name.startsWith('.') || queue.length >= directoriesMax) continue;
        queue.push({ directory: joinPath(directory, name.slice(0, -1)), depth: depth + 1 });
      }
    }
  }

  #makefileName(directory: string): string | undefined {
    return ['Kbuild', 'Makefile']
      .map((name) => joinPath(directory, name))
      .find((path) => this.#tree.hasFile(path));
  }

  #recipeIn(directory: string, name: string): Recipe | undefined {
    const makefile = this.#makefile(directory);
    if (makefile === undefined) return undefined;
    try {
      // The module exists: an option that switches it on and is not set is taken as set.
      const listed = ['obj-m', 'obj-', 'obj-y']
        .flatMap((list) => this.#list(directory, makefile, list))
        .find((each) => each.endsWith('.o') && sameModuleName(each.slice(0, -2), name));
      return listed === undefined ? undefined : this.#recipe(directory, makefile, listed);
    } catch (error) {
      this.#fail(directory, error);
      return undefined;
    }
  }

  #list(directory: string, makefile: Makefile, name: string): readonly string[] {
    const key = `${directory}\n${name}`;
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const list = makefile.list(name);
    this.#lists.set(key, list);
    return list;
  }

  #recipe(directory: string, makefile: Makefile, listed: string): Recipe {
    const stem = listed.slice(0, -2);
    const lists = ['-objs', '-y', '-m'].map((suffix) => stem + suffix);
    const parts = lists.flatMap((name) => makefile.list(name));
    const composite = parts.length > 0 || makefile.list(`${stem}-`).length > 0;
    const objects = composite ? [...new Set(parts)] : [listed];
    const open = [...lists, `${stem}-`].map((name) => makefile.unknownsOf(name));
    const unknowns = [...new Set(open.flatMap((each) => [...each]))];
    const certain = composite ? lists.flatMap((name) => makefile.certainWordsOf(name)) : [listed];
    if (objects.length > objectsMax) throw new MakefileError('lists too many objects');
    const linker = ['ldflags-y', 'EXTRA_LDFLAGS', `LDFLAGS_${listed}`]
      .flatMap((name) => makefile.list(name))
      .filter((word) => /^[^-].*\.(?:o|a|bin|so)(?:_\w+)?$/.test(word));
    return {
      name: baseNameOf(stem),
      directory,
      objects,
      linked: [...new Set(linker)],
      flags: (object, assembler) => this.#flags(directory, makefile, object, assembler),
      certain: new Set(composite || unknowns.length === 0 ? certain : []),
      unknowns,
      madeOf: (name) => madeOf(makefile.rules, name),
    };
  }

  #flags(directory: string, makefile: Makefile, object: string, assembler: boolean): CompilerFlags {
    const inherited = assembler ? 'subdir-asflags-y' : 'subdir-ccflags-y';
    const own = (assembler ? assemblerFlags : compilerFlags).map((name) =>
      name.endsWith('FLAGS_') ? name + object : name,
    );
    const automatic = {
      'target-stem': object.replace(/\.o$/, ''),
      '@': joinPath(this.objectName(directory), object),
    };
    try {
      return makefile.bound(automatic, () => {
        const above = this.#chain(directory).flatMap((each) => this.#makefile(each) ?? []);
        const asked = [
          ...above.map((each) => [each, inherited] as const),
          ...own.map((name) => [makefile, name] as const),
        ];
        return {
          options: asked.flatMap(([each, name]) => each.list(name)),
          unknowns: [...new Set(asked.flatMap(([each, name]) => [...each.unknownsOf(name)]))],
        };
      });
    } catch (error) {
      this.#fail(directory, error);
      return { options: [], unknowns: ['a makefile that cannot be evaluated'] };
    }
  }

  /**
   * Returns the directories from the top of the build down to this one; flags and exports are
   * inherited along it.
   */
  #chain(directory: string): readonly string[] {
    if (directory === '') return [''];
    const parent = directoryWithSlash(directory).slice(0, -1);
    const descends =
      this.#settings.kind === 'kernel' || this.#descends(parent, baseNameOf(directory));
    return descends ? [...this.#chain(parent), directory] : [directory];
  }

  #descends(parent: string, child: string): boolean {
    const makefile = this.#makefile(parent);
    if (makefile === undefined) return false;
    // The module exists, so an option that nobody set switches its directory on, as it does for the
    // module.
    return ['obj-y', 'obj-m', 'obj-', 'subdir-y', 'subdir-m', 'subdir-'].some((list) =>
      this.#list(parent, makefile, list).some((each) => each.replace(/\/$/, '') === child),
    );
  }

  #makefile(directory: string): Makefile | undefined {
    if (this.#makefiles.has(directory)) return this.#makefiles.get(directory);
    const path = this.#makefileName(directory);
    // The directory is marked as absent before it is read, so that no chain of directories comes
    // back to it.
    this.#makefiles.set(directory, undefined);
    if (path === undefined) return undefined;
    try {
      const makefile = new Makefile(
        this.#filesFor(directory),
        this.#variables(directory),
        this.#makeSettings(directory),
      );
      for (const { name, unknowns } of this.#exports(directory)) {
        if (unknowns.size > 0) makefile.leaveOpen(name, unknowns);
      }
      makefile.evaluate(this.#tree.text(path) ?? '');
      this.#makefiles.set(directory, makefile);
    } catch (error) {
      this.#fail(directory, error);
    }
    return this.#makefiles.get(directory);
  }

  #fail(directory: string, error: unknown): void {
    if (!(error instanceof MakefileError)) throw error;
    if (this.#problems.length < 20) {
      this.#problems.push(`"${joinPath(directory, 'Makefile')}" ${error.message}`);
    }
  }

  #variables(directory: string): readonly (readonly [string, string])[] {
    const { config, release, architecture, kind } = this.#settings;
    const [version = '', patchlevel = '', sublevel = ''] =
      /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(release)?.slice(1) ?? [];
    const top = this.#chain(directory)[0]!;
    const external: readonly (readonly [string, string])[] = [
      ['M', this.sourceName(top)],
      ['KBUILD_EXTMOD', this.sourceName(top)],
      ['PWD', this.sourceName(top)],
    ];
    return [
      ...config,
      ['srctree', kernelPrefix.slice(0, -1)],
      ['srcroot', this.sourceName(kind === 'kernel' ? '' : top)],
      ['objtree', '.'],
      ['src', this.sourceName(directory)],
      ['obj', this.objectName(directory)],
      ['CURDIR', '.'],
      ['ARCH', architecture],
      ['SRCARCH', architecture],
      ['BITS', config.has('CONFIG_64BIT') ? '64' : '32'],
      ['VERSION', version],
      ['PATCHLEVEL', patchlevel],
      ['SUBLEVEL', sublevel || '0'],
      // A makefile that serves both purposes checks whether Kbuild reads it.
      ['KERNELRELEASE', release || '0'],
      ['KERNELVERSION', release.replace(/[-+].*$/, '')],
      ['KBUILD_MODULES', '1'],
      ['MAKE', 'make'],
      ...(kind === 'external' ? external : []),
      ...this.#exports(directory).map(({ name, value }) => [name, value] as const),
    ];
  }

  /**
   * Returns what is known of make's variables. A kernel's own tree is built by its configuration; a
   * vendor's arguments to make are unknown.
   */
  #makeSettings(directory: string): MakeSettings {
    const { kind, config, unset, release, architecture } = this.#settings;
    const own = kind === 'kernel';
    const commandContext = {
      release,
      machine: machineOf(architecture, config),
      directory: own || runsInHeaders(release) ? '.' : this.sourceName(this.#chain(directory)[0]!),
    };
    return {
      isKnownUnset: (name) =>
        own ? config.size > 0 || !name.startsWith('CONFIG_') : unset.has(name),
      isKnownMissing: () => own,
      answer: (command) => commandResponse(command, commandContext),
    };
  }

  /**
   * Returns the exports of the makefiles above; only vendors' makefiles pass settings down this
   * way.
   */
  #exports(directory: string): readonly Exported[] {
    if (this.#settings.kind === 'kernel') return [];
    return this.#chain(directory)
      .slice(0, -1)
      .flatMap((above) => {
        const makefile = this.#makefile(above);
        return [...(makefile?.exported ?? [])].map((name) => ({
          name,
          value: makefile!.get(name),
          unknowns: makefile!.unknownsOf(name),
        }));
      });
  }

  /** Finds makefiles' files: relative names are searched next to the makefile, then in the tree. */
  #filesFor(directory: string) {
    const spellings = (path: string): readonly string[] =>
      path.startsWith('/')
        ? [path]
        : [`${this.sourceName(directory)}/${path}`, `${this.sourceName('')}/${path}`];
    const find = (path: string) => spellings(path).find((each) => this.#space.file(each));
    return {
      read: (path: string) => {
        const spelling = find(path);
        const file = spelling === undefined ? undefined : this.#space.file(spelling);
        return file?.tree.text(file.path);
      },
      exists: (path: string) =>
        find(path) !== undefined || spellings(path).some((each) => this.#space.hasDirectory(each)),
      matching: (pattern: string) =>
        matchWildcard(pattern, (names) => this.#tree.names(this.#treeDirectory(directory, names))),
    };
  }

  #treeDirectory(directory: string, spelled: string): string {
    const own = this.sourceName('');
    const absolute = spelled.startsWith('/') ? spelled : `${this.sourceName(directory)}/${spelled}`;
    const resolved = `/${resolvePath(absolute) ?? ''}`;
    return resolved.startsWith(`${own}/`) ? resolved.slice(own.length + 1) : '';
  }
}

/** A variable that a makefile exports. */
interface Exported {
  readonly name: string;
  readonly value: string;
  readonly unknowns: Unknowns;
}

const machineOf = (architecture: string, config: ReadonlyMap<string, string>): string =>
  ({ x86: config.has('CONFIG_64BIT') ? 'x86_64' : '', arm64: 'aarch64' })[architecture] ?? '';

/** Whether a build runs in the directory of the headers: before Linux 6.13. */
function runsInHeaders(release: string): boolean {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(major) * 1000 + Number(minor) < 6013;
}
