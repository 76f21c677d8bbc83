/**
 * One module against one directory of offered source. Each finding is a sentence: against the source, or what it
 * leaves unclear; the outcome follows from them.
 */
import { closedTermsOf } from '../evidence/closed-terms.ts';
import { isCompatibleLicense } from '../loader/licenses.ts';
import { modinfo, modinfoAll, type KernelModule } from '../record/module.ts';
import { declarationsOf, fitsKernel, spdxOf } from './source-licenses.ts';
import { PreprocessorError, Work } from '../preprocessor/macros.ts';
import type { LicenseFindings, Match } from './match.ts';
import type { Recipe } from './objects.ts';
import { relativeNames, type Inputs, type ObjectSource, type OfferedSource } from './offered.ts';
import {
  digestOf,
  hashedFiles,
  normalised,
  sameSrcversion,
  srcversionDigits,
} from './srcversion.ts';
import { directoryOf, joinPath, nameOf } from './source-tree.ts';

const includesMax = 2_000_000;
/** One or two names may be pasted together in a way that is not understood. */
const foreignNamesMin = 3;
const hashedBytesMax = 512 * 1024 * 1024;

/** A module as its maker's list of objects has it. */
interface Linked {
  readonly object: string;
  readonly source: ObjectSource | undefined;
  /** What a missing source would be generated from. */
  readonly generator: string | undefined;
}

interface Attempt {
  readonly method: 'text' | 'preprocessor';
  readonly inputs: readonly Inputs[];
  readonly files: readonly string[];
  /** undefined when there is nothing to compare it with, or too much to hash. */
  readonly digest: string | undefined;
}

export class SourceComparison {
  readonly #module: KernelModule;
  readonly #offered: OfferedSource;
  readonly #recipe: Recipe;
  readonly #linked: readonly Linked[];
  readonly #claimed: string | undefined;
  readonly #functions: readonly string[];
  readonly #against: string[] = [];
  readonly #unclear: string[] = [];
  readonly #likely: string[] = [];
  #foreignNames = false;
  #comesCompiled = false;

  constructor(
    module: KernelModule,
    offered: OfferedSource,
    recipe: Recipe,
    functions: readonly string[],
  ) {
    this.#module = module;
    this.#functions = functions;
    this.#offered = offered;
    this.#recipe = recipe;
    this.#claimed = modinfo(module, 'srcversion');
    this.#linked = recipe.objects.map((object) => this.#link(object));
  }

