/**
 * The programs of `bpf/network.bpf.c`: loads them, gives them rules, and reads what they count. They stay in force until
 * they are unloaded, whatever happens to the process that loaded them. New rules are written to their maps and hold at
 * once; only another version of the programs, or many more rules, make a new generation, whose sums begin at 0.
 */
import { existsSync } from 'node:fs';
import type { MapEntry } from '../../../../packages/base/map-entry.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { lockFile } from '../../../sys/files/flock.ts';
import { BpfGuard } from '../../../sys/bpf/bpf-guard.ts';
import { possibleProcessors } from '../../../sys/bpf/libbpf.ts';
import { BpfMap, RingReader } from '../../../sys/bpf/maps.ts';
import { loadAction } from '../../../sys/bpf/object.ts';
import { linkPrefix } from '../../../sys/bpf/pins.ts';
import { prefixKeyBytes, prefixRulesBytes } from '../../core/maps/address-rules.ts';
import {
  canaryEntries,
  clocksBytes,
  limitBytes,
  mapSizes,
  networkMapEntries,
  tooManyRules,
  type MapsInForce,
} from '../../core/maps/network-maps.ts';
import { parseNetworkRefusal } from '../../core/maps/refusal-event.ts';
import { sumOfUsage, usageStruct } from '../../core/maps/usage-value.ts';
import type { NetworkRules } from '../../core/rules.ts';
import type { NetworkRefusal, NetworkUse } from '../../core/use.ts';
import { readNetworkFacts } from './network-facts.ts';
import { openCgroup, type CgroupPlace, type OpenCgroup } from './root-cgroup.ts';
import { canaryUid, networkSelfTestProblem } from './self-test.ts';
import { areWritten, countOthers, tenantUids, writeRules } from './write-rules.ts';

/** The place of the programs; `cgroup` is another one than the root, for tests. */
export type NetworkPlace = CgroupPlace;

/** Bytes of keys and values. Programs of another version can have others, which would be read wrongly. */
const shapes = {
  settings: { key: 4, value: 8 },
  ranges: { key: 4, value: 12 },
  addresses: { key: 16, value: 4 },
  denied: { key: prefixKeyBytes, value: prefixRulesBytes },
  ports: { key: 8, value: 8 },
  limits: { key: 8, value: limitBytes },
  clocks: { key: 8, value: clocksBytes },
  usages: { key: 8, value: usageStruct.size },
} as const;
type MapName = keyof typeof shapes;
const mapNames = Object.keys(shapes) as MapName[];
type NetworkMaps = Readonly<Record<MapName, BpfMap>>;

const refusalsMax = 4_096;
/** The program that finds the tenant of a connection that root has accepted. */
const adopting = 'network_adopt';
const name = 'network';
const action = 'limit the network of tenants';

export class NetworkPrograms implements Disposable {
  readonly #place: NetworkPlace;
  #opened: OpenedPrograms;
  /** The last input that was put in force: the rules, and the host's addresses. */
  #put: { readonly rules: NetworkRules; readonly facts: string } | undefined;

  /** Puts rules in force: by the programs that are, if they are of this version and large enough, or by new ones. */
  static load(rules: NetworkRules, place: NetworkPlace): Result<NetworkPrograms, Problem> {
    const opened = putInForce(rules, place);
    return opened.ok ? ok(new NetworkPrograms(place, opened.value)) : opened;
  }

  /** Returns the programs in force, to read them; undefined if there are none. */
  static open(place: NetworkPlace): NetworkPrograms | undefined {
    const opened = openInForce(place);
    return opened === undefined ? undefined : new NetworkPrograms(place, opened);
  }

  /** Ends the programs, and with them all limits. Returns whether there were any. */
  static unload(place: NetworkPlace): Result<boolean, Problem> {
    return guardFor(place).unload();
  }

  private constructor(place: NetworkPlace, opened: OpenedPrograms) {
    this.#place = place;
    this.#opened = opened;
  }

