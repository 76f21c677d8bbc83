/** Strict placement in the kernel: loads it, reads its state, and unloads it. */
import { randomInt } from 'node:crypto';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { KeptEvents } from '../../host/kept-events.ts';
import type { Paths } from '../../host/paths.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { PinnedMap, RingReader } from '../../sys/bpf/maps.ts';
import { Programs } from '../../sys/bpf/programs.ts';
import type { StrictMode } from '../../policy/document.ts';
import { parseStrictEvent } from '../core/strict-event.ts';
import {
  entriesOf,
  placeBytes,
  placeLength,
  placesMax,
  rangeBytes,
  rangeLength,
  rangesMax,
  type Place,
  type StrictRule,
} from '../core/strict-rule.ts';
import { words } from '../../../packages/base/map-entry.ts';
import { canaryProblem } from './canary.ts';
import { knownEvents, type KeptStrictEvent } from './known-events.ts';

export const strictPrograms = (paths: Paths) => new Programs('tenants', paths);
const action = 'turn strict placement on';
/** The self-test's uids, which no account has, below those that the kernel reserves. */
const canaries = [0xfff1_0000, 0xfff1_ffff] as const;

export interface StrictState {
  readonly placement: StrictMode | null;
  readonly modules: StrictMode | null;
  /**
   * The number of tasks since it was loaded that would have become a tenant's outside its cgroup, and of modules that
   * tenants asked for.
   */
  readonly outside: number;
  readonly modulesAsked: number;
  /** ISO 8601, UTC. */
  readonly loadedAt: string;
}

/** Returns the reason why it cannot be loaded here, as far as it is known without trying. */
export const strictObstacle = (paths: Paths): Cause | undefined => lsmProblem(paths);

/** Loads it, unless the same rule is in force. Returns whether anything was changed. */
export function loadStrict(rule: StrictRule, paths: Paths): Result<boolean, Problem> {
  const obstacle = strictObstacle(paths) ?? tooMany(rule);
  if (obstacle !== undefined) return failed({ action, ...obstacle });
  const canary = randomInt(canaries[0], canaries[1]);
  return strictPrograms(paths).load({
    madeOf: entriesOf(rule, 0),
    entries: () => entriesOf(rule, canary),
    prove: () => (rule.placement === undefined ? undefined : canaryProblem(canary)),
    // Events of the replaced programs would be lost.
    beforeReplacing: () => void takeStrictEvents(paths),
  });
}

function tooMany({ places, ranges }: StrictRule): Cause | undefined {
  if (places.length > placesMax)
    return { reason: `${places.length} tenants are more than the ${placesMax} that it can hold` };
  if (ranges.length <= rangesMax) return undefined;
  return {
    reason: `tenants have ${ranges.length} ranges of subordinate uids, more than the ${rangesMax} that it can hold`,
    hint: 'take tenants out of /etc/subuid',
  };
}

/** Unloads it. Returns whether it was loaded. */
export function unloadStrict(paths: Paths): Result<boolean, Problem> {
  takeStrictEvents(paths);
  return strictPrograms(paths).unload();
}

/** Returns the current state; undefined if nothing is in force. */
export function strictState(paths: Paths): StrictState | undefined {
  return strictPrograms(paths).inForce((directory, generation) => {
    const settings = PinnedMap.open(`${directory}/map_settings`);
    const counters = PinnedMap.open(`${directory}/map_counters`);
    if (!settings.ok || !counters.ok) return undefined;
    using map = settings.value;
    using counts = counters.value;
    const value = map.get(new Uint8Array(4), 12);
    if (value === undefined) return undefined;
    return {
      placement: modeOf(value.readUInt32LE(0)),
      modules: modeOf(value.readUInt32LE(4)),
      outside: counts.sum(0),
      modulesAsked: counts.sum(1),
      // The name of a generation begins with the time.
      loadedAt: new Date(Number.parseInt(generation, 36)).toISOString(),
    };
  });
}

/** Returns the tenants of a rule that the kernel lacks, or has with other values; undefined if nothing is in force. */
export function notEnforced(rule: StrictRule, paths: Paths): readonly number[] | undefined {
  return strictPrograms(paths).inForce((directory) => {
    const [places, ranges, settings] = ['tenants', 'ranges', 'settings'].map((name) =>
      PinnedMap.open(`${directory}/map_${name}`),
    );
    if (places?.ok !== true || ranges?.ok !== true || settings?.ok !== true) return undefined;
    using tenantsMap = places.value;
    using rangesMap = ranges.value;
    using settingsMap = settings.value;
    const held = settingsMap.get(words(0), 12)?.readUInt32LE(8) ?? 0;
    const known = new Set<string>();
    for (let at = 0; at < held; at++)
      known.add(rangesMap.get(words(at), rangeLength)?.toHex() ?? '');
    const isPlaced = (each: Place) =>
      tenantsMap.get(words(each.uid), placeLength)?.equals(placeBytes(each)) === true;
    return [
      ...new Set([
        ...rule.places.filter((each) => !isPlaced(each)).map(({ uid }) => uid),
        ...rule.ranges
          .filter((each) => !known.has(rangeBytes(each).toHex()))
          .map(({ owner }) => owner),
      ]),
    ].sort((a, b) => a - b);
  });
}

const modeOf = (number: number): StrictMode | null =>
  ([null, 'on', 'watch'] as const)[number] ?? null;

const takenMax = 4_096;

const recordOf = ({ state }: Paths) =>
  new KeptEvents<KeptStrictEvent>(`${state}/placement-events.jsonl`);

/** Returns the stored events, the oldest first. */
export const keptStrictEvents = (paths: Paths): readonly KeptStrictEvent[] =>
  recordOf(paths).list();

/** Returns and stores the events since the last call: what was refused, or would have been. */
export function takeStrictEvents(paths: Paths): Result<readonly KeptStrictEvent[], Problem> {
  const taken = strictPrograms(paths).inForce((directory) =>
    recordOf(paths).take(() => takeFrom(`${directory}/map_events`, paths)),
  );
  return taken ?? ok([]);
}

function takeFrom(ring: string, paths: Paths): Result<readonly KeptStrictEvent[], Problem> {
  const opened = RingReader.open(ring);
  if (!opened.ok) return opened;
  using reader = opened.value;
  const events = reader.take(takenMax).flatMap((bytes) => parseStrictEvent(bytes) ?? []);
  return ok(knownEvents(events, paths));
}
