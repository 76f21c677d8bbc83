/** The cost of the programs a packet, a gigabyte and a connection, beside nothing, nftables and HTB. */
import type { TenantNetwork } from '../../src/network/core/rules.ts';
import { compare, inTurn, spreadOf, type Row, type Section, type Way } from '../samples.ts';
import { beyond, device, far, fq, nowhere, port, sink, type BenchStage } from './stage.ts';

export const [tenant, other] = [64_311, 64_312];
const classes = 1_000;
/** Class 1:1 of HTB. */
const inClass = ['priority', 0x1_0001] as const;
export const packetBytes = 64;

export const reach = {
  mail: 'submission',
  tenants: false,
  metadata: false,
  rules: [],
  others: 'allow',
  mode: 'refuse',
} as const;
const with1 = (more: Partial<TenantNetwork> = {}): readonly TenantNetwork[] => [
  { uid: tenant, limits: {}, ...more },
];
export const nobody: readonly TenantNetwork[] = [{ uid: other, limits: {} }];
const counted = with1();
const ruled = with1({ reach });
const paced = with1({ reach, limits: { send: beyond, receive: beyond, connections: 1_000_000 } });

const nftRules = `table inet bench {
  set tenants { type uid; elements = { ${[...Array(classes).keys()].map((at) => tenant + at).join(', ')} } }
  chain out { type filter hook output priority 0; meta skuid @tenants tcp dport { 25, 465, 587 } reject; }
}`;

/** Measures once: sets something up, runs `load`, and returns the cost of one in the unit of its section. */
interface Kind {
  readonly label: string;
  readonly way: Way;
  /** Why it cannot be measured here. */
  readonly missing?: string;
}

export const cost = ([count = NaN, cpu = NaN]: readonly number[], unitNanoseconds: number) =>
  cpu / count / unitNanoseconds;
export const microsecond = 1_000;

/** Measures all in turn, and compares them with the first; also returns what could not be measured. */
async function measure(kinds: readonly Kind[], rounds: number, signal: AbortSignal) {
  const there = kinds.filter(({ missing }) => missing === undefined);
  const samples = await inTurn(
    rounds,
    there.map(({ way }) => way),
    signal,
  );
  const floor = samples[0] ?? [];
  const rows = there.map(({ label }, index): Row => {
    const own = samples[index] ?? [];
    const more = spreadOf(own.map((each, round) => each - (floor[round] ?? NaN))).p50;
    return { ...compare(label, own, floor), note: `${more.toFixed(2)} more` };
  });
  const notes = kinds.flatMap(({ label, missing }) =>
    missing === undefined ? [] : [`not measured: ${label}: ${missing}`],
  );
  return { rows, notes };
}

export const section = { name: 'network', beside: 'no programs' } as const;

/** The way of a tenant's datagrams, with some rules and a qdisc. */
function tenantWay(
  stage: BenchStage,
  milliseconds: number,
  rules: readonly TenantNetwork[],
  ...qdisc: readonly string[]
): Way {
  return async () => {
    stage.qdisc(sink, ...qdisc);
    stage.apply(rules);
    return cost(
      await stage.as(tenant, 'datagrams', nowhere, port, packetBytes, milliseconds),
      microsecond,
    );
  };
}

const withoutFq = { missing: 'this kernel has no fq; see network-guest' } as const;
const lacks = (has: boolean, missing: string) => (has ? {} : { missing });

export async function packetCosts(
  stage: BenchStage,
  rounds: number,
  milliseconds: number,
  signal: AbortSignal,
): Promise<Section> {
  const flood = (...words: readonly (string | number)[]) =>
    stage.beside(...words, 'datagrams', nowhere, port, packetBytes, milliseconds);
  const plain =
    (...qdisc: readonly string[]): Way =>
    async () => {
      stage.qdisc(sink, ...qdisc);
      return cost(await flood(), microsecond);
    };
  const inHtb = (count: number): Way => {
    return async () => {
      stage.htb(sink, count, '100gbit');
      return cost(await flood(...inClass), microsecond);
    };
  };
  const hasFq = stage.has('fq');
  const hasHtb = stage.has('htb');
  const byTenant = (rules: readonly TenantNetwork[], ...qdisc: readonly string[]) =>
    tenantWay(stage, milliseconds, rules, ...qdisc);
  const kinds: readonly Kind[] = [
    { label: 'no programs', way: plain() },
    { label: 'programs, the sender not a tenant', way: byTenant(nobody) },
    { label: 'counted', way: byTenant(counted) },
    { label: 'counted, rules', way: byTenant(ruled) },
    { label: 'counted, rules, limits', way: byTenant(paced) },
    { label: 'fq alone', way: plain(...fq), ...(hasFq ? {} : withoutFq) },
    {
      label: 'counted, rules, limits, in fq',
      way: byTenant(paced, ...fq),
      ...(hasFq ? {} : withoutFq),
    },
    ...[1, classes].map((count) => ({
      label: `HTB, ${count} ${count === 1 ? 'class' : 'classes'}`,
      way: inHtb(count),
      ...lacks(hasHtb, 'this kernel has no HTB'),
    })),
    {
      label: `nft, meta skuid in ${classes} uids`,
      way: async () => {
        stage.qdisc(sink);
        stage.nft(nftRules);
        const sent = await flood('uid', tenant);
        stage.nft('delete table inet bench');
        return cost(sent, microsecond);
      },
      ...lacks(canNft(stage), 'there is no nft here, or no nf_tables in the kernel'),
    },
  ];
  const { rows, notes } = await measure(kinds, rounds, signal);
  return {
    ...section,
    title: `Network: CPU a packet, datagrams of ${packetBytes} bytes`,
    unit: 'µs',
    rows,
    notes: ['the device drops all; HTB is told the class', ...notes],
  };
}

