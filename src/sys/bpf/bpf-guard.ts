/**
 * A guard made of BPF programs: one process at a time loads and pins them in generations, and every process finds them.
 * A generation counts once its self-test was refused. Its name ends with a digest of its sources.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import type { MapEntry } from '../../../packages/base/map-entry.ts';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { lockFile, type FileLock } from '../files/flock.ts';
import type { PinnedDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { packageFile } from '../package-files.ts';
import { lsmProblem } from './lsm.ts';
import { BpfMap } from './maps.ts';
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
import type { SelfTest } from './self-test.ts';

export interface GuardPaths extends PinRoot {
  readonly proc: string;
  /** The directory of the lock: `/run/INSTANCE`. */
  readonly runtime: string;
}

/** The differences between guards. */
export interface GuardKind<Rule> {
  /** The name of the object file below dist/bpf, and of the pins; no name is a prefix of another. */
  readonly name: string;
  /** Returns the action for messages: `enable the symlink guard`. */
  readonly action: (rule: Rule) => string;
  /** Programs that are left out if the kernel lacks their hook. */
  readonly optional?: readonly string[];
  /** Programs that are not loaded. Where they are loaded already, they stay. */
  readonly omitted?: readonly string[];
  /** Returns why the maps cannot hold the rule. */
  readonly tooLarge?: (rule: Rule) => Cause | undefined;
  /** Returns the entries of the maps, without the self-test's. */
  readonly entries: (rule: Rule) => readonly MapEntry[];
  /** Returns why this kernel cannot run the programs; by default, why they could not decide as security modules. */
  readonly blocker?: (paths: GuardPaths) => Cause | undefined;
  /** Returns what needs new programs when it changes, where the maps of programs in force can take another rule. */
  readonly needs?: (rule: Rule) => string;
  /** The cgroup and the sizes of BpfObject. */
  readonly cgroup?: number;
  readonly sizes?: (rule: Rule) => ReadonlyMap<string, number>;
  readonly selfTest: (rule: Rule, generation: string) => SelfTest;
  /** Whether the self-test also runs before a generation in force is kept. */
  readonly testsAgain?: true;
  /** Called before programs in force are replaced or unloaded. */
  readonly beforeEnd?: () => void;
}

/** The programs in force, of whichever rule. */
export type AnyGuard = Pick<BpfGuard<never>, 'inForce'>;

export class BpfGuard<Rule> {
  readonly #kind: GuardKind<Rule>;
  readonly #paths: GuardPaths;
  readonly #file: string;

  constructor(kind: GuardKind<Rule>, paths: GuardPaths) {
    this.#kind = kind;
    this.#paths = paths;
    this.#file = packageFile(`dist/bpf/${kind.name}.bpf.o`);
  }

  /** Loads the rule, or unloads the guard if there is none. Returns whether anything was changed. */
  reconcile(rule: Rule | undefined): Result<boolean, Problem> {
    return rule === undefined ? this.unload() : this.load(rule);
  }

  /** Loads the rule, unless it is in force. Returns whether anything was changed. */
  load(rule: Rule): Result<boolean, Problem> {
    const { name, action, tooLarge, entries, beforeEnd, blocker: whyNot = lsmProblem } = this.#kind;
    const blocker = whyNot(this.#paths) ?? tooLarge?.(rule);
    if (blocker !== undefined) return failed({ ...blocker, action: action(rule) });
    const locked = this.#lock();
    if (!locked.ok) return locked;
    using _lock = locked.value;
    const opened = openPins(this.#paths);
    if (!opened.ok) return opened;
    using pins = opened.value;
    const sources = entries(rule);
    const digest = this.#digest(rule, sources);
    if (!digest.ok) return digest;
    const now = generationsOf(pins, name).at(-1);
    if (now?.endsWith(`-${digest.value}`) === true && this.#stillWorks(rule, now)) {
      // Leftovers of a killed loader.
      removeGenerations(pins, name, now);
      return ok(false);
    }
    if (now !== undefined) beforeEnd?.();
    return this.#loadNew(rule, sources, `${newGeneration()}-${digest.value}`, pins);
  }

  #stillWorks(rule: Rule, generation: string): boolean {
    const { selfTest, testsAgain } = this.#kind;
    return testsAgain !== true || selfTest(rule, generation).run() === undefined;
  }

  #loadNew(
    rule: Rule,
    sources: readonly MapEntry[],
    generation: string,
    pins: PinnedDirectory,
  ): Result<boolean, Problem> {
    const { name, optional = [], omitted = [], selfTest, cgroup, sizes } = this.#kind;
    const test = selfTest(rule, generation);
    try {
      const entries = [...sources, ...test.entries];
      const object = {
        file: this.#file,
        name,
        generation,
        entries,
        optional,
        omitted,
        prove: test.run,
        ...(cgroup === undefined ? {} : { cgroup }),
        ...(sizes === undefined ? {} : { sizes: sizes(rule) }),
      };
      const loaded = loadObject(object, pins);
      return loaded.ok ? ok(true) : loaded;
    } finally {
      test[Symbol.dispose]?.();
    }
  }

