/**
 * One module against one directory of offered source. Each finding is a sentence against the
 * source, or about what stays unclear; the outcome follows from them.
 */
import { isCompatibleLicense } from '../loader/licenses.ts';
import type { DefinedFunctions } from '../record/defined-functions.ts';
import { modinfo, type KernelModule } from '../record/module.ts';
import { compareLicenses, declaredIn } from './license-comparison.ts';
import { addedObjects, linkedObjects, type LinkedObject } from './linked-objects.ts';
import type { SourceMatch } from './match-result.ts';
import type { OfferedSource } from './offered.ts';
import type { Recipe } from './recipe.ts';
import { joinPath, baseNameOf } from './source-tree.ts';
import { SrcversionAttempts, type Attempt } from './srcversion-attempts.ts';
import { srcversionDigest, sameSrcversion, srcversionDigits } from './srcversion.ts';

/**
 * The fewest foreign names that count: one or two may be pasted together in a way that is not
 * understood.
 */
const foreignNamesMin = 3;

export class SourceComparison {
  readonly #module: KernelModule;
  readonly #offered: OfferedSource;
  readonly #recipe: Recipe;
  readonly #linked: readonly LinkedObject[];
  readonly #srcversions: SrcversionAttempts;
  readonly #claimed: string | undefined;
  readonly #functions: DefinedFunctions | undefined;
  readonly #against: string[] = [];
  readonly #unclear: string[] = [];
  readonly #suspectFiles: string[] = [];
  /** Whether every name comes from the source or the kernel's headers, as far as there are names. */
  #namesAgree = true;
  #comesCompiled = false;

  constructor(
    module: KernelModule,
    offered: OfferedSource,
    recipe: Recipe,
    functions: DefinedFunctions | undefined,
  ) {
    this.#module = module;
    this.#functions = functions;
    this.#offered = offered;
    this.#recipe = recipe;
    this.#claimed = modinfo(module, 'srcversion');
    this.#linked = linkedObjects(recipe, offered);
    this.#srcversions = new SrcversionAttempts(this.#claimed, offered, recipe, this.#linked);
  }

