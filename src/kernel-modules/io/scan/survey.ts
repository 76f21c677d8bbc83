/**
 * A survey: modules are read, judged by the loader's rules, and weighed. The work behind every command of
 * `bulkhead modules`.
 */
import type { ScanProblem } from '../../core/reports/report.ts';
import { hash } from 'node:crypto';
import { trustLevelOf } from '../../core/evidence/judge.ts';
import type { PackageClaim, SourceFinding } from '../../core/evidence/evidence-context.ts';
import type { Kernel } from '../../core/kernel/kernel.ts';
import { exportIndex, judgeTree, type Candidate } from '../../core/loader/dependency-order.ts';
import { importsOf, modinfo } from '../../core/record/module.ts';
import { bareName } from '../../core/record/module-file.ts';
import type { Judgement } from '../../../policy/trust-level.ts';
import type { Verdict } from '../../core/loader/verdict.ts';
import { checkClaim, termsOf, type PackageTerms } from '../../core/packages/claims.ts';
import type { LicenseStatement } from '../../core/packages/copyright.ts';
import type { Input, InputProblem, Origin } from '../inputs/inputs.ts';
import { readStored } from './reading-pool.ts';
import { cacheDirectory } from './own-cache.ts';
import { ScanCache } from './scan-cache.ts';
import { UnpackBudget } from '../inputs/unpack-budget.ts';
import { unpackedBytesMax } from '../inputs/unpack-module.ts';
import type { Keys, ReadModule, StoredModule } from './scan-protocol.ts';
import { ok, type Result } from '../../../base/result.ts';

export interface ReadEntry extends ReadModule {
  readonly file: string;
  readonly sha256: string;
  readonly origin: Origin;
}

export interface Reading {
  readonly entries: readonly ReadEntry[];
  readonly problems: readonly ScanProblem[];
}

export type { Keys } from './scan-protocol.ts';

export interface ReadingOptions {
  /** What tells this reading from another, for the cache; undefined for none. */
  readonly cacheAs: readonly string[] | undefined;
  readonly deep: boolean;
  readonly onRead: (done: number) => void;
}

/** Reads all modules of a stream; what cannot be read is a problem, and the rest is read. */
export async function readAll(
  inputs: AsyncIterable<Input | InputProblem>,
  keys: Keys,
  options: ReadingOptions,
): Promise<Reading> {
  const reading = await readAhead(inputs, () => ok(keys), options);
  if (!reading.ok) throw new Error(reading.error);
  return reading.value;
}

/**
 * The same where the keys are yet to be read: `open` is called once, when others have something to do meanwhile.
 * Fails with it.
 */
export async function readAhead(
  inputs: AsyncIterable<Input | InputProblem>,
  open: () => Result<Keys>,
  options: ReadingOptions,
): Promise<Result<Reading>> {
  let opened: Result<Keys> | undefined;
  const openOnce = () => (opened ??= open());
  // What is remembered was judged by keys, so those come first where there is any.
  const early = isRemembered(options) ? openOnce() : undefined;
  if (early?.ok === false) return early;
  const remembered =
    early === undefined
      ? new Map<string, ReadModule>()
      : (cacheOf(early.value, options)?.read() ?? new Map<string, ReadModule>());
  const problems: ScanProblem[] = [];
  const origins = new Map<string, Origin>();
  const entries: ReadEntry[] = [];
  const used = new Map<string, ReadModule>();

  function take(file: string, sha256: string, read: ReadModule): void {
    const origin = origins.get(file);
    if (origin === undefined) return;
    used.set(sha256, read);
    // A file that is there twice was remembered under its first name.
    const module = read.module.file === file ? read.module : { ...read.module, file };
    entries.push({ ...read, module, file, sha256, origin });
    options.onRead(entries.length + problems.length);
  }

  async function* stored(): AsyncGenerator<StoredModule> {
    for await (const each of inputs) {
      if (each.kind === 'problem') {
        problems.push({ file: each.path, offset: null, message: each.why });
        continue;
      }
      const bytes = each.read();
      if (!bytes.ok) {
        problems.push({ file: each.label, offset: null, message: bytes.error });
        continue;
      }
      origins.set(each.label, each.origin);
      const sha256 = hash('sha256', bytes.value);
      const known = remembered.get(sha256);
      if (known === undefined) yield { label: each.label, sha256, bytes: bytes.value };
      else take(each.label, sha256, known);
    }
  }
  const setup = { deep: options.deep, budget: UnpackBudget.make(unpackedBytesMax) };
  const done = await readStored(stored(), setup, openOnce, (answers) => {
    for (const { label, sha256, read, problem } of answers) {
      if (problem !== undefined) problems.push(problem);
      if (read !== undefined) take(label, sha256, read);
    }
  });
  if (!done.ok) return done;
  const keys = openOnce();
  if (!keys.ok) return keys;
  if (used.size !== remembered.size || [...used.keys()].some((each) => !remembered.has(each))) {
    cacheOf(keys.value, options)?.write(used);
  }
  return ok({
    entries: entries.sort((a, b) => (a.file < b.file ? -1 : 1)),
    problems: problems.sort((a, b) => (a.file < b.file ? -1 : 1)),
  });
}