  /** Unloads the guard. Returns whether it was loaded. */
  unload(): Result<boolean, Problem> {
    const { name, beforeEnd } = this.#kind;
    const found = existingPins(this.#paths);
    if (found === undefined) return ok(false);
    using pins = found;
    const locked = this.#lock();
    if (!locked.ok) return locked;
    using _lock = locked.value;
    try {
      beforeEnd?.();
      const removed = removeGenerations(pins, name);
      const emptied = removePins(this.#paths);
      return emptied.ok ? ok(removed > 0) : emptied;
    } catch (error) {
      return failed({ action: 'take out the BPF programs', object: name, ...causeOf(error) });
    }
  }

  /** Whether this rule is in force, by the programs of this version. True also if those cannot be read. */
  isCurrent(rule: Rule, generation: string): boolean {
    const digest = this.#digest(rule, this.#kind.entries(rule));
    return !digest.ok || generation.endsWith(`-${digest.value}`);
  }

  /** Returns why the programs cannot be read, if they cannot. */
  fileProblem(): Problem | undefined {
    const digest = this.#digestOf([]);
    return digest.ok ? undefined : digest.error;
  }

  /** Calls `use` with the directory of pins in force; does not call it if there are none. */
  inForce<T>(use: (directory: string, generation: string) => T): T | undefined {
    const found = existingPins(this.#paths);
    if (found === undefined) return undefined;
    using pins = found;
    const generation = generationsOf(pins, this.#kind.name).at(-1);
    if (generation === undefined) return undefined;
    return use(generationPath(pins, this.#kind.name, generation), generation);
  }

  /** Returns whether any are in force, even if nothing of them can be read. */
  areInForce(): boolean {
    return this.inForce(() => true) ?? false;
  }

  /** Calls `use` with these maps of the programs in force; does not call it if there are none, or one cannot be opened. */
  withMaps<Name extends string, T>(
    names: readonly Name[],
    use: (maps: Readonly<Record<Name, BpfMap>>, generation: string, directory: string) => T,
  ): T | undefined {
    return this.inForce((directory, generation) => {
      using opened = new DisposableStack();
      const maps: Partial<Record<Name, BpfMap>> = {};
      for (const name of names) {
        const map = BpfMap.open(`${directory}/map_${name}`);
        if (!map.ok) return undefined;
        maps[name] = opened.use(map.value);
      }
      return use(maps as Record<Name, BpfMap>, generation, directory);
    });
  }

  #digest(rule: Rule, entries: readonly MapEntry[]): Result<string, Problem> {
    const { needs } = this.#kind;
    return this.#digestOf(
      needs === undefined
        ? entries.flatMap(({ map, key, value }) => [map, key, value])
        : [needs(rule)],
    );
  }

  /** Returns the digest in hexadecimal. */
  #digestOf(parts: readonly (string | Uint8Array)[]): Result<string, Problem> {
    try {
      const hash = createHash('sha256').update(readFileSync(this.#file));
      for (const part of parts) hash.update(part);
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
    return lockFile(`${runtime}/${this.#kind.name}-programs.lock`, { waitMs: 60_000 });
  }
}