  #link(object: string): Linked {
    const source = object.endsWith('.o') ? this.#offered.sourceOf(this.#recipe, object) : undefined;
    const generator =
      source === undefined && object.endsWith('.o')
        ? this.#offered.generatorOf(this.#recipe, object)
        : undefined;
    return { object, source, generator };
  }

  match(): Match {
    this.#checkObjects();
    const compilers = this.#checkCompilers();
    const attempts = this.#attempts();
    const consistent = attempts.find((each) => this.#agrees(each));
    if (consistent === undefined && this.#claimed !== undefined) this.#explain(attempts);
    const shown = consistent ?? attempts.at(-1);
    this.#checkNames(shown);
    const license = this.#licenses(shown);
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
      likely: [...new Set(this.#likely)],
      reasons: [...this.#against, ...this.#unclear, ...this.#notes(outcome)],
      license,
    };
  }

  #outcome(agrees: boolean): Match['outcome'] {
    if (this.#against.length > 0) return 'differs';
    if (this.#comesCompiled) return 'cannot tell';
    if (agrees && !this.#foreignNames && !this.#linked.some((each) => each.source === undefined))
      return 'consistent';
    return 'cannot tell';
  }

  #notes(outcome: Match['outcome']): readonly string[] {
    if (outcome === 'consistent') {
      return [
        'srcversion agrees with the offered source: consistent, not proof, for anybody can write that value',
      ];
    }
    if (this.#claimed === undefined) {
      return ['The module has no srcversion, which only modules with a version carry'];
    }
    return [];
  }

  /** Against it, unless it depends on what is not known. */
  #objection(message: string, certain: boolean): void {
    if (certain) this.#against.push(message);
    else
      this.#unclear.push(`${message}, unless its build was told otherwise: ${this.#dependence()}`);
  }

  #dependence(unknowns: readonly string[] = this.#recipe.unknowns): string {
    const some = unknowns.slice(0, 3).join(', ');
    return this.#offered.context === undefined && /"CONFIG_/.test(some)
      ? `what it links depends on ${some}; give its kernel's headers (--headers)`
      : `what it links depends on ${some}, which source alone does not say`;
  }

  #checkObjects(): void {
    for (const { object, source, generator } of this.#linked) {
      if (source !== undefined) continue;
      if (generator === undefined) {
        this.#likely.push(object);
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
      this.#likely.push(nameOf(each));
      this.#closed(`The makefile gives the linker "${nameOf(each)}", which has no source`);
    }
  }

  #hasCompiled(object: string): boolean {
    const path = joinPath(this.#recipe.directory, object);
    return ['', '_shipped', '_binary'].some((end) => this.#offered.tree.hasFile(path + end));
  }

  #claimsGpl(): boolean {
    return isCompatibleLicense(modinfo(this.#module, 'license') ?? '');
  }

  /** Compiled code that comes with the source refutes who claims the GPL, and nobody else. */
  #closed(message: string): void {
    this.#comesCompiled = true;
    if (this.#claimsGpl()) this.#against.push(message);
    else this.#unclear.push(`${message}, nor does the module claim to be under the GPL`);
  }

  /** Each compiled object leaves its compiler's name, and so do those that every build adds. */
  #checkCompilers(): Match['compilers'] {
    const { compilers } = this.#module.observations;
    const gcc = compilers.every((each) => each.startsWith('GCC'));
    if (!gcc || compilers.length === 0) return { inModule: compilers.length, objects: undefined };
    const compiled = this.#linked.filter(({ source, generator }) =>
      source === undefined
        ? generator === undefined || !/\.(?:pl|awk|py|sh)$/.test(generator)
        : !source.assembler,
    ).length;
    const added = addedObjects(modinfo(this.#module, 'vermagic') ?? '');
    const expected = added.map((each) => compiled + each);
    if (!expected.includes(compilers.length) && !this.#comesCompiled) {
      const message = `${compilers.length} objects of the module were made by a compiler, the makefile lists ${compiled} (and ${added.join(' or ')} that every build adds)`;
      if (this.#claimsGpl()) this.#objection(message, this.#recipe.unknowns.length === 0);
      else this.#unclear.push(`${message}, nor does the module claim to be under the GPL`);
    }
    return { inModule: compilers.length, objects: compiled + added[0]! };
  }

  /** Functions and what they call have their names from the source; whole kernels, with files that their build generates, are left out. */
  #checkNames(attempt: Attempt | undefined): void {
    if (this.#offered.kind === 'kernel' || !this.#hasItsHeaders()) return;
    if (this.#functions.length === 0) return;
    // What begins with a line, compilers call by themselves.
    const imports = this.#module.symbols.filter(
      ({ kind, name }) => kind === 'import' && /^[a-z]/i.test(name),
    );
    const names = [...this.#functions, ...imports.map(({ name }) => name)];
    const missing = this.#offered.namesNowhere(names) ?? [];
    if (missing.length === 0) return;
    const some = missing
      .slice(0, 5)
      .map((each) => `"${each}"`)
      .join(', ');
    const message = `${missing.length} of the ${names.length} names of the module's functions and imports are nowhere in the offered source or the kernel's headers: ${some}`;
    const generated =
      this.#comesCompiled ||
      this.#linked.some(({ source }) => source === undefined) ||
      attempt?.inputs.some((each) => each.missing.length > 0) === true;
    this.#foreignNames = true;
    if (generated)
      this.#unclear.push(`${message}; they may be in what is generated or comes compiled`);
    else if (missing.length < foreignNamesMin) this.#unclear.push(message);
    else this.#against.push(message);
  }

  /** Copies of what the headers of another kernel define would be taken for strangers. */
  #hasItsHeaders(): boolean {
    const release = this.#offered.context?.release;
    return (
      release !== undefined && modinfo(this.#module, 'vermagic')?.startsWith(`${release} `) === true
    );
  }

  #agrees(attempt: Attempt): boolean {
    const { digest } = attempt;
    if (this.#claimed === undefined || digest === undefined) return false;
    return sameSrcversion(this.#claimed, digest);
  }

  /** From the cheap to the exact, until one agrees. */
  #attempts(): readonly Attempt[] {
    const attempts: Attempt[] = [];
    const sources = this.#linked.flatMap(({ object, source }) =>
      source === undefined ? [] : [{ object, source }],
    );
    const budget = { left: includesMax };
    const textual = sources.map(({ object, source }) =>
      this.#offered.textual(this.#recipe, object, source, budget),
    );
    for (const attempt of this.#spellings('text', textual)) {
      attempts.unshift(attempt);
      if (this.#agrees(attempt)) return attempts;
    }
    if (this.#claimed === undefined || this.#offered.context === undefined) return attempts;
    try {
      const work = new Work();
      const exact = sources.map(({ object, source }) =>
        this.#offered.preprocessed(this.#recipe, object, source, work),
      );
      attempts.push(...[...this.#spellings('preprocessor', exact)].reverse());
    } catch (error) {
      if (!(error instanceof PreprocessorError)) throw error;
      this.#unclear.push(`The offered source cannot be preprocessed: it ${error.message}`);
    }
    return attempts;
  }

  *#spellings(method: Attempt['method'], inputs: readonly Inputs[]): Generator<Attempt> {
    yield this.#attempt(method, inputs, hashedFiles(inputs));
    if (this.#offered.kind === 'kernel') return;
    // A build that runs inside the module's directory names objects without one, and so counts fewer headers.
    const directory = this.#offered.kbuild.sourceName(this.#recipe.directory);
    const short = hashedFiles(inputs.map((each) => relativeNames(each, directory)));
    const files = short.map((each) => (each.startsWith('/') ? each : `${directory}/${each}`));
    yield this.#attempt(method, inputs, files);
  }

  #attempt(
    method: Attempt['method'],
    inputs: readonly Inputs[],
    files: readonly string[],
  ): Attempt {
    if (this.#claimed === undefined) return { method, inputs, files, digest: undefined };
    const contents = this.#contents(files);
    const bytes = contents.reduce((sum, each) => sum + each.length, 0);
    const digest = bytes > hashedBytesMax ? undefined : digestOf(contents);
    return { method, inputs, files, digest };
  }

  #contents(files: readonly string[]): readonly Uint8Array[] {
    return files.flatMap((each) => {
      const file = this.#offered.locate(each);
      return (file === undefined ? undefined : normalised(file)) ?? [];
    });
  }

  /** Why no attempt agrees, and whether that speaks against the source or only leaves it open. */
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
      this.#unclear.push('srcversion of the offered source is another one', ...open);
      return;
    }
    this.#against.push(
      `srcversion of the offered source is "${last.digest.slice(0, srcversionDigits)}", the module's is "${this.#claimed}"`,
    );
    this.#suspects(last);
  }

  #missing(what: string): void {
    const [, name = what, from = ''] = /^["<]?(.+?)[">]?(?: from (.+))?$/.exec(what) ?? [];
    const generator = this.#offered.generatorOf(this.#recipe, name);
    this.#likely.push(name);
    const place = from === '' ? '' : `, which "${this.#offered.display(from)}" includes`;
    this.#unclear.push(
      generator === undefined
        ? `"${name}"${place} is missing from the offered source and the kernel's headers`
        : `"${name}"${place} is generated (see "${generator}") and not in the offered tree`,
    );
  }

  /** What the build may have had otherwise than this comparison. */
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

  /** Whether one file too many explains it, and what else the source says of itself. */
  #suspects(attempt: Attempt): void {
    const contents = this.#contents(attempt.files);
    const bytes = contents.reduce((sum, each) => sum + each.length, 0);
    if (contents.length === attempt.files.length && contents.length * bytes <= 64_000_000) {
      attempt.files.forEach((file, index) => {
        const digest = digestOf(contents.filter((_, other) => other !== index));
        if (!sameSrcversion(this.#claimed!, digest)) return;
        this.#likely.push(this.#offered.display(file));
        this.#unclear.push(`Without "${this.#offered.display(file)}" it would agree`);
      });
    }
    const versions = this.#declared('MODULE_VERSION');
    const version = modinfo(this.#module, 'version');
    const [declared] = versions.values;
    if (version !== undefined && declared !== undefined && !versions.values.includes(version)) {
      this.#unclear.push(`The source is of version "${declared}", the module of "${version}"`);
    }
  }

  #declared(macro: string): { readonly values: readonly string[]; readonly computed: boolean } {
    const all = this.#linked.flatMap(({ source }) => {
      const bytes = source?.file.tree.read(source.file.path);
      return bytes === undefined ? [] : [declarationsOf(bytes, macro)];
    });
    return {
      values: [...new Set(all.flatMap((each) => each.values))],
      computed: all.some((each) => each.computed),
    };
  }

  #licenses(attempt: Attempt | undefined): LicenseFindings {
    const claimed = modinfoAll(this.#module, 'license');
    const { values: declared, computed } = this.#declared('MODULE_LICENSE');
    const spdx = new Map<string, number>();
    const contradictions: string[] = [];
    for (const spelling of new Set(attempt?.files)) {
      const file = this.#offered.locate(spelling);
      const bytes = file?.tree.read(file.path);
      const expression = bytes === undefined ? undefined : spdxOf(bytes);
      if (expression === undefined) continue;
      spdx.set(expression, (spdx.get(expression) ?? 0) + 1);
      if (fitsKernel(expression) === false && claimed.some((each) => each.includes('GPL'))) {
        contradictions.push(
          `"${file!.path}" is under "${expression}", the module says "${claimed[0]}"`,
        );
      }
    }
    if (declared.length > 0 && !computed && !claimed.some((each) => declared.includes(each))) {
      const message = `MODULE_LICENSE in the source says "${declared.join('", "')}", the module says "${claimed.join('", "') || 'nothing'}"`;
      contradictions.push(message);
      this.#against.push(message);
    }
    return { claimed, declared, spdx, contradictions, closedTerms: this.#closedTerms(attempt) };
  }

  /** In the files that it is made of, and in the licenses beside them. */
  #closedTerms(attempt: Attempt | undefined): readonly string[] {
    if (!isCompatibleLicense(modinfo(this.#module, 'license') ?? '')) return [];
    const sources = this.#linked.flatMap((each) => each.source?.spelling ?? []);
    const spellings = [...new Set([...sources, ...(attempt?.files ?? [])])];
    const located = spellings.flatMap((each) => this.#offered.locate(each) ?? []);
    const paths = new Set(
      located.flatMap(({ tree, path }) => (tree === this.#offered.tree ? [path] : [])),
    );
    const directories = new Set([
      '',
      ...Array.from(paths, (each) => directoryOf(each).slice(0, -1)),
    ]);
    const licenses = [...directories].flatMap((each) => this.#offered.licensesIn(each));
    return [...new Set([...licenses, ...paths])].flatMap((path) => {
      const { tree } = this.#offered;
      const terms = tree.derived('closed terms', path, (bytes) => closedTermsOf(path, bytes)) ?? [];
      return terms.length === 0 ? [] : [`"${path}" says "${terms.join('", "')}"`];
    });
  }
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `NAME.mod.o`, and since Linux 6.12 `.module-common.o`; either way when the release is not known. */
function addedObjects(vermagic: string): readonly number[] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(vermagic) ?? [];
  if (major === undefined) return [2, 1];
  const release = Number(major) * 1000 + Number(minor);
  return [release >= 6012 ? 2 : 1];
}
