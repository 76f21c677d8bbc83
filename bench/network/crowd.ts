/** A thousand tenants: the cost of each packet with all of them in the maps; and a flood of one beside another's requests. */
import type { NetworkLimits, TenantNetwork } from '../../src/network/core/rules.ts';
import {
  compare,
  inTurn,
  percentile,
  spreadOf,
  type Row,
  type Section,
  type Way,
} from '../samples.ts';
import { cost, microsecond, packetBytes, reach, section, tenant } from './costs.ts';
import {
  beyond,
  device,
  far,
  fq,
  nowhere,
  otherPort,
  port,
  sink,
  type BenchStage,
} from './stage.ts';

const count = 1_000;
const limits: NetworkLimits = { send: beyond, receive: beyond, connections: 1_000_000 };
const tenants = (number: number, of: NetworkLimits = limits): readonly TenantNetwork[] =>
  [...Array(number).keys()].map((at) => ({ uid: tenant + at, limits: of, reach }));
const one = tenants(1);
const all = tenants(count);
const many = `${count.toLocaleString('en')} tenants`;

interface Pair {
  readonly label: string;
  readonly ours: Way;
  readonly floor: Way;
}

async function pairs(all: readonly Pair[], rounds: number, signal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { label, ours, floor } of all) {
    const [own = [], others = []] = await inTurn(rounds, [ours, floor], signal);
    rows.push(compare(label, own, others));
  }
  return rows;
}

export async function crowdCosts(
  stage: BenchStage,
  rounds: number,
  milliseconds: number,
  signal: AbortSignal,
): Promise<Section> {
  stage.qdisc(sink);
  stage.qdisc(device);
  const each = async (run: Promise<readonly number[]>) => cost(await run, microsecond);
  const pair = (
    label: string,
    rules: readonly TenantNetwork[],
    uid: number,
    words: readonly (string | number)[],
  ): Pair => ({
    label,
    ours: () => {
      stage.apply(rules);
      return each(stage.as(uid, ...words));
    },
    floor: () => each(stage.beside(...words)),
  });
  const datagrams = ['datagrams', nowhere, port, packetBytes, milliseconds] as const;
  const crowd = ['crowd', nowhere, port, packetBytes, milliseconds, tenant, count] as const;
  const connects = ['connects', 'tcp', far, port, milliseconds] as const;
  const last = tenant + count - 1;
  const kinds = [
    pair('a datagram, one tenant', one, tenant, datagrams),
    pair(`  ${many} in the maps`, all, last, datagrams),
    pair(`  ${many} send in turn`, all, 0, crowd),
    pair('TCP, reset at once, one tenant', one, tenant, connects),
    pair(`  ${many} in the maps`, all, last, connects),
  ];
  return {
    ...section,
    title: `Network: CPU a packet and a connection with ${many}`,
    unit: 'µs',
    rows: await pairs(kinds, rounds, signal),
    notes: ['rules and limits for each'],
  };
}

export async function crowdGigabyte(
  stage: BenchStage,
  rounds: number,
  milliseconds: number,
  signal: AbortSignal,
): Promise<Section> {
  stage.qdisc(device);
  stage.divide(false);
  const words = ['stream', 'put', far, port, 1, milliseconds / 5, milliseconds] as const;
  const each = async (run: Promise<readonly number[]>) => {
    const [, cpu = NaN, , , payload = NaN] = await run;
    return (cpu / payload) * 1_000;
  };
  const floor: Way = () => each(stage.beside(...words));
  const ours = (rules: readonly TenantNetwork[]) => (): Promise<number> => {
    stage.apply(rules);
    return each(stage.as(tenant, ...words));
  };
  const kinds = [
    { label: 'one tenant', ours: ours(one), floor },
    { label: `  ${many} in the maps`, ours: ours(all), floor },
  ];
  const rows = await pairs(kinds, rounds, signal);
  return { ...section, title: `Network: CPU a gigabyte of TCP with ${many}`, rows, notes: [] };
}

const flooder = tenant;
const neighbour = tenant + 1;

/** Measures requests of one byte, one after the other, while another tenant floods the same device. */
export async function floods(
  stage: BenchStage,
  rounds: number,
  asks: number,
  signal: AbortSignal,
): Promise<Section> {
  if (stage.has('fq')) stage.qdisc(device, ...fq);
  // Longer than the requests take; it is ended with them.
  const milliseconds = 600_000;
  const kinds = [
    ['nothing', [], {}],
    [
      'datagrams of 64 bytes, 1 MiB/s',
      ['datagrams', far, 9, packetBytes, milliseconds],
      { send: 2 ** 20 },
    ],
    [
      'connections, 50 a second',
      ['connects', 'tcp', far, otherPort, milliseconds],
      { connections: 50 },
    ],
  ] as const;
  const rows: Row[] = [];
  for (const [label, words, of] of kinds) {
    const took = async (own: NetworkLimits) => {
      signal.throwIfAborted();
      stage.apply([{ uid: flooder, limits: own, reach }, ...tenants(count, {}).slice(1)]);
      using _flood = words.length === 0 ? undefined : stage.start(flooder, ...words);
      const times = await stage.as(neighbour, 'ask', far, port, asks);
      return times.map((each) => each / microsecond);
    };
    const [limited, unlimited]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      limited.push(...(await took(of)));
      unlimited.push(...(await took({})));
    }
    rows.push(floodRow(label, limited, unlimited));
  }
  return {
    ...section,
    beside: 'no limit',
    title: `Network: a request of one byte while another of ${many} floods`,
    unit: 'µs',
    rows,
    notes: ['the flooding program takes a processor in both'],
  };
}

function floodRow(label: string, limited: readonly number[], unlimited: readonly number[]): Row {
  const [ours, floor] = [spreadOf(limited), spreadOf(unlimited)];
  const p50 = ours.p50 / floor.p50;
  const p99 = [limited, unlimited].map((each) => percentile(each, 0.99).toFixed(0)).join(' and ');
  return { label, ours, floor, ratio: { p50, p10: p50, p90: p50 }, note: `p99 ${p99} µs` };
}