  match(): SourceMatch {
    this.#checkObjects();
    const compilers = this.#checkCompilers();
    const attempts = this.#srcversions.all();
    const { preprocessorProblem } = this.#srcversions;
    if (preprocessorProblem !== undefined)
      this.#unclear.push(`The offered source cannot be preprocessed: it ${preprocessorProblem}`);
    const consistent = attempts.find((each) => this.#srcversions.matches(each));
    if (consistent === undefined && this.#claimed !== undefined) this.#explain(attempts);
    const shown = consistent ?? attempts.at(-1);
    this.#checkNames(shown);
    const { findings: license, objection } = compareLicenses(
      this.#module,
      this.#offered,
      this.#linked,
      shown?.files ?? [],
    );
    if (objection !== undefined) this.#against.push(objection);
    const outcome = this.#outcome(consistent !== undefined);
    return {
      outcome,
      directory: this.#recipe.directory,
      srcversion: {
        claimed: this.#claimed,
        computed: shown?.digest?.slice(0, srcversionDigits),
        method: shown?.method,
        files: (shown?.files ?? []).map((each) => this.#offered.display(each)),
      },
      objects: this.#linked.map(({ object, source }) => ({ object, source: source?.file.path })),
      compilers,
      suspectFiles: [...new Set(this.#suspectFiles)],
      reasons: [...this.#against, ...this.#unclear, ...this.#notes(outcome)],
      license,
    };
  }

  #outcome(agrees: boolean): SourceMatch['outcome'] {
    if (this.#against.length > 0) return 'differs';
    if (this.#comesCompiled) return 'undecided';
    const complete = this.#linked.every((each) => each.source !== undefined);
    return agrees && this.#namesAgree && complete ? 'consistent' : 'undecided';
  }

  #notes(outcome: SourceMatch['outcome']): readonly string[] {
    if (outcome === 'consistent') {
      return [
        'srcversion matches the offered source: consistent, but not a proof, since anybody can write that value',
      ];
    }
    if (this.#claimed === undefined) {
      return ['The module has no srcversion; only modules with a version have one'];
    }
    return [];
  }

  /** Notes a finding against the source, unless it depends on something unknown. */
  #objection(message: string, certain: boolean): void {
    if (certain) this.#against.push(message);
    else
      this.#unclear.push(
        `${message}, unless its build was configured otherwise: ${this.#dependence()}`,
      );
  }

  #dependence(unknowns: readonly string[] = this.#recipe.unknowns): string {
    const some = unknowns.slice(0, 3).join(', ');
    return this.#offered.context === undefined && /"CONFIG_/.test(some)
      ? `what it links depends on ${some}; give its kernel's headers (--headers)`
      : `what it links depends on ${some}, which the source does not define`;
  }

  #checkObjects(): void {
    for (const { object, source, generator } of this.#linked) {
      if (source !== undefined) continue;
      if (generator === undefined) {
        this.#suspectFiles.push(object);
        const wanted = object.replace(/\.[^.]*$/, '.c');
        const message = `"${object}" is linked in without source: the offered tree has no "${wanted}"`;
        if (this.#hasCompiled(object)) this.#closed(message);
        else this.#objection(message, this.#recipe.certain.has(object));
      } else {
        this.#unclear.push(
          `The source of "${object}" is generated (see "${generator}") and not in the offered tree`,
        );
      }
    }
    for (const each of this.#recipe.linked) {
      this.#suspectFiles.push(baseNameOf(each));
      this.#closed(`The makefile passes "${baseNameOf(each)}" to the linker, which has no source`);
    }
  }

  #hasCompiled(object: string): boolean {
    const path = joinPath(this.#recipe.directory, object);
    return ['', '_shipped', '_binary'].some((end) => this.#offered.tree.hasFile(path + end));
  }

  #claimsGpl(): boolean {
    return isCompatibleLicense(modinfo(this.#module, 'license') ?? '');
  }

  /** Notes that compiled code comes with the source, which refutes only a claim of the GPL. */
  #closed(message: string): void {
    this.#comesCompiled = true;
    if (this.#claimsGpl()) this.#against.push(message);
    else this.#unclear.push(`${message}, but the module does not claim the GPL`);
  }

  /**
   * Compares compilers: each compiled object leaves its compiler's name, and so do those that every
   * build adds.
   */
  #checkCompilers(): SourceMatch['compilers'] {
    const { compilers } = this.#module.observations;
    const gcc = compilers.every((each) => each.startsWith('GCC'));
    if (!gcc || compilers.length === 0)
      return { inModule: compilers.length, inMakefile: undefined };
    const compiled = this.#linked.filter(({ source, generator }) =>
      source === undefined
        ? generator === undefined || !/\.(?:pl|awk|py|sh)$/.test(generator)
        : !source.assembler,
    ).length;
    const added = addedObjects(modinfo(this.#module, 'vermagic') ?? '');
    const expected = added.map((each) => compiled + each);
    if (!expected.includes(compilers.length) && !this.#comesCompiled) {
      const message = `${compilers.length} objects of the module are compiled, the makefile lists ${compiled} (and ${added.join(' or ')} that every build adds)`;
      if (this.#claimsGpl()) this.#objection(message, this.#recipe.unknowns.length === 0);
      else this.#unclear.push(`${message}, but the module does not claim the GPL`);
    }
    return { inModule: compilers.length, inMakefile: compiled + added[0]! };
  }

  /**
   * Checks that functions and what they call have names from the source. Whole kernels are left
   * out, since their build generates files.
   */
  #checkNames(attempt: Attempt | undefined): void {
    if (this.#offered.kind === 'kernel') return;
    const hidden = this.#hiddenFunctions();
    if (hidden !== undefined) this.#namesUnclear(hidden);
    // Compilers generate calls to names that begin with an underscore.
    const imports = this.#module.symbols.filter(
      ({ kind, name }) => kind === 'import' && /^[a-z]/i.test(name),
    );
    const names = [...(this.#functions?.names ?? []), ...imports.map(({ name }) => name)];
    const missing = this.#offered.namesNotInSource(names);
    if (missing === undefined) {
      this.#namesUnclear('The offered source has too many words to search for names of functions');
    } else if (missing.length > 0) this.#checkNamesOfHeaders(missing, names.length, attempt);
  }

  /** Returns why there may be functions without their names. */
  #hiddenFunctions(): string | undefined {
    if (this.#functions === undefined)
      return 'The names of its functions were not compared, since its code could not be read again';
    const { unnamedBytes } = this.#functions;
    return unnamedBytes === 0
      ? undefined
      : `${unnamedBytes} bytes of its code belong to no named function, so that its functions cannot all be compared by name (strip removes names)`;
  }

  #namesUnclear(reason: string): void {
    this.#namesAgree = false;
    this.#unclear.push(reason);
  }

  /** Checks names that are not in the source itself: the kernel's headers may have brought them. */
  #checkNamesOfHeaders(
    absent: readonly string[],
    count: number,
    attempt: Attempt | undefined,
  ): void {
    // Copies of definitions from another kernel's headers would not be recognized.
    const missing = this.#hasItsHeaders() ? this.#offered.namesNotInHeaders(absent) : undefined;
    const some = (missing ?? absent).slice(0, 5).map(quote).join(', ');
    if (missing === undefined) {
      this.#namesUnclear(
        `${absent.length} of the ${count} names of the module's functions and imports are not in the offered source, and ${this.#neededHeaders()} are missing to check whether they have them: ${some}`,
      );
      return;
    }
    if (missing.length === 0) return;
    const message = `${missing.length} of the ${count} names of the module's functions and imports are neither in the offered source nor in the kernel's headers: ${some}`;
    const generated =
      this.#comesCompiled ||
      this.#linked.some(({ source }) => source === undefined) ||
      attempt?.inputs.some((each) => each.missing.length > 0) === true;
    if (generated) this.#namesUnclear(`${message}; they may be in generated or compiled files`);
    else if (missing.length < foreignNamesMin) this.#namesUnclear(message);
    else this.#against.push(message);
  }

  #hasItsHeaders(): boolean {
    const release = this.#offered.context?.release;
    return release !== undefined && release === releaseOf(this.#module);
  }

  #neededHeaders(): string {
    const release = releaseOf(this.#module);
    return release === undefined
      ? 'the headers of its kernel, which it does not state,'
      : `the headers of its kernel, ${quote(release)},`;
  }

  /**
   * Explains why no attempt matches, and whether that contradicts the source or only leaves it
   * open.
   */
  #explain(attempts: readonly Attempt[]): void {
    const last = attempts.at(-1);
    if (this.#linked.some(({ source }) => source === undefined) || last === undefined) return;
    const missing = [...new Set(last.inputs.flatMap((each) => each.missing))];
    for (const each of missing.slice(0, 5)) this.#missing(each);
    if (missing.length > 0) return;
    if (last.digest === undefined) {
      this.#unclear.push('The offered source is too large to hash');
      return;
    }
    if (this.#claimed!.length < srcversionDigits) {
      this.#unclear.push(`The module's srcversion "${this.#claimed}" is too short to compare`);
      return;
    }
    const open = this.#openQuestions(attempts, last);
    if (open.length > 0) {
      this.#unclear.push('The srcversion of the offered source differs', ...open);
      return;
    }
    this.#against.push(
      `The srcversion of the offered source is "${last.digest.slice(0, srcversionDigits)}", the module's is "${this.#claimed}"`,
    );
    this.#suspects(last);
  }

  #missing(what: string): void {
    const [, name = what, from = ''] = /^["<]?(.+?)[">]?(?: from (.+))?$/.exec(what) ?? [];
    const generator = this.#offered.generatorOf(this.#recipe, name);
    this.#suspectFiles.push(name);
    const place = from === '' ? '' : `, which "${this.#offered.display(from)}" includes`;
    this.#unclear.push(
      generator === undefined
        ? `"${name}"${place} is missing from the offered source and the kernel's headers`
        : `"${name}"${place} is generated (see "${generator}") and not in the offered tree`,
    );
  }

