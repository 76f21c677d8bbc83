/**
 * Source that somebody offers for modules, with its target kernel if that is at hand. One value
 * serves many modules and caches what it has read.
 */
import { isLicenseFile } from '../evidence/closed-terms.ts';
import { architectureOf, predefinedMacros, type BuildContext } from './build-context.ts';
import { textualIncludes, type IncludeBudget } from '../preprocessor/includes.ts';
import { parseMacro, type Macro, type Work } from '../preprocessor/macros.ts';
import { externalPrefix, kernelPrefix, type Recipe, type TreeKind } from './recipe.ts';
import { Kbuild } from './kbuild.ts';
import { IncludePath, Preprocessor } from '../preprocessor/preprocessor.ts';
import { NameSearch, wordsBelow, type SourceWords } from './source-words.ts';
import type { ObjectInputs } from './srcversion.ts';
import {
  CachedTree,
  joinPath,
  PathSpace,
  type LocatedFile,
  type SourceTree,
} from './source-tree.ts';

const kernelRoot = kernelPrefix.slice(0, -1);

/** Endings of source, and whether the assembler takes it. */
const sourceEndings: readonly (readonly [ending: string, assembler: boolean])[] = [
  ['.c', false],
  ['.S', true],
  ['.rs', false],
];
/**
 * Suffixes of files that generators in Kbuild make source from; '' is a file named like the object.
 */
const generatorInputs = ['', '.pl', '.awk', '.py', '.sh', '.y', '.l', '.uc', '.uni', '.map', '.in'];

export interface ObjectSource {
  /** The name as the compiler spells it. */
  readonly spelling: string;
  readonly assembler: boolean;
  readonly file: LocatedFile;
}

export interface Inputs extends ObjectInputs {
  /** Headers that are included and were not found. */
  readonly missing: readonly string[];
  /** Whether ignored conditions may matter. */
  readonly conditional: boolean;
  /** Unknown facts that the compiler's options depend on. */
  readonly unknowns: readonly string[];
}

export class OfferedSource {
  readonly kind: TreeKind;
  readonly context: BuildContext | undefined;
  readonly tree: CachedTree;
  readonly kbuild: Kbuild;
  readonly #space = new PathSpace();
  readonly #paths = new Map<string, IncludePath>();
  readonly #predefined: readonly [string, Macro][];
  readonly #caches: readonly CachedTree[];
  readonly #source: SourceTree;
  #words: { readonly own: SourceWords | undefined; headers?: SourceWords | undefined } | undefined;