function cacheOf(keys: Keys, options: ReadingOptions): ScanCache | undefined {
  const place = cachePlace(options);
  return place && new ScanCache(place.directory, place.inputs, keys);
}

function isRemembered(options: ReadingOptions): boolean {
  const place = cachePlace(options);
  return place !== undefined && ScanCache.isKept(place.directory, place.inputs);
}

function cachePlace({ cacheAs, deep }: ReadingOptions) {
  const directory = cacheAs === undefined ? undefined : cacheDirectory();
  if (directory === undefined || cacheAs === undefined) return undefined;
  return { directory, inputs: [...cacheAs, String(deep)] };
}

export interface Surveyed extends ReadEntry, Judgement {
  readonly verdict: Verdict;
  readonly gplOnly: readonly string[];
}

/** What a module is judged beside: the kernel, and the modules whose exports it may use. */
export interface SurveyContext {
  readonly kernel: Kernel;
  readonly buildChecks: boolean;
  /** Modules that are there to be loaded first, and are not judged themselves. */
  readonly providers: readonly ReadEntry[];
  readonly sourceOf?: (entry: ReadEntry) => SourceFinding | undefined;
}

export function judgeAll(
  entries: readonly ReadEntry[],
  { kernel, buildChecks, providers, sourceOf }: SurveyContext,
): readonly Surveyed[] {
  const candidates = [...entries, ...providers].map(candidateOf);
  const verdicts = judgeTree(candidates, kernel);
  const isGplOnly = gplOnlyAmong(candidates, kernel);
  const claims = new PackageClaims();
  return entries.map((entry) => {
    const verdict = verdicts.get(entry.file);
    if (verdict === undefined) throw new Error(`no verdict on ${entry.file}`);
    const names = importsOf(entry.module).map((each) => each.name);
    const gplOnly = names.filter(isGplOnly);
    const judgement = trustLevelOf(entry.module, {
      fileName: bareName(entry.file),
      signature: entry.signature,
      verdict,
      gplOnly,
      release: kernel.release,
      buildChecks,
      packageClaim: claims.of(entry),
      source: sourceOf?.(entry),
    });
    return { ...entry, verdict, gplOnly, ...judgement };
  });
}

/** What each package states is weighed once, not for each of its modules. */
class PackageClaims {
  readonly #terms = new Map<LicenseStatement, PackageTerms>();

  of({ module, origin }: ReadEntry): PackageClaim | undefined {
    const license = origin.package?.license;
    if (license === undefined) return undefined;
    const terms = this.#terms.get(license) ?? termsOf(license);
    this.#terms.set(license, terms);
    const { result, message } = checkClaim(modinfo(module, 'license'), terms);
    return { outcome: result, message };
  }
}

const candidateOf = ({ module, signature }: ReadEntry): Candidate => ({ module, signature });

/** Whether the export of a name is GPL-only: the kernel's own, or that of one of the modules. */
export function gplOnlyAmong(candidates: readonly Candidate[], kernel: Kernel) {
  const index = exportIndex(candidates);
  return (name: string): boolean =>
    (kernel.exports.get(name) ?? index.get(name)?.symbol)?.gplOnly === true;
}
