/**
 * BPF programs of one kind: one process at a time loads and pins them in generations, and every process finds them. The
 * name of a generation ends with a digest of its sources.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import type { MapEntry } from '../../../packages/base/map-entry.ts';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { lockFile, type FileLock } from '../files/flock.ts';
import { packageFile } from '../package-files.ts';
import { loadObject } from './object.ts';
import {
  existingPins,
  generationPath,
  generationsOf,
  newGeneration,
  openPins,
  removeGenerations,
  removePins,
  type PinRoot,
} from './pins.ts';

export interface ProgramPaths extends PinRoot {
  /** The directory of the lock: `/run/INSTANCE`. */
  readonly runtime: string;
}

export interface Loading {
  /** The sources, apart from the object file, that distinguish generations. */
  readonly madeOf: readonly MapEntry[];
  /** Programs that are left out if the kernel lacks their hook. */
  readonly optional?: readonly string[];
  /** Returns the map entries of a generation of that name, for which it may choose a self-test. */
  readonly entries: (generation: string) => readonly MapEntry[];
  /** Checks, once everything is attached, that it works; returns why not. */
  readonly prove: (generation: string) => Cause | undefined;
  /** Whether a generation from the same sources still works; assumed if this is not given. */
  readonly stillWorks?: (generation: string) => boolean;
  /** Called before the programs in force are replaced. */
  readonly beforeReplacing?: () => void;
}

export class Programs {
  readonly #name: string;
  readonly #paths: ProgramPaths;
  readonly #file: string;

  /**
   * Creates the programs. `name`: of the object file below dist/bpf, and of the pins; no name is a prefix of another.
   */
  constructor(name: string, paths: ProgramPaths) {
    this.#name = name;
    this.#paths = paths;
    this.#file = packageFile(`dist/bpf/${name}.bpf.o`);
  }

  /** Loads them, unless the same are in force. Returns whether anything was changed. */
  load(loading: Loading): Result<boolean, Problem> {
    const locked = this.#lock();
    if (!locked.ok) return locked;
    using _lock = locked.value;
    const opened = openPins(this.#paths);
    if (!opened.ok) return opened;
    using pins = opened.value;
    const digest = this.digest(loading.madeOf);
    if (!digest.ok) return digest;
    const now = generationsOf(pins, this.#name).at(-1);
    if (now?.endsWith(`-${digest.value}`) === true && loading.stillWorks?.(now) !== false) {
      // Leftovers of a killed loader.
      removeGenerations(pins, this.#name, now);
      return ok(false);
    }
    if (now !== undefined) loading.beforeReplacing?.();
    const generation = `${newGeneration()}-${digest.value}`;
    const loaded = loadObject(
      {
        file: this.#file,
        name: this.#name,
        generation,
        entries: loading.entries(generation),
        optional: loading.optional ?? [],
        prove: () => loading.prove(generation),
      },
      pins,
    );
    return loaded.ok ? ok(true) : loaded;
  }

  /** Unloads them. Returns whether there were any. */
  unload(): Result<boolean, Problem> {
    const found = existingPins(this.#paths);
    if (found === undefined) return ok(false);
    using pins = found;
    const locked = this.#lock();
    if (!locked.ok) return locked;
    using _lock = locked.value;
    try {
      const removed = removeGenerations(pins, this.#name);
      const emptied = removePins(this.#paths);
      return emptied.ok ? ok(removed > 0) : emptied;
    } catch (error) {
      return failed({ action: 'take out the BPF programs', object: this.#name, ...causeOf(error) });
    }
  }

  /** Calls `use` with the directory of pins in force; does not call it if there are none. */
  inForce<T>(use: (directory: string, generation: string) => T): T | undefined {
    const found = existingPins(this.#paths);
    if (found === undefined) return undefined;
    using pins = found;
    const generation = generationsOf(pins, this.#name).at(-1);
    if (generation === undefined) return undefined;
    return use(generationPath(pins, this.#name, generation), generation);
  }

  /** Returns whether any are in force, even if nothing of them can be read. */
  areInForce(): boolean {
    return this.inForce(() => true) ?? false;
  }

  /** Returns the digest in hexadecimal. */
  digest(madeOf: readonly MapEntry[]): Result<string, Problem> {
    try {
      const hash = createHash('sha256').update(readFileSync(this.#file));
      for (const { map, key, value } of madeOf) hash.update(map).update(key).update(value);
      return ok(hash.digest('hex').slice(0, 16));
    } catch (error) {
      const hint = 'install the package again; in a clone run: node scripts/bpf.ts';
      return failed({ action: 'read', object: this.#file, ...causeOf(error), hint });
    }
  }

  #lock(): Result<FileLock, Problem> {
    const { runtime } = this.#paths;
    try {
      mkdirSync(runtime, { recursive: true, mode: 0o755 });
    } catch (error) {
      return failed({ action: 'create the directory', object: runtime, ...causeOf(error) });
    }
    return lockFile(`${runtime}/${this.#name}-programs.lock`, { waitMs: 60_000 });
  }
}