  constructor(tree: SourceTree, context?: BuildContext) {
    this.#source = tree;
    this.tree = new CachedTree(tree);
    this.context = context;
    this.kind = isKernelTree(this.tree) ? 'kernel' : 'external';
    const config = context?.config ?? new Map<string, string>();
    this.#predefined = predefinedMacros(config);
    const caches = this.#mount(context);
    this.#caches = [this.tree, ...caches];
    this.kbuild = new Kbuild(this.tree, this.#space, {
      kind: this.kind,
      config,
      unset: context?.unset ?? new Set(),
      release: context?.release ?? '',
      architecture: architectureOf(config),
    });
  }

  #mount(context: BuildContext | undefined): readonly CachedTree[] {
    const cached = (tree: SourceTree | undefined) =>
      tree === undefined ? [] : [new CachedTree(tree)];
    const built = cached(context?.objectTree);
    const generated = cached(context?.generated);
    const kernel = this.kind === 'kernel' ? [] : cached(context?.kernelTree);
    const prefix = this.kind === 'kernel' ? kernelPrefix : externalPrefix;
    const madePrefix = this.kind === 'kernel' ? '' : externalPrefix;
    this.#space.mount(prefix, this.tree);
    for (const each of built) this.#space.mount('', each);
    for (const each of generated) this.#space.mount(madePrefix, each);
    this.#space.mount(madePrefix, this.tree, '_shipped');
    for (const each of kernel) this.#space.mount(kernelPrefix, each);
    return [...built, ...generated, ...kernel];
  }

  locate(spelling: string): LocatedFile | undefined {
    return this.#space.file(spelling);
  }

  /** Returns a name for people: relative to the offered tree. */
  display(spelling: string): string {
    const prefix = this.kind === 'kernel' ? kernelPrefix : externalPrefix;
    return this.#space.file(spelling)?.path ?? spelling.replace(prefix, '');
  }

  /** Returns files of the offered tree that are named like licenses. */
  licensesIn(directory: string): readonly string[] {
    return [...(this.tree.names(directory) ?? [])]
      .filter(isLicenseFile)
      .map((name) => joinPath(directory, name));
  }

  /**
   * Returns the names that are not words of the source; undefined if the source has too many words.
   */
  namesNotInSource(names: readonly string[]): readonly string[] | undefined {
    const { own } = this.#sourceWords();
    return own && names.filter((each) => !own.has(each));
  }

  /**
   * Returns the names that are missing from the kernel's headers too, even as pieces that macros
   * paste; undefined if that is unknown. It takes names that are not words of the source.
   */
  namesNotInHeaders(names: readonly string[]): readonly string[] | undefined {
    const words = this.#sourceWords();
    const headers = this.#headerWords(words);
    if (headers === undefined || words.own === undefined) return undefined;
    const search = new NameSearch([words.own, headers]);
    return names.filter((each) => !search.explains(each));
  }

  #sourceWords() {
    return (this.#words ??= { own: wordsBelow(this.#source, ['']) });
  }

  #headerWords(words: { headers?: SourceWords | undefined }): SourceWords | undefined {
    const { context } = this;
    if (context?.kernelTree === undefined) return undefined;
    const directories = ['include', `arch/${architectureOf(context.config)}/include`];
    words.headers ??= wordsBelow(context.kernelTree, directories, (name) => name.endsWith('.h'));
    return words.headers;
  }

  forgetContents(): void {
    for (const each of this.#caches) each.forgetContents();
  }

  sourceOf(recipe: Recipe, object: string): ObjectSource | undefined {
    const stem = object.replace(/\.o$/, '');
    for (const [ending, assembler] of sourceEndings) {
      for (const spelling of this.#spellings(recipe.directory, stem + ending)) {
        const file = this.#space.file(spelling);
        if (file !== undefined) return { spelling, assembler, file };
      }
    }
    return this.#sourceByRule(recipe, object);
  }

  /** Finds the source of an object in a rule, which may compile it from elsewhere. */
  #sourceByRule(recipe: Recipe, object: string): ObjectSource | undefined {
    for (const name of recipe.madeOf(this.objectName(recipe, object)) ?? []) {
      const ending = sourceEndings.find(([each]) => name.endsWith(each));
      const file = ending === undefined ? undefined : this.#space.file(name);
      if (file !== undefined) return { spelling: name, assembler: ending![1], file };
    }
    return undefined;
  }

  /** Returns spellings of a name: in the source, then among generated files. */
  #spellings(directory: string, name: string): readonly string[] {
    const source = `${this.kbuild.sourceName(directory)}/${name}`;
    return this.kind === 'kernel' ? [source, joinPath(directory, name)] : [source];
  }

  /**
   * Returns the file or makefile that would generate a missing source: a file of the tree, or the
   * makefile with a rule for it. Undefined when nothing generates it. An object is not source,
   * whatever rule makes it.
   */
  generatorOf(recipe: Recipe, name: string): string | undefined {
    const stem = name.replace(/\.[^./]+$/, '');
    const input = generatorInputs
      .map((ending) => joinPath(recipe.directory, stem + ending))
      .find((path) => this.tree.hasFile(path));
    if (input !== undefined) return input;
    const sources = name.endsWith('.o') ? [`${stem}.c`, `${stem}.S`] : [name];
    const ruled = sources.some(
      (each) => recipe.madeOf(this.objectName(recipe, each)) !== undefined,
    );
    if (!ruled) return undefined;
    return ['Kbuild', 'Makefile']
      .map((each) => joinPath(recipe.directory, each))
      .find((path) => this.tree.hasFile(path));
  }

  objectName(recipe: Recipe, object: string): string {
    return joinPath(this.kbuild.objectName(recipe.directory), object);
  }

  textual(recipe: Recipe, object: string, source: ObjectSource, budget: IncludeBudget): Inputs {
    const { files, conditional } = textualIncludes(
      source.spelling,
      (spelling) => {
        const made =
          this.kind === 'kernel' && spelling.startsWith(kernelPrefix)
            ? spelling.slice(kernelPrefix.length)
            : spelling;
        for (const each of [spelling, made]) {
          const file = this.#space.file(each);
          if (file !== undefined) return { spelling: each, file };
        }
        return undefined;
      },
      budget,
    );
    return { ...this.#inputs(recipe, object, source, files), conditional };
  }

  /** Preprocesses an object, which needs the kernel. Throws `PreprocessorError`. */
  preprocessed(recipe: Recipe, object: string, source: ObjectSource, work: Work): Inputs {
    const { options, unknowns } = recipe.flags(object, source.assembler);
    const flags = parseFlags(options);
    const preprocessor = new Preprocessor(
      this.#includePath(recipe, flags.directories),
      [
        ...this.#predefined,
        ...(source.assembler ? [parsed('__ASSEMBLY__ 1'), parsed('__ASSEMBLER__ 1')] : []),
        ...flags.macros,
      ],
      work,
    );
    const first = ['linux/compiler-version.h', 'linux/kconfig.h'];
    if (!source.assembler) first.push('linux/compiler_types.h');
    for (const each of first) {
      const spelling = `${kernelRoot}/include/${each}`;
      if (this.#space.file(spelling) !== undefined) preprocessor.open(spelling);
    }
    for (const each of flags.included) preprocessor.open(this.#included(recipe, each));
    preprocessor.open(source.spelling);
    const opened = preprocessor.dependencies.filter(
      // The build tracks each setting separately, and drops the file of all settings.
      (each) => each !== 'include/generated/autoconf.h',
    );
    const inputs = this.#inputs(recipe, object, source, opened);
    return { ...inputs, missing: preprocessor.missing, unknowns };
  }

  #included(recipe: Recipe, name: string): string {
    if (this.#space.file(name) !== undefined) return name;
    return this.#includePath(recipe, []).find(name, 0)?.spelling ?? name;
  }

  #inputs(
    recipe: Recipe,
    object: string,
    source: ObjectSource,
    dependencies: readonly string[],
  ): Inputs {
    return {
      object: this.objectName(recipe, object),
      source: source.spelling,
      dependencies,
      missing: [],
      conditional: false,
      unknowns: [],
    };
  }

  #includePath(recipe: Recipe, extra: readonly string[]): IncludePath {
    const architecture = architectureOf(this.context?.config ?? new Map<string, string>());
    const directories = [
      `${kernelRoot}/arch/${architecture}/include`,
      `./arch/${architecture}/include/generated`,
      `${kernelRoot}/include`,
      './include',
      `${kernelRoot}/arch/${architecture}/include/uapi`,
      `./arch/${architecture}/include/generated/uapi`,
      `${kernelRoot}/include/uapi`,
      './include/generated/uapi',
      ...extra,
      this.kbuild.sourceName(recipe.directory),
      this.kbuild.objectName(recipe.directory),
    ].map((directory) => directory.replace(/\/+$/, ''));
    const existing = [...new Set(directories)].filter((directory) =>
      this.#space.hasDirectory(directory),
    );
    const key = existing.join('\n');
    let path = this.#paths.get(key);
    if (path === undefined) this.#paths.set(key, (path = new IncludePath(this.#space, existing)));
    return path;
  }
}

