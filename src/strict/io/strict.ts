/** Strict placement in the kernel: loading it, what of it is in force, and taking it out. */
import { randomInt } from 'node:crypto';
import { failed, type Cause, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { KeptEvents } from '../../host/kept-events.ts';
import type { Paths } from '../../host/paths.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { PinnedMap, RingReader, timeOf } from '../../sys/bpf/maps.ts';
import { Programs } from '../../sys/bpf/programs.ts';
import { parseStrictEvent, type StrictEvent } from '../core/strict-event.ts';
import type { StrictMode } from '../../policy/document.ts';
import { entriesOf, placesMax, rangesMax, type StrictRule } from '../core/strict-rule.ts';
import { canaryProblem } from './canary.ts';

const programs = (paths: Paths) => new Programs('tenants', paths);
const action = 'turn strict placement on';
/** Uids that no account has, below those that the kernel keeps. */
const canaries = [0xfff1_0000, 0xfff1_ffff] as const;

export interface StrictState {
  readonly placement: StrictMode | null;
  readonly modules: StrictMode | null;
  /** Since it was loaded: how often a task would have become a tenant's outside, and a tenant have loaded a module. */
  readonly outside: number;
  readonly modulesAsked: number;
}

/** Why it cannot be loaded here, as far as can be said without trying. */
export const strictObstacle = (paths: Paths): Cause | undefined => lsmProblem(paths);

/** Loads it, unless the same is in force. Answers whether anything was changed. */
export function loadStrict(rule: StrictRule, paths: Paths): Result<boolean, Problem> {
  const obstacle = strictObstacle(paths) ?? tooMany(rule);
  if (obstacle !== undefined) return failed({ action, ...obstacle });
  const canary = randomInt(canaries[0], canaries[1]);
  return programs(paths).load({
    madeOf: entriesOf(rule, 0),
    entries: () => entriesOf(rule, canary),
    prove: () => (rule.placement === undefined ? undefined : canaryProblem(canary)),
    // Those of the programs that are replaced would be lost.
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

/** Takes it out. Answers whether there was anything. */
export function unloadStrict(paths: Paths): Result<boolean, Problem> {
  takeStrictEvents(paths);
  return programs(paths).unload();
}

/** What is in force now; undefined if nothing is. */
export function strictState(paths: Paths): StrictState | undefined {
  return programs(paths).inForce((directory) => {
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
    };
  });
}

const modeOf = (number: number): StrictMode | null =>
  ([null, 'on', 'watch'] as const)[number] ?? null;

/** An event as it is kept. */
export interface KeptStrictEvent extends Omit<StrictEvent, 'nanoseconds' | 'cgroup'> {
  /** ISO 8601, UTC. */
  readonly at: string;
}

const takenMax = 4_096;

const recordOf = ({ state }: Paths) =>
  new KeptEvents<KeptStrictEvent>(`${state}/placement-events.jsonl`);

/** The oldest first. */
export const keptStrictEvents = (paths: Paths): readonly KeptStrictEvent[] =>
  recordOf(paths).list();

/** What was refused, or would have been, since somebody last took it. */
export function takeStrictEvents(paths: Paths): Result<readonly KeptStrictEvent[], Problem> {
  const taken = programs(paths).inForce((directory) =>
    recordOf(paths).take(() => takeFrom(`${directory}/map_events`)),
  );
  return taken ?? ok([]);
}

function takeFrom(ring: string): Result<readonly KeptStrictEvent[], Problem> {
  const opened = RingReader.open(ring);
  if (!opened.ok) return opened;
  using reader = opened.value;
  const events = reader.take(takenMax).flatMap((bytes) => parseStrictEvent(bytes) ?? []);
  return ok(events.filter(({ to }) => to < canaries[0] || to > canaries[1]).map(keptOf));
}

function keptOf(event: StrictEvent): KeptStrictEvent {
  const { nanoseconds, pid, from, to, tenant, what, passed, command, module } = event;
  return { at: timeOf(nanoseconds), pid, from, to, tenant, what, passed, command, module };
}
