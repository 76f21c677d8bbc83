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
import { BpfGuard } from '../../../sys/bpf/bpf-guard.ts';
import { lsmProblem, type LsmProblem } from '../../../sys/bpf/lsm.ts';
import type { SelfTest } from '../../../sys/bpf/self-test.ts';
import { gateModes, type GateMode } from '../../core/gate/gate-event.ts';
import { listedDigests, listedMax, type GateList } from '../../core/gate/gate-list.ts';
import { hostRoots, runningRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import type { GateLists } from './gate-lists.ts';
import { takeRefusalsOf, type GateRefusal } from './refusals.ts';
import { makeTestFiles, gateSelfTestProblem } from './self-test.ts';

interface GateRule {
  readonly mode: Exclude<GateMode, 'off'>;
  readonly list: GateList;
}

export const gateGuard = (paths: Paths): BpfGuard<GateRule> =>
  new BpfGuard<GateRule>(
    {
      name: 'modules',
      action: ({ mode }) => `set the gate to "${mode}"`,
      tooLarge: ({ list }) => tooMany(list),
      entries: ({ mode, list }) => entriesOf(mode, listedDigests(list)),
      selfTest: ({ mode }) => selfTest(mode, paths),
      // Refusals that they recorded would be lost.
      beforeEnd: () => void takeRefusals(paths),
    },
    paths,
  );

/** Takes new refusals from the kernel and keeps them; none if the gate is off. */
export const takeRefusals = (paths: Paths): Result<readonly GateRefusal[], Problem> =>
  takeRefusalsOf(gateGuard(paths), paths);

/** Returns the reason why the gate cannot work here, and a remedy. */
export function gateBlocker(paths: Paths): LsmProblem | undefined {
  const blocker = lsmProblem(paths);
  if (blocker !== undefined) return blocker;
  const unread = gateGuard(paths).fileProblem();
  return unread && causedBy(unread);
}

/** Returns the kernel's current mode. */
export const gateMode = (paths: Paths): GateMode =>
  gateGuard(paths).withMaps(
    ['mode'],
    (maps) => gateModes[maps.mode.get(new Uint8Array(4), 4)?.readUInt32LE(0) ?? 0],
  ) ?? 'off';

/**
 * Loads the list of the running kernel. When this returns, the whole list is in force, or
 * everything is as before.
 */
export function switchGate(
  paths: Paths,
  mode: GateRule['mode'],
  list: GateList,
): Result<void, Problem> {
  const loaded = gateGuard(paths).load({ mode, list });
  return loaded.ok ? ok(undefined) : loaded;
}

function tooMany(list: GateList): Cause | undefined {
  const { length } = listedDigests(list);
  if (length < listedMax) return undefined;
  return { reason: `${length} modules are more than the ${listedMax} that it can hold` };
}

/** Makes the self-test. If a gate is already on, nothing can be shown: it would refuse as well. */
function selfTest(mode: GateRule['mode'], paths: Paths): SelfTest {
  const files = makeTestFiles();
  const { listed, refused } = files;
  return {
    entries: [entryOf(listed.sha256, loads), entryOf(refused.sha256, isRefused)],
    run: () => (gateMode(paths) === 'on' ? undefined : gateSelfTestProblem(files, mode, paths.sys)),
    [Symbol.dispose]: () => files[Symbol.dispose](),
  };
}

const loads = Uint8Array.of(1);
const isRefused = Uint8Array.of(2);

function entriesOf(mode: GateMode, digests: readonly string[]): readonly MapEntry[] {
  const now = Uint32Array.of(gateModes.indexOf(mode));
  return [
    { map: 'mode', key: new Uint8Array(4), value: new Uint8Array(now.buffer) },
    ...digests.map((each) => entryOf(each, loads)),
  ];
}

const entryOf = (sha256: string, value: Uint8Array): MapEntry => ({
  map: 'listed',
  key: Uint8Array.fromHex(sha256),
  value,
});

/** Returns the path of the lock for whatever reads the mode to act on it, or changes it. */
export const gateLock = ({ runtime }: Paths): string => `${runtime}/modules-gate.lock`;

/** Loads the list again, in the mode that was chosen last. */
export function syncGate(paths: Paths, lists: GateLists): Result<void, Problem> {
  return underLock(gateLock(paths), () => {
    const mode = lists.mode();
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
    hint: `run: bulkhead modules gate sync ${release}`,
  });
}

/** Unloads the gate: every module loads again. */
export const dropGate = (paths: Paths): Result<boolean, Problem> => gateGuard(paths).unload();
