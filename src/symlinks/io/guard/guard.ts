/** The guard in the kernel: loads it, reads its state, and unloads it. */
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { BpfGuard } from '../../../sys/bpf/bpf-guard.ts';
import type { BpfMap } from '../../../sys/bpf/maps.ts';
import {
  entriesMax,
  guardMapEntries,
  ruleOf,
  sameRule,
  guardSelfTestEntry,
  type GuardRule,
  type MapDump,
} from '../../core/guard/rule.ts';
import { selfTestGroup, guardSelfTestProblem } from './self-test.ts';

const action = 'enable the symlink guard';

export const symlinkGuard = (paths: Paths): BpfGuard<GuardRule> =>
  new BpfGuard<GuardRule>(
    {
      name: 'symlinks',
      action: () => action,
      optional: [
        'symlinks_get_acl',
        'symlinks_file_getattr',
        'symlinks_chmod',
        'symlinks_chown',
        'symlinks_open_tree',
      ],
      entries: guardMapEntries,
      selfTest: (_rule, generation) => ({
        entries: [guardSelfTestEntry(selfTestGroup(generation))],
        run: () => guardSelfTestProblem(selfTestGroup(generation)),
      }),
      testsAgain: true,
    },
    paths,
  );

/** The loaded guard; whether it refuses has to be tested. */
export interface InForce {
  readonly generation: string;
  readonly rule: GuardRule;
  readonly counters: GuardCounters;
}

/** Counters since this generation was loaded. */
export interface GuardCounters {
  /** Links of owners who are not trusted that restricted users have begun to follow. */
  readonly followed: number;
  /** Links that were refused. */
  readonly refused: number;
  /** Links that would have been refused, since the guard only watches. */
  readonly watched: number;
  /** Links refused because they were within more than eight links. */
  readonly tooDeep: number;
  /** Links refused because the kernel had no memory to judge them. */
  readonly noMemory: number;
  /** Refusals that could not be reported. */
  readonly unreported: number;
}

export const counterNames: readonly (keyof GuardCounters)[] = [
  'followed',
  'refused',
  'watched',
  'tooDeep',
  'noMemory',
  'unreported',
];

/** Loads it, unless the same rule is in force and refuses. Returns whether anything was changed. */
export function loadGuard(rule: GuardRule, paths: Paths): Result<boolean, Problem> {
  if (process.geteuid?.() !== 0)
    return failed({ action, reason: 'only root can do that', hint: 'run it as root' });
  return symlinkGuard(paths).load(rule);
}

/** Returns the guard in force, if there is one. */
export const inForce = (paths: Paths): InForce | undefined =>
  symlinkGuard(paths).withMaps(
    ['subjects', 'owners', 'counters'],
    ({ subjects, owners, counters }, generation) => ({
      generation,
      rule: ruleOf(dump(subjects, 8), dump(owners, 4), selfTestGroup(generation)),
      counters: readCounters(counters),
    }),
  );

/** Whether this rule is in force, by the programs of this version. */
export function isGuardInForce(rule: GuardRule, paths: Paths): boolean {
  const now = inForce(paths);
  if (now === undefined || !sameRule(now.rule, rule)) return false;
  return symlinkGuard(paths).isCurrent(rule, now.generation);
}

const dump = (map: BpfMap, keyBytes: number): readonly MapDump[] =>
  map.keys(keyBytes, 2 * entriesMax).flatMap((key) => {
    const value = map.get(key, 4);
    return value === undefined ? [] : [{ key, value }];
  });

const readCounters = (map: BpfMap): GuardCounters =>
  Object.fromEntries(
    counterNames.map((name, index) => [name, map.sum(index)]),
  ) as unknown as GuardCounters;

/** Tests whether the guard in force refuses; returns the reason if it does not. */
export const tryGuard = ({ generation }: InForce): Cause | undefined =>
  guardSelfTestProblem(selfTestGroup(generation));
