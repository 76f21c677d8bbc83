/** The guard in the kernel: loading it, what of it is in force, and taking it out. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { lsmProblem } from '../../../sys/bpf/lsm.ts';
import { PinnedMap } from '../../../sys/bpf/maps.ts';
import { loadObject } from '../../../sys/bpf/object.ts';
import {
  existingPins,
  generationPath,
  generationsOf,
  newGeneration,
  openPins,
  removeGenerations,
  removePins,
} from '../../../sys/bpf/pins.ts';
import { causeOf } from '../../../sys/errno.ts';
import { lockFile, type FileLock } from '../../../sys/files/flock.ts';
import type { PinnedDirectory } from '../../../sys/files/pinned-directory.ts';
import { packageFile } from '../../../sys/package-files.ts';
import {
  canaryOf,
  entriesMax,
  entriesOf,
  ruleOf,
  sameRule,
  type GuardRule,
  type MapDump,
} from '../../core/guard/rule.ts';
import { canaryProblem } from './canary.ts';

const objectFile = packageFile('dist/bpf/symlinks.bpf.o');
export const pinName = 'symlinks';
const action = 'turn the symlink guard on';

/** What is pinned; whether it refuses has to be tried. */
export interface InForce {
  readonly generation: string;
  readonly rule: GuardRule;
  readonly counters: Counters;
}

/** Since this generation was loaded. */
export interface Counters {
  /** Links of others than trusted owners that those who are held have begun to follow. */
  readonly followed: number;
  readonly refused: number;
  readonly watched: number;
  /** Refused because they were within more than eight links. */
  readonly tooDeep: number;
  readonly noMemory: number;
  /** Refusals that could not be reported. */
  readonly unreported: number;
}

export const counterNames: readonly (keyof Counters)[] = [
  'followed',
  'refused',
  'watched',
  'tooDeep',
  'noMemory',
  'unreported',
];

/** Why the guard cannot be loaded here, as far as can be said without trying. */
export const guardObstacle = (paths: Paths): Cause | undefined => lsmProblem(paths);

/** Loads it, unless the same is in force and refuses. Answers whether anything was changed. */
export function loadGuard(rule: GuardRule, paths: Paths): Result<boolean, Problem> {
  if (process.geteuid?.() !== 0)
    return failed({ action, reason: 'only root can do that', hint: 'run it as root' });
  const obstacle = guardObstacle(paths);
  if (obstacle !== undefined) return failed({ action, ...obstacle });
  const locked = lock(paths);
  if (!locked.ok) return locked;
  using _lock = locked.value;
  const opened = openPins(paths);
  if (!opened.ok) return opened;
  using pins = opened.value;
  const object = objectDigest();
  if (!object.ok) return object;
  const now = readInForce(pins);
  if (now?.generation.endsWith(`-${object.value}`) === true && sameRule(now.rule, rule))
    if (canaryProblem(canaryOf(now.generation)) === undefined) {
      // What a loader that was killed has left.
      removeGenerations(pins, pinName, now.generation);
      return ok(false);
    }
  const generation = `${newGeneration()}-${object.value}`;
  const canary = canaryOf(generation);
  const loaded = loadObject(
    {
      file: objectFile,
      name: pinName,
      generation,
      entries: entriesOf(rule, canary),
      prove: () => canaryProblem(canary),
    },
    pins,
  );
  return loaded.ok ? ok(true) : loaded;
}

/** Another object is loaded again, though the rule is the same. */
function objectDigest(): Result<string, Problem> {
  try {
    return ok(createHash('sha256').update(readFileSync(objectFile)).digest('hex').slice(0, 12));
  } catch (error) {
    const hint = 'install the package again; in a clone run: node scripts/bpf.ts';
    return failed({ action: 'read', object: objectFile, ...causeOf(error), hint });
  }
}

function lock({ runtime }: Paths): Result<FileLock, Problem> {
  try {
    mkdirSync(runtime, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'create the directory', object: runtime, ...causeOf(error) });
  }
  return lockFile(`${runtime}/symlinks.lock`, { waitMs: 60_000 });
}

/** Takes it out. Answers whether there was anything. */
export function unloadGuard(paths: Paths): Result<boolean, Problem> {
  const found = existingPins(paths);
  if (found === undefined) return ok(false);
  const locked = lock(paths);
  if (!locked.ok) return locked;
  using _lock = locked.value;
  try {
    using pins = found;
    const removed = removeGenerations(pins, pinName);
    const emptied = removePins(paths);
    return emptied.ok ? ok(removed > 0) : emptied;
  } catch (error) {
    return failed({ action: 'turn the symlink guard off', ...causeOf(error) });
  }
}

/** What is in force now, if anything is. */
export function inForce(paths: Paths): InForce | undefined {
  const found = existingPins(paths);
  if (found === undefined) return undefined;
  using pins = found;
  return readInForce(pins);
}

/** Whether this rule is in force, by the programs of this version. */
export function isInForce(rule: GuardRule, paths: Paths): boolean {
  const now = inForce(paths);
  const object = objectDigest();
  if (now === undefined || !sameRule(now.rule, rule)) return false;
  return !object.ok || now.generation.endsWith(`-${object.value}`);
}

function readInForce(pins: PinnedDirectory): InForce | undefined {
  const generation = generationsOf(pins, pinName).at(-1);
  if (generation === undefined) return undefined;
  const directory = generationPath(pins, pinName, generation);
  const subjects = dump(`${directory}/map_subjects`, 8);
  const owners = dump(`${directory}/map_owners`, 4);
  const counters = readCounters(`${directory}/map_counters`);
  if (subjects === undefined || owners === undefined || counters === undefined) return undefined;
  return { generation, rule: ruleOf(subjects, owners, canaryOf(generation)), counters };
}

function dump(path: string, keyBytes: number): readonly MapDump[] | undefined {
  const opened = PinnedMap.open(path);
  if (!opened.ok) return undefined;
  using map = opened.value;
  return map.keys(keyBytes, 2 * entriesMax).flatMap((key) => {
    const value = map.get(key, 4);
    return value === undefined ? [] : [{ key, value }];
  });
}

function readCounters(path: string): Counters | undefined {
  const opened = PinnedMap.open(path);
  if (!opened.ok) return undefined;
  using map = opened.value;
  return Object.fromEntries(
    counterNames.map((name, index) => [name, map.sum(index)]),
  ) as unknown as Counters;
}

/** Whether what is in force refuses, tried now; why not. */
export const tryGuard = ({ generation }: InForce): Cause | undefined =>
  canaryProblem(canaryOf(generation));