/** Whether a tree is a kernel's and not a vendor's. */
const isKernelTree = (tree: CachedTree): boolean =>
  tree.hasFile('Kbuild') && tree.hasFile('scripts/Makefile.build') && tree.hasDirectory('kernel');

const parsed = (text: string): [string, Macro] => {
  const { name, macro } = parseMacro(text)!;
  return [name, macro];
};

interface Flags {
  readonly directories: readonly string[];
  readonly macros: readonly [string, Macro][];
  readonly included: readonly string[];
}

const unquoted = (text: string): string => text.replaceAll(/\\(.)/g, '$1').replaceAll(/^'|'$/g, '');

function parseFlags(flags: readonly string[]): Flags {
  const directories: string[] = [];
  const macros: [string, Macro][] = [];
  const included: string[] = [];
  const options: readonly (readonly [string, (value: string) => void])[] = [
    ['-include', (value) => included.push(value)],
    ['-isystem', (value) => directories.push(value)],
    ['-iquote', (value) => directories.push(value)],
    ['-I', (value) => directories.push(value)],
    ['-D', (value) => defineOption(macros, unquoted(value))],
  ];
  for (let at = 0; at < flags.length; at++) {
    const flag = flags[at]!;
    const option = options.find(([name]) => flag.startsWith(name));
    if (option === undefined) continue;
    const [name, take] = option;
    const value = flag === name ? flags[++at] : flag.slice(name.length);
    if (value !== undefined) take(value);
  }
  return { directories, macros, included };
}

function defineOption(macros: [string, Macro][], text: string): void {
  const equals = text.indexOf('=');
  const definition =
    equals < 0 ? `${text} 1` : `${text.slice(0, equals)} ${text.slice(equals + 1)}`;
  const macro = parseMacro(definition);
  if (macro !== undefined) macros.push([macro.name, macro.macro]);
}

/**
 * Returns an object's input names as a build inside the module's own directory spells them (from
 * Linux 6.13 on).
 */
export function relativeNames(inputs: Inputs, directory: string): Inputs {
  const shorten = (name: string) =>
    name.startsWith(`${directory}/`) ? name.slice(directory.length + 1) : name;
  return {
    ...inputs,
    object: shorten(inputs.object),
    source: shorten(inputs.source),
    dependencies: inputs.dependencies.map(shorten),
  };
}