  /** Lists how the build may have differed from this comparison. */
  #openQuestions(attempts: readonly Attempt[], last: Attempt): readonly string[] {
    const open: string[] = [];
    const conditional = attempts.some(
      ({ method, inputs }) => method === 'text' && inputs.some((each) => each.conditional),
    );
    if (last.method === 'text' && this.#offered.context === undefined && conditional) {
      open.push(
        'Which files count depends on the kernel it was built for: give its headers (linux-headers) to decide',
      );
    }
    if (last.method === 'text' && this.#offered.context !== undefined) {
      open.push('Which headers count could not be determined');
    }
    if (this.#recipe.unknowns.length > 0) open.push(capital(this.#dependence()));
    const options = [...new Set(last.inputs.flatMap((each) => each.unknowns))];
    if (conditional && options.length > 0) {
      open.push(
        `Which headers count depends on options of the compiler, and those on ${options.slice(0, 3).join(', ')}`,
      );
    }
    return open;
  }

  /** Checks whether one surplus file explains it, and the version that the source declares. */
  #suspects(attempt: Attempt): void {
    const contents = this.#srcversions.contents(attempt.files);
    const bytes = contents.reduce((sum, each) => sum + each.length, 0);
    if (contents.length === attempt.files.length && contents.length * bytes <= 64_000_000) {
      attempt.files.forEach((file, index) => {
        const digest = srcversionDigest(contents.filter((_, other) => other !== index));
        if (!sameSrcversion(this.#claimed!, digest)) return;
        this.#suspectFiles.push(this.#offered.display(file));
        this.#unclear.push(`Without "${this.#offered.display(file)}" it would match`);
      });
    }
    const versions = declaredIn(this.#linked, 'MODULE_VERSION');
    const version = modinfo(this.#module, 'version');
    const [declared] = versions.values;
    if (version !== undefined && declared !== undefined && !versions.values.includes(version)) {
      this.#unclear.push(`The source is of version "${declared}", the module of "${version}"`);
    }
  }
}

const quote = (text: string): string => `"${text}"`;

/** Returns the first word of the vermagic. */
const releaseOf = (module: KernelModule): string | undefined =>
  modinfo(module, 'vermagic')?.split(' ', 1)[0];

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
