/**
 * The gate in the kernel: BPF programs with the list of the running kernel, which the kernel calls
 * before it reads or loads a module. They are pinned, so they stay when this process ends. A new
 * list is a new generation; the older one goes once the new one has passed its self-test.
 */
import { underLock } from '../../../sys/files/under-lock.ts';
import type { MapEntry } from '../../../../packages/base/map-entry.ts';
import { causedBy, failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { PinnedMap } from '../../../sys/bpf/maps.ts';
import { lsmProblem } from '../../../sys/bpf/lsm.ts';
import { gateModes, type GateMode } from '../../core/gate/gate-event.ts';
import { listedDigests, listedMax, type GateList } from '../../core/gate/gate-list.ts';
import { hostRoots, runningRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import type { GateLists } from './gate-lists.ts';
import { gatePrograms, takeRefusals } from './refusals.ts';
import { makeCanary, unprovenBy, type Canary } from './prove-gate.ts';

/** Returns the reason why the gate cannot work here, and a remedy. */
export function gateObstacle(paths: Paths): Cause | undefined {
  const obstacle = lsmProblem(paths);
  if (obstacle !== undefined) return obstacle;
  const programs = gatePrograms(paths).digest([]);
  return programs.ok ? undefined : causedBy(programs.error);
}

/** Returns the kernel's current mode. */
export const gateMode = (paths: Paths): GateMode =>
  gatePrograms(paths).inForce((directory) => {
    const map = PinnedMap.open(`${directory}/map_mode`);
    if (!map.ok) return undefined;
    using open = map.value;
    return gateModes[open.get(new Uint8Array(4), 4)?.readUInt32LE(0) ?? 0];
  }) ?? 'off';

/**
 * Loads the list of the running kernel. When this returns, the whole list is in force, or
 * everything is as before.
 */
export function switchGate(
  paths: Paths,
  mode: Exclude<GateMode, 'off'>,
  list: GateList,
): Result<void, Problem> {
  const obstacle = gateObstacle(paths) ?? tooMany(list);
  if (obstacle !== undefined) return failed({ ...obstacle, action: `set the gate to "${mode}"` });
  using canary = makeCanary();
  const entries = entriesOf(mode, listedDigests(list));
  const loaded = gatePrograms(paths).load({
    madeOf: entries,
    entries: () => [...entries, ...canaryEntries(canary)],
    prove: () => unproven(canary, mode, paths),
    // Refusals that the replaced programs recorded would be lost.
    beforeReplacing: () => void takeRefusals(paths),
  });
  return loaded.ok ? ok(undefined) : loaded;
}

function tooMany(list: GateList): Cause | undefined {
  const { length } = listedDigests(list);
  if (length < listedMax) return undefined;
  return { reason: `${length} modules are more than the ${listedMax} that it can hold` };
}

/**
 * Returns why the gate is not proven. If a gate is already on, nothing can be shown: it would
 * refuse as well.
 */
const unproven = (canary: Canary, mode: GateMode, paths: Paths): Cause | undefined =>
  gateMode(paths) === 'on' ? undefined : unprovenBy(canary, mode, paths.sys);

const loads = Uint8Array.of(1);
const isRefused = Uint8Array.of(2);

function entriesOf(mode: GateMode, digests: readonly string[]): readonly MapEntry[] {
  const now = Uint32Array.of(gateModes.indexOf(mode));
  return [
    { map: 'mode', key: new Uint8Array(4), value: new Uint8Array(now.buffer) },
    ...digests.map((each) => entryOf(each, loads)),
  ];
}

const canaryEntries = ({ listed, refused }: Canary): readonly MapEntry[] => [
  entryOf(listed.sha256, loads),
  entryOf(refused.sha256, isRefused),
];

const entryOf = (sha256: string, value: Uint8Array): MapEntry => ({
  map: 'listed',
  key: Uint8Array.fromHex(sha256),
  value,
});

/** Returns the path of the lock for whatever reads the mode to act on it, or changes it. */
export const gateLock = ({ runtime }: Paths): string => `${runtime}/modules-gate.lock`;

/** Loads the list again if the gate is on or watches. */
export function refreshGate(paths: Paths, lists: GateLists): Result<void, Problem> {
  return underLock(gateLock(paths), () => {
    const mode = gateMode(paths);
    if (mode === 'off') return ok(undefined);
    const list = runningList(lists);
    return list.ok ? switchGate(paths, mode, list.value) : list;
  });
}

export function runningList(lists: GateLists): Result<GateList, Problem> {
  const release = runningRelease(hostRoots) ?? '';
  const list = lists.read(release);
  if (!list.ok) return list;
  if (list.value !== undefined) return ok(list.value);
  return failed({
    action: 'find the list of modules of',
    object: `Linux ${release}`,
    reason: 'none was made',
    hint: `run: bulkhead modules gate update ${release}`,
  });
}

/** Unloads the gate: every module loads again. */
export function dropGate(paths: Paths): Result<boolean, Problem> {
  takeRefusals(paths);
  return gatePrograms(paths).unload();
}
