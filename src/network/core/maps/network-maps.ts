/** The maps of `bpf/network.bpf.c`: limits of tenants and resellers, ports and addresses. */
import { u32le, type MapEntry } from '../../../../packages/base/map-entry.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import type { Listen, NetworkLimits, NetworkRules, Reach } from '../rules.ts';
import {
  listedRules,
  listNumber,
  mappedAddress,
  prefixEntry,
  prefixRules,
  prefixRulesMax,
} from './address-rules.ts';
import { rangeEntries } from './range-halves.ts';

/** Facts of this host that the programs need. */
export interface NetworkFacts {
  /** Its own addresses, of 4 or 16 bytes. */
  readonly addresses: readonly Uint8Array[];
  /** The broadcast addresses of its networks. */
  readonly broadcasts: readonly Uint8Array[];
  /** The inode of its network namespace. */
  readonly namespace: number;
}

/** The order matters: a tenant's limit names lists that must exist, and the settings ranges. */
export const ruleMaps = [
  'ranges',
  'settings',
  'addresses',
  'denied',
  'ports',
  'clocks',
  'limits',
] as const;
export type RuleMap = (typeof ruleMaps)[number];

const tenantsMax = 65_000;
const rangesMax = 65_536;
const prefixesMax = 100_000;

const flagNumbers = {
  mailNotDirect: 1 << 0,
  mailByRelay: 1 << 1,
  mailNotSubmitted: 1 << 2,
  noTenants: 1 << 3,
  hasRules: 1 << 4,
  noOthers: 1 << 5,
  reachWatched: 1 << 6,
  notPublic: 1 << 7,
  publicWatched: 1 << 8,
  canary: 1 << 9,
} as const;

const mailFlags = {
  anywhere: 0,
  submission: flagNumbers.mailNotDirect,
  relay: flagNumbers.mailByRelay,
  local: flagNumbers.mailNotSubmitted,
} as const;

const portFlags = { kept: 1, served: 2, watched: 4 } as const;
const protocols = { tcp: 6, udp: 17 } as const;

const flag = (name: keyof typeof flagNumbers, isSet: boolean) => (isSet ? flagNumbers[name] : 0);

const reachFlags = (reach: Reach) =>
  mailFlags[reach.mail] |
  flag('noTenants', !reach.tenants) |
  flag('hasRules', listedRules(reach).length > 0) |
  flag('noOthers', reach.others === 'refuse') |
  flag('reachWatched', reach.mode === 'watch');

const listenFlags = (listen: Listen) =>
  flag('notPublic', !listen.public) | flag('publicWatched', listen.mode === 'watch');

export const limitBytes = 32;
const resellerBit = 1n << 32n;

function key64(key: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, key, true);
  return bytes;
}

/** The key of a tenant in `limits`, `clocks` and `usages`. */
export const tenantKey = (uid: number): Uint8Array => key64(BigInt(uid));

interface LimitValue {
  readonly limits: NetworkLimits;
  readonly flags?: number;
  readonly list?: number;
  /** One more than the reseller's number; 0: none. */
  readonly reseller?: number;
}

function limitValue({ limits, flags = 0, list = 0, reseller = 0 }: LimitValue): Uint8Array {
  const bytes = new Uint8Array(limitBytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, wholeRate(limits.send), true);
  view.setBigUint64(8, wholeRate(limits.receive), true);
  for (const [index, value] of [
    Math.min(Number(wholeRate(limits.connections)), connectionsMax),
    flags,
    list,
    reseller,
  ].entries())
    view.setUint32(16 + 4 * index, value, true);
  return bytes;
}

const connectionsMax = 2 ** 32 - 1;
const rateMax = 2 ** 53;

/** The kernel takes 0 for none, so the smallest limit is 1. */
const wholeRate = (rate: number | undefined): bigint =>
  rate === undefined ? 0n : BigInt(Math.min(Math.max(Math.round(rate), 1), rateMax));