function canNft(stage: BenchStage): boolean {
  try {
    stage.nft(`${nftRules}\ndelete table inet bench`);
    return true;
  } catch {
    return false;
  }
}

export async function gigabyteCosts(
  stage: BenchStage,
  rounds: number,
  milliseconds: number,
  isDivided: boolean,
  signal: AbortSignal,
): Promise<Section> {
  stage.divide(isDivided);
  const words = ['stream', 'put', far, port, 1, milliseconds / 5, milliseconds] as const;
  /** Nanoseconds a byte are seconds a gigabyte. */
  const each = ([, cpu = NaN, , , payload = NaN]: readonly number[]) => (cpu / payload) * 1_000;
  const by =
    (uid: number, rules: readonly TenantNetwork[], ...qdisc: readonly string[]) =>
    async () => {
      stage.qdisc(device, ...qdisc);
      stage.apply(rules);
      return each(await stage.as(uid, ...words));
    };
  const byTenant = (rules: readonly TenantNetwork[], ...qdisc: readonly string[]) =>
    by(tenant, rules, ...qdisc);
  const plain = (): Way => async () => {
    stage.qdisc(device);
    return each(await stage.beside(...words));
  };
  const hasFq = stage.has('fq');
  const kinds: readonly Kind[] = [
    { label: 'no programs', way: plain() },
    { label: 'programs, the sender not a tenant', way: byTenant(nobody) },
    { label: 'programs, a socket of root’s, as nginx has', way: by(0, nobody) },
    { label: 'counted, rules', way: byTenant(ruled) },
    { label: 'counted, rules, limits', way: byTenant(paced) },
    {
      label: 'counted, rules, limits, in fq',
      way: byTenant(paced, ...fq),
      ...(hasFq ? {} : withoutFq),
    },
    {
      label: `HTB, ${classes} classes`,
      way: async () => {
        stage.htb(device, classes, '100gbit');
        return each(await stage.beside(...inClass, ...words));
      },
      ...lacks(stage.has('htb'), 'this kernel has no HTB'),
    },
  ];
  const measured = await measure(kinds, rounds, signal);
  const how = isDivided ? ', packets of 1,500 bytes' : '';
  return { ...section, title: `Network: CPU a gigabyte of TCP, both sides${how}`, ...measured };
}

export async function connectCosts(
  stage: BenchStage,
  rounds: number,
  milliseconds: number,
  signal: AbortSignal,
): Promise<Section> {
  const here = '127.0.0.1';
  const rows: Row[] = [];
  stage.qdisc(device);
  for (const [what, type, host] of [
    ['connect(), datagrams', 'udp', far],
    ['the same, loopback', 'udp', here],
    ['TCP, reset at once', 'tcp', far],
    ['the same, loopback', 'tcp', here],
  ] as const) {
    const words = ['connects', type, host, port, milliseconds] as const;
    const each = async (run: Promise<readonly number[]>) => cost(await run, microsecond);
    const byTenant = (rules: readonly TenantNetwork[]) => () => {
      stage.apply(rules);
      return each(stage.as(tenant, ...words));
    };
    const kinds: readonly Kind[] = [
      { label: `${what}: no programs`, way: () => each(stage.beside(...words)) },
      { label: '  programs, no tenant', way: byTenant(nobody) },
      { label: '  counted, rules, limits', way: byTenant(paced) },
    ];
    rows.push(...(await measure(kinds, rounds, signal)).rows);
  }
  return { ...section, title: 'Network: CPU a connection', unit: 'µs', rows, notes: [] };
}
