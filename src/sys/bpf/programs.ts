/**
 * Programs of one kind in the kernel: loaded by one process at a time, pinned in generations, and found again by everybody.
 * The name of a generation ends with a digest of what it was made of.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import type { MapEntry } from '../../base/map-entry.ts';
import { failed, type Cause, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { causeOf } from '../errno.ts';
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
  /** For the lock: `/run/INSTANCE`. */
  readonly runtime: string;
}

export interface Loading {
  /** Beside the object file, what makes a generation another one. */
  readonly madeOf: readonly MapEntry[];
  /** Programs that are left out where the kernel lacks their hook. */
  readonly optional?: readonly string[];
  /** Of a generation of that name, for which a canary may be chosen. */
  readonly entries: (generation: string) => readonly MapEntry[];
  /** Why it does not work all the same, asked when everything is attached. */
  readonly prove: (generation: string) => Cause | undefined;
  /** Whether one that was made of the same still works; it does if this is not given. */
  readonly stillWorks?: (generation: string) => boolean;
  /** Called before programs that are in force are replaced. */
  readonly beforeReplacing?: () => void;
}

export class Programs {
  readonly #name: string;
  readonly #paths: ProgramPaths;
  readonly #file: string;

  /** `name`: of the object file below dist/bpf, and of the pins; none is the beginning of another. */
  constructor(name: string, paths: ProgramPaths) {
    this.#name = name;
    this.#paths = paths;
    this.#file = packageFile(`dist/bpf/${name}.bpf.o`);
  }

  /** Loads them, unless the same are in force. Answers whether anything was changed. */
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
      // What a loader that was killed has left.
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

  /** Takes them out. Answers whether there were any. */
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

  /** `use` gets where those in force are pinned; it is not called where there are none. */
  inForce<T>(use: (directory: string, generation: string) => T): T | undefined {
    const found = existingPins(this.#paths);
    if (found === undefined) return undefined;
    using pins = found;
    const generation = generationsOf(pins, this.#name).at(-1);
    if (generation === undefined) return undefined;
    return use(generationPath(pins, this.#name, generation), generation);
  }

  /** Whether any are in force, whatever can be read of them. */
  areInForce(): boolean {
    return this.inForce(() => true) ?? false;
  }

  /** Hexadecimal. */
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