/** `struct clocks`: a lock, and four times. */
export const clocksBytes = 40;

/** Returns the entry of a limit, and the one of its clocks, which begin at 0. */
const limitEntries = (key: Uint8Array, value: LimitValue): readonly MapEntry[] => [
  { map: 'clocks', key, value: new Uint8Array(clocksBytes) },
  { map: 'limits', key, value: limitValue(value) },
];

/** The self-test's uid: everything is refused to it. */
export const canaryEntries = (uid: number): readonly MapEntry[] =>
  limitEntries(tenantKey(uid), { limits: {}, flags: flagNumbers.canary });

const addressKinds = { own: 1, broadcast: 2 } as const;

const addressEntry = (address: Uint8Array, kind: number): MapEntry => ({
  map: 'addresses',
  key: mappedAddress(address),
  value: u32le(kind),
});

/** Returns the entries of all maps. */
export function networkMapEntries(rules: NetworkRules, facts: NetworkFacts): readonly MapEntry[] {
  return [
    ...rangeEntries(rules.ranges, facts.namespace),
    ...facts.addresses.map((address) => addressEntry(address, addressKinds.own)),
    ...facts.broadcasts.map((address) => addressEntry(address, addressKinds.broadcast)),
    ...portEntries(rules),
    ...allLimits(rules),
  ];
}

/** Returns the limits, with the lists of address rules that they name; tenants with the same rules share a list. */
function allLimits({ tenants, resellers }: NetworkRules): readonly MapEntry[] {
  const names = [...resellers.keys()].toSorted();
  const numbers = new Map<string, number>();
  const taken = new Set<number>();
  // By the name, so that a reseller's number stays while others come and go.
  for (const name of names) {
    const number = listNumber(name, taken);
    taken.add(number);
    numbers.set(name, number);
  }
  const lists = new Lists();
  return [
    ...[...numbers].flatMap(([name, number]) =>
      limitEntries(key64(resellerBit | BigInt(number)), { limits: resellers.get(name) ?? {} }),
    ),
    ...tenants.flatMap(({ uid, limits, reseller, reach, listen }) =>
      limitEntries(tenantKey(uid), {
        limits,
        flags:
          (reach === undefined ? 0 : reachFlags(reach)) |
          (listen === undefined ? 0 : listenFlags(listen)),
        list: reach === undefined ? 0 : lists.numberOf(reach),
        reseller: (numbers.get(reseller ?? '') ?? -1) + 1,
      }),
    ),
    ...lists.entries(),
  ];
}

class Lists {
  readonly #numbers = new Map<string, number>();
  readonly #rules = new Map<number, ReturnType<typeof listedRules>>();

  numberOf(reach: Reach): number {
    const rules = listedRules(reach);
    if (rules.length === 0) return 0;
    const text = JSON.stringify(rules.map((each) => ({ ...each, address: each.address.toHex() })));
    const number = this.#numbers.get(text) ?? listNumber(text, new Set(this.#rules.keys()));
    this.#numbers.set(text, number);
    this.#rules.set(number, rules);
    return number;
  }

  entries(): readonly MapEntry[] {
    return [...this.#rules].flatMap(([number, rules]) =>
      prefixRules(rules).map((each) => prefixEntry(number, each)),
    );
  }
}

interface PortOwner {
  readonly uid: number;
  readonly flags: number;
}

