/** Strict placement in the kernel: loading it, what of it is in force, and taking it out. */
import { createHash, randomInt } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { KeptEvents } from '../../host/kept-events.ts';
import type { Paths } from '../../host/paths.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { PinnedMap, RingReader } from '../../sys/bpf/maps.ts';
import { loadObject } from '../../sys/bpf/object.ts';
import {
  existingPins,
  generationPath,
  generationsOf,
  newGeneration,
  openPins,
  removeGenerations,
  removePins,
} from '../../sys/bpf/pins.ts';
import { causeOf } from '../../sys/errno.ts';
import { lockFile, type FileLock } from '../../sys/files/flock.ts';
import { packageFile } from '../../sys/package-files.ts';
import { parseStrictEvent, type StrictEvent } from '../core/strict-event.ts';
import type { StrictMode } from '../../policy/document.ts';
import {
  entriesOf,
  placesMax,
  rangesMax,
  type Entry,
  type StrictRule,
} from '../core/strict-rule.ts';
import { canaryProblem } from './canary.ts';

const objectFile = packageFile('dist/bpf/tenants.bpf.o');
const pinName = 'tenants';
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
  const locked = lock(paths);
  if (!locked.ok) return locked;
  using _lock = locked.value;
  const opened = openPins(paths);
  if (!opened.ok) return opened;
  using pins = opened.value;
  const digest = digestOf(entriesOf(rule, 0));
  if (!digest.ok) return digest;
  if (generationsOf(pins, pinName).at(-1)?.endsWith(`-${digest.value}`) === true) return ok(false);
  // Those of the programs that are replaced would be lost.
  takeStrictEvents(paths);
  const canary = randomInt(canaries[0], canaries[1]);
  const loaded = loadObject(
    {
      file: objectFile,
      name: pinName,
      generation: `${newGeneration()}-${digest.value}`,
      entries: entriesOf(rule, canary),
      prove: () => (rule.placement === undefined ? undefined : canaryProblem(canary)),
    },
    pins,
  );
  return loaded.ok ? ok(true) : loaded;
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

/** Of what is loaded, and with what. */
function digestOf(entries: readonly Entry[]): Result<string, Problem> {
  try {
    const hash = createHash('sha256').update(readFileSync(objectFile));
    for (const { map, key, value } of entries) hash.update(map).update(key).update(value);
    return ok(hash.digest('hex').slice(0, 16));
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
  return lockFile(`${runtime}/strict.lock`, { waitMs: 60_000 });
}

/** Takes it out. Answers whether there was anything. */
export function unloadStrict(paths: Paths): Result<boolean, Problem> {
  const found = existingPins(paths);
  if (found === undefined) return ok(false);
  const locked = lock(paths);
  if (!locked.ok) return locked;
  using _lock = locked.value;
  takeStrictEvents(paths);
  try {
    using pins = found;
    const removed = removeGenerations(pins, pinName);
    const emptied = removePins(paths);
    return emptied.ok ? ok(removed > 0) : emptied;
  } catch (error) {
    return failed({ action: 'turn strict placement off', ...causeOf(error) });
  }
}

/** What is in force now; undefined if nothing is. */
export function strictState(paths: Paths): StrictState | undefined {
  return withGeneration(paths, (directory) => {
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
  const taken = withGeneration(paths, (directory) =>
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
  const agoMs = Number(process.hrtime.bigint() - nanoseconds) / 1e6;
  const at = new Date(Date.now() - agoMs).toISOString();
  return { at, pid, from, to, tenant, what, passed, command, module };
}

function withGeneration<T>(paths: Paths, use: (directory: string) => T | undefined): T | undefined {
  const found = existingPins(paths);
  if (found === undefined) return undefined;
  using pins = found;
  const generation = generationsOf(pins, pinName).at(-1);
  return generation === undefined ? undefined : use(generationPath(pins, pinName, generation));
}
