/** How exactly limits hold, how fairly they are shared, and how long a small request waits beside bulk. */
import type { NetworkLimits, TenantNetwork } from '../../src/network/core/rules.ts';
import { percentile, spreadOf, type Row, type Section } from '../samples.ts';
import { device, far, fq, port, type BenchStage } from './stage.ts';

const [alice, bob, carol, dave] = [64_311, 64_312, 64_313, 64_314];
const bytesPerMbit = 125_000;
/** Ethernet with TCP's time stamps. */
const [packetBytes, payloadBytes] = [1_500, 1_448];
/** There and back. */
export const roundTripMilliseconds = 20;

interface Stream {
  /** Megabits of IP a second, of each connection. */
  readonly flows: readonly number[];
  /** The share of segments that were sent again. */
  readonly again: number;
}

function streamOf([
  nanoseconds = NaN,
  ,
  segments = NaN,
  again = NaN,
  ...payload
]: readonly number[]): Stream {
  const rate = (bytes: number) => (bytes * packetBytes * 8_000) / payloadBytes / nanoseconds;
  return { flows: payload.map(rate), again: again / segments };
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0);
/** Jain's index: 1 if all have the same. */
const fairness = (shares: readonly number[]) =>
  sum(shares) ** 2 / shares.length / sum(shares.map((each) => each ** 2));
const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
const mbit = (rate: number) => rate * bytesPerMbit;
const tenant = (uid: number, limits: NetworkLimits, reseller?: string): TenantNetwork => ({
  uid,
  limits,
  ...(reseller === undefined ? {} : { reseller }),
});

function rateRow(
  label: string,
  flows: readonly number[],
  limit: number,
  notes: readonly string[],
): Row {
  const rate = sum(flows);
  const one = (value: number) => spreadOf([value]);
  return {
    label,
    ours: one(rate),
    floor: one(limit),
    ratio: { p50: rate / limit, p10: rate / limit, p90: rate / limit },
    note: notes.join(', '),
  };
}

const section = { name: 'network-guest', beside: 'the limit', unit: 'Mbit/s' } as const;

export async function accuracy(
  stage: BenchStage,
  quick: boolean,
  signal: AbortSignal,
): Promise<Section> {
  const rows: Row[] = [];
  stage.qdisc(device, ...fq);
  for (const [what, kind] of [
    ['send', 'put'],
    ['receive', 'get'],
  ] as const)
    for (const limit of quick ? [1, 10] : [1, 10, 100, 800])
      for (const flows of [1, 8]) {
        signal.throwIfAborted();
        // Above that, divided packets are more than the processor can do.
        stage.divide(limit <= 100);
        stage.apply([tenant(alice, { [what]: mbit(limit) })]);
        const stream = streamOf(
          await stage.as(
            alice,
            'stream',
            kind,
            far,
            port,
            flows,
            3_000,
            limit > 10 ? 3_000 : 8_000,
          ),
        );
        const again = [`${percent(stream.again)} sent again`];
        const fair = flows > 1 ? [`Jain ${fairness(stream.flows).toFixed(2)}`] : [];
        rows.push(
          rateRow(
            `${what}, ${flows} ${flows > 1 ? 'connections' : 'connection'}`,
            stream.flows,
            limit,
            [...again, ...fair],
          ),
        );
      }
  return { ...section, title: 'Network: what gets through at a limit', rows, notes: notes() };
}

export async function resellers(stage: BenchStage, signal: AbortSignal): Promise<Section> {
  const rows: Row[] = [];
  stage.qdisc(device, ...fq);
  stage.divide(true);
  const uids = [alice, bob, carol, dave];
  stage.apply(
    uids.map((uid) => tenant(uid, { send: mbit(10) }, 'reseller')),
    new Map([['reseller', { send: mbit(20) }]]),
  );
  for (const first of [1, 8]) {
    signal.throwIfAborted();
    const streams = await Promise.all(
      uids.map((uid, at) =>
        stage.as(uid, 'stream', 'put', far, port, at === 0 ? first : 1, 3_000, 8_000),
      ),
    );
    const shares = streams.map((each) => sum(streamOf(each).flows));
    const each = shares.map((share) => share.toFixed(2)).join(', ');
    rows.push(
      rateRow(`4 tenants of 10, the first with ${first} of ${first + 3} connections`, shares, 20, [
        `${each}: Jain ${fairness(shares).toFixed(2)}`,
      ]),
    );
  }
  return {
    ...section,
    title: 'Network: tenants of a reseller with 20 Mbit/s',
    rows,
    notes: notes(),
  };
}

const loads = [
  [10, 16],
  [10, 128],
  [100, 128],
] as const;

export async function latency(
  stage: BenchStage,
  quick: boolean,
  signal: AbortSignal,
): Promise<Section> {
  const rows: Row[] = [];
  stage.divide(true);
  for (const [limit, flows] of quick ? loads.slice(0, 1) : loads) {
    signal.throwIfAborted();
    const asks = quick ? 30 : 100;
    // A request of HTB's may wait for a second.
    const streams = ['stream', 'put', far, port, flows, 2_000, 22_000] as const;
    stage.htb(device, 2, `${limit}mbit`);
    const byHtb = await beside(stage.beside('priority', 0x1_0001, ...streams), [
      () => stage.beside('priority', 0x1_0001, 'ask', far, port, 10),
      () => stage.beside('priority', 0x1_0002, 'ask', far, port, 10),
    ]);
    stage.qdisc(device, ...fq);
    stage.apply([tenant(alice, { send: mbit(limit) }), tenant(bob, {})]);
    const ours = await beside(stage.as(alice, ...streams), [
      () => stage.as(alice, 'ask', far, port, asks),
      () => stage.as(bob, 'ask', far, port, asks),
    ]);
    for (const [at, who] of ['the tenant’s own', 'a neighbour’s'].entries())
      rows.push(
        latencyRow(
          `${who}, ${flows} connections fill ${limit} Mbit/s`,
          ours.took[at] ?? [],
          byHtb.took[at] ?? [],
        ),
      );
  }
  const idle = milliseconds(await stage.as(bob, 'ask', far, port, 30));
  rows.push(latencyRow('without load', idle, idle));
  return {
    name: 'network-guest',
    beside: 'HTB, a class each',
    title: 'Network: a request of one byte while a tenant’s bulk fills its limit',
    rows,
    notes: notes(),
  };
}

/** Measures how long requests take, one after the other, once bulk fills the limit. */
async function beside(bulk: Promise<unknown>, asks: readonly (() => Promise<readonly number[]>)[]) {
  const took: (readonly number[])[] = [];
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  for (const ask of asks) took.push(milliseconds(await ask()));
  await bulk;
  return { took };
}

const milliseconds = (nanoseconds: readonly number[]) =>
  nanoseconds.map((each) => each / 1_000_000);

function latencyRow(label: string, ours: readonly number[], floor: readonly number[]): Row {
  const [own, others] = [spreadOf(ours), spreadOf(floor)];
  const ratio = (name: 'p50' | 'p90') => own[name] / others[name];
  const p99 = [ours, floor].map((each) => percentile(each, 0.99).toFixed(1)).join(' and ');
  return {
    label,
    ours: own,
    floor: others,
    ratio: { p50: ratio('p50'), p10: ratio('p50'), p90: ratio('p50') },
    note: `p99 ${p99} ms`,
  };
}

const notes = () => [
  `${roundTripMilliseconds} ms there and back, IPv4, in the time that the guest's instructions take`,
];
