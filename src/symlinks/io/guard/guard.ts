/** The guard in the kernel: loads it, reads its state, and unloads it. */
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { lsmProblem } from '../../../sys/bpf/lsm.ts';
import { PinnedMap } from '../../../sys/bpf/maps.ts';
import { Programs } from '../../../sys/bpf/programs.ts';
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

export const guardPrograms = (paths: Paths) => new Programs('symlinks', paths);
/** The value in digests, which must not depend on a generation. */
const noCanary = 0;
const action = 'turn the symlink guard on';

/** The loaded guard; whether it refuses has to be tested. */
export interface InForce {
  readonly generation: string;
  readonly rule: GuardRule;
  readonly counters: Counters;
}

/** Counters since this generation was loaded. */
export interface Counters {
  /** Links of owners who are not trusted that restricted users have begun to follow. */
  readonly followed: number;
  readonly refused: number;
  readonly watched: number;
  /** Links refused because they were within more than eight links. */
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

/** Returns the reason why the guard cannot be loaded here, as far as it is known without trying. */
export const guardObstacle = (paths: Paths): Cause | undefined => lsmProblem(paths);

/** Loads it, unless the same rule is in force and refuses. Returns whether anything was changed. */
export function loadGuard(rule: GuardRule, paths: Paths): Result<boolean, Problem> {
  if (process.geteuid?.() !== 0)
    return failed({ action, reason: 'only root can do that', hint: 'run it as root' });
  const obstacle = guardObstacle(paths);
  if (obstacle !== undefined) return failed({ action, ...obstacle });
  return guardPrograms(paths).load({
    madeOf: entriesOf(rule, noCanary),
    optional: [
      'symlinks_get_acl',
      'symlinks_file_getattr',
      'symlinks_chmod',
      'symlinks_chown',
      'symlinks_open_tree',
    ],
    entries: (generation) => entriesOf(rule, canaryOf(generation)),
    prove: (generation) => canaryProblem(canaryOf(generation)),
    stillWorks: (generation) => canaryProblem(canaryOf(generation)) === undefined,
  });
}

/** Unloads it. Returns whether it was loaded. */
export const unloadGuard = (paths: Paths): Result<boolean, Problem> =>
  guardPrograms(paths).unload();

/** Returns the guard in force, if there is one. */
export const inForce = (paths: Paths): InForce | undefined =>
  guardPrograms(paths).inForce((directory, generation) => {
    const subjects = dump(`${directory}/map_subjects`, 8);
    const owners = dump(`${directory}/map_owners`, 4);
    const counters = readCounters(`${directory}/map_counters`);
    if (subjects === undefined || owners === undefined || counters === undefined) return undefined;
    return { generation, rule: ruleOf(subjects, owners, canaryOf(generation)), counters };
  });

/** Whether this rule is in force, by the programs of this version. */
export function isInForce(rule: GuardRule, paths: Paths): boolean {
  const now = inForce(paths);
  if (now === undefined || !sameRule(now.rule, rule)) return false;
  const digest = guardPrograms(paths).digest(entriesOf(rule, noCanary));
  return !digest.ok || now.generation.endsWith(`-${digest.value}`);
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

/** Tests whether the guard in force refuses; returns the reason if it does not. */
export const tryGuard = ({ generation }: InForce): Cause | undefined =>
  canaryProblem(canaryOf(generation));
