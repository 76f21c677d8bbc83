/** Strict placement in the kernel: loads it, reads its state, and unloads it. */
import type { Cause, Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { KeptEvents } from '../../host/kept-events.ts';
import type { Paths } from '../../host/paths.ts';
import { BpfGuard } from '../../sys/bpf/bpf-guard.ts';
import { RingReader } from '../../sys/bpf/maps.ts';
import type { StrictMode } from '../../policy/document.ts';
import { parseStrictEvent } from '../core/strict-event.ts';
import {
  placementMapEntries,
  placeBytes,
  placeLength,
  placesMax,
  rangeBytes,
  rangeLength,
  rangesMax,
  placementSelfTestEntry,
  type CgroupPath,
  type StrictRule,
} from '../core/strict-rule.ts';
import { u32le } from '../../../packages/base/map-entry.ts';
import { knownEvents, type KeptStrictEvent } from './known-events.ts';
import { placementSelfTestProblem, placementSelfTestUid } from './self-test.ts';

export const placementGuard = (paths: Paths): BpfGuard<StrictRule> =>
  new BpfGuard<StrictRule>(
    {
      name: 'placement',
      action: () => 'enable strict placement',
      tooLarge: tooMany,
      entries: placementMapEntries,
      selfTest: ({ placement }, generation) => ({
        entries: [placementSelfTestEntry(placementSelfTestUid(generation))],
        run: () =>
          placement === undefined
            ? undefined
            : placementSelfTestProblem(placementSelfTestUid(generation)),
      }),
      // Their events would be lost.
      beforeEnd: () => void takeStrictEvents(paths),
    },
    paths,
  );

export interface StrictState {
  /** Whether strict placement refuses or only reports; null if it is off. */
  readonly placement: StrictMode | null;
  /** Whether `<modules autoload>` refuses or only reports; null if it is off. */
  readonly modules: StrictMode | null;
  /** The number of tasks since it was loaded that would have taken a tenant's uid outside its cgroup. */
  readonly outside: number;
  /** The number of requests for modules by tenants since then. */
  readonly modulesAsked: number;
  /** ISO 8601, UTC. */
  readonly loadedAt: string;
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

/** Returns the current state; undefined if nothing is in force. */
export function strictState(paths: Paths): StrictState | undefined {
  return placementGuard(paths).withMaps(['settings', 'counters'], (maps, generation) => {
    const value = maps.settings.get(new Uint8Array(4), 12);
    if (value === undefined) return undefined;
    return {
      placement: modeOf(value.readUInt32LE(0)),
      modules: modeOf(value.readUInt32LE(4)),
      outside: maps.counters.sum(0),
      modulesAsked: maps.counters.sum(1),
      // The name of a generation begins with the time.
      loadedAt: new Date(Number.parseInt(generation, 36)).toISOString(),
    };
  });
}

/** Returns the tenants of a rule that the kernel lacks, or has with other values; undefined if nothing is in force. */
export function notEnforced(rule: StrictRule, paths: Paths): readonly number[] | undefined {
  return placementGuard(paths).withMaps(['tenants', 'ranges', 'settings'], (maps) => {
    const held = maps.settings.get(u32le(0), 12)?.readUInt32LE(8) ?? 0;
    const known = new Set<string>();
    for (let at = 0; at < held; at++)
      known.add(maps.ranges.get(u32le(at), rangeLength)?.toHex() ?? '');
    const isPlaced = (each: CgroupPath) =>
      maps.tenants.get(u32le(each.uid), placeLength)?.equals(placeBytes(each)) === true;
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
  const taken = placementGuard(paths).inForce((directory) =>
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