/** A port that is kept is so for TCP and UDP; one that root's socket serves is of TCP. The first owner counts. */
function portEntries({ tenants, servedPorts }: NetworkRules): readonly MapEntry[] {
  const owners = new Map<string, PortOwner>();
  const add = (protocol: number, port: number, { uid, flags }: PortOwner) => {
    const name = `${protocol} ${port}`;
    const known = owners.get(name);
    if (known === undefined) owners.set(name, { uid, flags });
    else if (known.uid === uid) owners.set(name, { uid, flags: known.flags | flags });
  };
  for (const { uid, listen } of tenants) {
    const flags = portFlags.kept | (listen?.mode === 'watch' ? portFlags.watched : 0);
    for (const { first, last } of listen?.ports ?? [])
      for (let port = first; port <= last; port++)
        for (const protocol of [protocols.tcp, protocols.udp]) add(protocol, port, { uid, flags });
  }
  for (const [port, uid] of servedPorts) add(protocols.tcp, port, { uid, flags: portFlags.served });
  return [...owners].map(([name, { uid, flags }]) => ({
    map: 'ports',
    key: u32le(...name.split(' ').map(Number)),
    value: u32le(uid, flags),
  }));
}

/** Returns why the maps cannot hold the rules. */
export function tooManyRules(rules: NetworkRules): Cause | undefined {
  const { tenants, resellers, ranges } = rules;
  const tooMany = (number: number, max: number, what: string, hint?: string): Cause | undefined =>
    number <= max
      ? undefined
      : {
          reason: `${number} ${what} are more than the ${max} that the kernel's maps hold`,
          ...(hint === undefined ? {} : { hint }),
        };
  return (
    tooMany(tenants.length + resellers.size, tenantsMax, 'tenants and resellers') ??
    tooMany(
      ranges.length,
      rangesMax,
      'ranges of subordinate uids',
      'take tenants out of /etc/subuid',
    ) ??
    tooManyPrefixes(tenants.flatMap(({ reach }) => reach ?? []))
  );
}

function tooManyPrefixes(reaches: readonly Reach[]): Cause | undefined {
  let prefixes = 0;
  for (const reach of new Set(reaches)) {
    const all = prefixRules(listedRules(reach));
    prefixes += all.length;
    const longest = Math.max(0, ...all.map(({ asked }) => asked.length));
    if (longest > prefixRulesMax)
      return {
        reason: `${longest} rules and ranges of ports hold for one address, more than ${prefixRulesMax}`,
        hint: 'write fewer ranges of ports, or fewer prefixes inside each other',
      };
  }
  return prefixes <= prefixesMax
    ? undefined
    : {
        reason: `${prefixes} address rules are more than the ${prefixesMax} that the kernel's maps hold`,
      };
}

const smallestMap = 1024;

/** Returns a size that a map of so many entries can keep for a while. */
const roomFor = (entries: number): number =>
  2 ** Math.ceil(Math.log2(Math.max(smallestMap, entries + (entries >> 2))));

export type MapSizes = ReadonlyMap<string, number>;

/** A map that is so much too large is made anew. */
const tooLargeFactor = 16;

export interface MapsInForce {
  readonly sizes: MapSizes;
  /** The number of entries in each that are not wanted any more. They go only when what is wanted is there. */
  readonly others: ReadonlyMap<string, number>;
}

/** Returns the sizes of all maps. Those of programs in force stay, if they fit. */
export function mapSizes(entries: readonly MapEntry[], inForce?: MapsInForce): MapSizes {
  const counts = new Map<string, number>();
  for (const { map } of entries) counts.set(map, (counts.get(map) ?? 0) + 1);
  const limits = counts.get('limits') ?? 0;
  const sizes = new Map<string, number>();
  const wanted: readonly (readonly [map: string, entries: number])[] = [
    ['ranges', 2 * (counts.get('ranges') ?? 0)],
    ...(['addresses', 'denied', 'ports'] as const).map(
      (map) => [map, counts.get(map) ?? 0] as const,
    ),
    // One entry is the self-test's.
    ...(['limits', 'clocks', 'usages'] as const).map((map) => [map, limits + 1] as const),
  ];
  for (const [map, count] of wanted) {
    const now = inForce?.sizes.get(map) ?? 0;
    const most = Math.max(count + (inForce?.others.get(map) ?? 0), 1);
    sizes.set(map, now >= most && now <= tooLargeFactor * roomFor(most) ? now : roomFor(most));
  }
  return sizes;
}