  /** The name of the programs in force. Sums begin anew with another one. */
  get generation(): string {
    return this.#opened.generation;
  }

  /** Whether connections that root has accepted count for the tenant that sends by them. */
  get findSessions(): boolean {
    return this.#opened.findSessions;
  }

  /** Whether these programs are in force still, and no others. */
  get areInForce(): boolean {
    const now = guardFor(this.#place).inForce((_directory, generation) => generation);
    return now === this.generation;
  }

  /**
   * Puts other rules in force, and the host's current addresses. After a failure some of the new rules may hold. The same
   * object as the last time is taken for the same rules: then the programs are only tried.
   */
  update(rules: NetworkRules): Problem | undefined {
    const facts = JSON.stringify(readNetworkFacts(this.#place.proc));
    const isKnown = this.#put?.rules === rules && this.#put.facts === facts;
    if (isKnown && this.areInForce && this.selfTest() === undefined) return undefined;
    this.#put = undefined;
    const problem = this.#update(rules);
    if (problem === undefined) this.#put = { rules, facts };
    return problem;
  }

  #update(rules: NetworkRules): Problem | undefined {
    const opened = putInForce(rules, this.#place);
    if (!opened.ok) return opened.error;
    if (opened.value.generation === this.generation) {
      opened.value[Symbol.dispose]();
      return undefined;
    }
    this.#opened[Symbol.dispose]();
    this.#opened = opened.value;
    return undefined;
  }

  /** Returns what tenants have used since the programs were loaded, by uid. */
  readUse(): ReadonlyMap<number, NetworkUse> {
    const { maps, generation } = this.#opened;
    const bytes = usageStruct.size * possibleProcessors();
    const canary = canaryUid(generation);
    return new Map(
      tenantUids(maps.limits)
        .filter(({ uid }) => uid !== canary)
        .map(({ uid, key }) => [uid, sumOfUsage(maps.usages.get(key, bytes))]),
    );
  }

  /** Takes refusals that were reported; the rest waits for the next call. One process at a time can take them. */
  readRefusals(max = refusalsMax): readonly NetworkRefusal[] {
    const records = this.#opened.ring.take(max);
    return records.flatMap((bytes) => parseNetworkRefusal(bytes) ?? []);
  }

  /** Whether the programs have these rules, and no others. */
  have(rules: NetworkRules): boolean {
    const { maps, generation } = this.#opened;
    const entries = networkMapEntries(rules, readNetworkFacts(this.#place.proc));
    return areWritten([...entries, ...canaryEntries(canaryUid(generation))], maps);
  }

  /** Tries the programs; returns why they cannot be relied on. */
  selfTest(): Cause | undefined {
    return networkSelfTestProblem(this.generation);
  }

  /** The programs stay in force. */
  [Symbol.dispose](): void {
    this.#opened[Symbol.dispose]();
  }
}

/** Maps of the programs in force. */
interface OpenedPrograms extends Disposable {
  readonly generation: string;
  readonly findSessions: boolean;
  readonly maps: NetworkMaps;
  readonly ring: RingReader;
}

function putInForce(rules: NetworkRules, place: NetworkPlace): Result<OpenedPrograms, Problem> {
  const cgroup = openCgroup(place);
  if (!cgroup.ok) return cgroup;
  using opened = cgroup.value;
  const entries = networkMapEntries(rules, readNetworkFacts(place.proc));
  const loaded = loadPrograms(rules, place, opened, entries);
  if (!loaded.ok) return loaded;
  const inForce = openInForce(place);
  if (inForce === undefined)
    return failed({ action, reason: 'the programs were ended by somebody else' });
  const problem = loaded.value ? undefined : writeLocked(entries, inForce, place);
  if (problem === undefined) return ok(inForce);
  inForce[Symbol.dispose]();
  return failed(problem);
}

/** Older kernels cannot run what finds whose a session is; the rest does without. */
function loadPrograms(
  rules: NetworkRules,
  place: NetworkPlace,
  cgroup: OpenCgroup,
  entries: readonly MapEntry[],
): Result<boolean, Problem> {
  const loaded = loadingGuard(place, cgroup, entries, []).load(rules);
  if (loaded.ok || loaded.error.action !== loadAction) return loaded;
  const without = loadingGuard(place, cgroup, entries, [adopting]).load(rules);
  return without.ok ? without : loaded;
}

function writeLocked(
  entries: readonly MapEntry[],
  { maps, generation }: OpenedPrograms,
  { runtime }: NetworkPlace,
): Problem | undefined {
  const locked = lockFile(`${runtime}/${name}-maps.lock`, { waitMs: 60_000 });
  if (!locked.ok) return locked.error;
  using _lock = locked.value;
  const cause = writeRules([...entries, ...canaryEntries(canaryUid(generation))], maps);
  return cause === undefined ? undefined : { action, ...cause };
}

const kind = {
  name,
  action: () => action,
  tooLarge: tooManyRules,
  // They are no security modules.
  blocker: () => undefined,
  entries: (): readonly MapEntry[] => [],
  selfTest: (_rules: NetworkRules, generation: string) => ({
    entries: canaryEntries(canaryUid(generation)),
    run: () => networkSelfTestProblem(generation),
  }),
  testsAgain: true,
} as const;

const guardFor = (place: NetworkPlace) => new BpfGuard<NetworkRules>(kind, place);

function loadingGuard(
  place: NetworkPlace,
  cgroup: OpenCgroup,
  entries: readonly MapEntry[],
  omitted: readonly string[],
): BpfGuard<NetworkRules> {
  const sizes = mapSizes(entries, findMaps(place, entries));
  const needs = JSON.stringify([cgroup.id, ...sizes]);
  return new BpfGuard<NetworkRules>(
    {
      ...kind,
      cgroup: cgroup.fd,
      omitted,
      sizes: () => sizes,
      needs: () => needs,
      entries: () => entries,
    },
    place,
  );
}

function openInForce(place: NetworkPlace): OpenedPrograms | undefined {
  return guardFor(place).inForce((directory, generation) => {
    using opened = new DisposableStack();
    const maps: Partial<Record<MapName, BpfMap>> = {};
    for (const each of mapNames) {
      const map = BpfMap.open(`${directory}/map_${each}`);
      if (!map.ok) return undefined;
      maps[each] = opened.use(map.value);
      if (!hasShape(each, map.value)) return undefined;
    }
    const ring = RingReader.open(`${directory}/map_events`);
    if (!ring.ok) return undefined;
    opened.use(ring.value);
    const resources = opened.move();
    return {
      generation,
      findSessions: existsSync(`${directory}/${linkPrefix}${adopting}`),
      maps: maps as NetworkMaps,
      ring: ring.value,
      [Symbol.dispose]: () => resources.dispose(),
    };
  });
}

/** Source: proc_pid_fdinfo(5). */
const infoOf = ({ fd }: BpfMap, field: string): number =>
  Number(
    new RegExp(`^${field}:\\s*(\\d+)$`, 'm').exec(readText(`/proc/self/fdinfo/${fd}`) ?? '')?.[1],
  );

const hasShape = (name: MapName, map: BpfMap): boolean =>
  infoOf(map, 'key_size') === shapes[name].key && infoOf(map, 'value_size') === shapes[name].value;

/** Returns the sizes of maps in force, and what is in them besides the entries. */
function findMaps(place: NetworkPlace, entries: readonly MapEntry[]): MapsInForce | undefined {
  using inForce = openInForce(place);
  if (inForce === undefined) return undefined;
  const { maps } = inForce;
  return {
    sizes: new Map(mapNames.map((each) => [each, infoOf(maps[each], 'max_entries')])),
    others: countOthers(entries, maps),
  };
}
