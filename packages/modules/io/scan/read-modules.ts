/**
 * Reads the modules of a stream of inputs, by threads and with a cache. A file that cannot be read
 * is a problem among them.
 */
import { hash } from 'node:crypto';
import { formatCause, formatProblem, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import type { ScanProblem } from '../../core/reports/report.ts';
import type { Input, InputProblem, Origin } from '../inputs/inputs.ts';
import { UnpackBudget } from '../inputs/unpack-budget.ts';
import { unpackedBytesMax } from '../inputs/unpack-module.ts';
import { scanCacheDirectory } from './own-cache.ts';
import { readStored } from './reading-pool.ts';
import { ScanCache } from './scan-cache.ts';
import type { Keys, ParsedModule, ReadResponse, StoredModule } from './scan-protocol.ts';

export interface ScannedFile extends ParsedModule {
  readonly file: string;
  readonly sha256: string;
  readonly origin: Origin;
}

export interface ScannedFiles {
  readonly entries: readonly ScannedFile[];
  readonly problems: readonly ScanProblem[];
}

export interface ReadingOptions {
  /** Words that identify this reading in the cache; undefined for no cache. */
  readonly cacheAs: readonly string[] | undefined;
  readonly deep: boolean;
  readonly onRead: (done: number) => void;
}

/** Reads all modules of a stream; a file that cannot be read is a problem, and the rest is read. */
export async function readAll(
  inputs: AsyncIterable<Input | InputProblem>,
  keys: Keys,
  options: ReadingOptions,
): Promise<ScannedFiles> {
  const reading = await readAhead(inputs, () => ok(keys), options);
  if (!reading.ok) throw new Error(formatProblem(reading.error));
  return reading.value;
}

/**
 * Reads all modules before the keys are known. `open` gives the keys and is called once, while the
 * threads are busy if possible. Fails if `open` does.
 */
export async function readAhead(
  inputs: AsyncIterable<Input | InputProblem>,
  open: () => Result<Keys, Problem>,
  options: ReadingOptions,
): Promise<Result<ScannedFiles, Problem>> {
  let opened: Result<Keys, Problem> | undefined;
  const openOnce = () => (opened ??= open());
  // Cached results were judged with keys, so the keys come first if there are any.
  const early = isCached(options) ? openOnce() : undefined;
  if (early?.ok === false) return early;
  const cached = early === undefined ? undefined : cacheOf(early.value, options)?.read();
  const reading = new ModuleReading(cached ?? new Map<string, ParsedModule>(), options);
  const setup = { deep: options.deep, budget: UnpackBudget.make(unpackedBytesMax) };
  const done = await readStored(reading.uncached(inputs), setup, openOnce, (answers) =>
    reading.accept(answers),
  );
  if (!done.ok) return done;
  const keys = openOnce();
  if (!keys.ok) return keys;
  if (reading.hasNews) cacheOf(keys.value, options)?.write(reading.used);
  return ok(reading.result());
}

/** One reading: results from the cache, results of the threads, and problems. */
class ModuleReading {
  /** Modules in use, by the SHA-256 of the stored file. */
  readonly used = new Map<string, ParsedModule>();
  readonly #cached: ReadonlyMap<string, ParsedModule>;
  readonly #options: ReadingOptions;
  readonly #origins = new Map<string, Origin>();
  readonly #entries: ScannedFile[] = [];
  readonly #problems: ScanProblem[] = [];

  constructor(cached: ReadonlyMap<string, ParsedModule>, options: ReadingOptions) {
    this.#cached = cached;
    this.#options = options;
  }

  /** Yields the files that must be read; takes the others from the cache. */
  async *uncached(inputs: AsyncIterable<Input | InputProblem>): AsyncGenerator<StoredModule> {
    for await (const each of inputs) {
      if (each.kind === 'problem') {
        this.#problems.push({ file: each.path, offset: null, message: each.why });
        continue;
      }
      const bytes = each.read();
      if (!bytes.ok) {
        this.#problems.push({ file: each.label, offset: null, message: formatCause(bytes.error) });
        continue;
      }
      this.#origins.set(each.label, each.origin);
      const sha256 = hash('sha256', bytes.value);
      const known = this.#cached.get(sha256);
      if (known === undefined) yield { label: each.label, sha256, bytes: bytes.value };
      else this.#take(each.label, sha256, known);
    }
  }

  accept(answers: readonly ReadResponse[]): void {
    for (const { label, sha256, read, problem } of answers) {
      if (problem !== undefined) this.#problems.push(problem);
      if (read !== undefined) this.#take(label, sha256, read);
    }
  }

  #take(file: string, sha256: string, read: ParsedModule): void {
    const origin = this.#origins.get(file);
    if (origin === undefined) return;
    this.used.set(sha256, read);
    // A file that occurs twice was cached under its first name.
    const module = read.module.file === file ? read.module : { ...read.module, file };
    this.#entries.push({ ...read, module, file, sha256, origin });
    this.#options.onRead(this.#entries.length + this.#problems.length);
  }

  /** Whether the cache would change. */
  get hasNews(): boolean {
    return (
      this.used.size !== this.#cached.size ||
      [...this.used.keys()].some((each) => !this.#cached.has(each))
    );
  }

  result(): ScannedFiles {
    return {
      entries: this.#entries.sort((a, b) => (a.file < b.file ? -1 : 1)),
      problems: this.#problems.sort((a, b) => (a.file < b.file ? -1 : 1)),
    };
  }
}

function cacheOf(keys: Keys, options: ReadingOptions): ScanCache | undefined {
  const place = cachePlace(options);
  return place && new ScanCache(place.directory, place.inputs, keys);
}

function isCached(options: ReadingOptions): boolean {
  const place = cachePlace(options);
  return place !== undefined && ScanCache.isKept(place.directory, place.inputs);
}

function cachePlace({ cacheAs, deep }: ReadingOptions) {
  const directory = cacheAs === undefined ? undefined : scanCacheDirectory();
  if (directory === undefined || cacheAs === undefined) return undefined;
  return { directory, inputs: [...cacheAs, String(deep)] };
}
