/**
 * `simulate` over 30 days of 1,000 tenants at work, compared with the bare library: reading the same columns of the
 * same hours by SQLite and inflating them. The history is recorded in ticks of 5 s with all metrics, and rolled up by
 * the store; recorded hours are repeated for the rest of the period.
 */
import { mkdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { inflateRawSync } from 'node:zlib';
import { formatProblem, type Problem } from '../packages/base/problem.ts';
import type { Result } from '../packages/base/result.ts';
import { simulate } from '../src/agent/policy/simulate-limits.ts';
import { MemberIndex } from '../src/agent/sampling/member-index.ts';
import { parsePolicy } from '../src/policy/parse.ts';
import { resolvePolicy } from '../src/policy/resolve.ts';
import { EventStore } from '../src/store/events/event-store.ts';
import { History } from '../src/store/history/history.ts';
import { metricsFile, quotedName } from '../src/store/metrics/metrics-schema.ts';
import { MetricsStore } from '../src/store/metrics/metrics-store.ts';
import type { Member } from '../src/usage/member.ts';
import { metricKeys, peakKeys, type MetricKey } from '../src/usage/metrics.ts';
import type { LimitKey } from '../src/limits/limit.ts';
import { replayMetrics, replayRules } from '../src/usage/simulate.ts';
import { emptyColumns, type Tick } from '../src/usage/tick.ts';
import { askStores } from '../testing/ask-stores.ts';
import type { Bench } from './bench.ts';
import { compare, inTurn, milliseconds, spreadOf, type Section } from './samples.ts';

const tenants = 1_000;
const firstUid = 1_000;
const days = 30;
const hours = days * 24;
const ticksOfHour = 720;
const tickSeconds = 5;
const hourMilliseconds = 3_600_000;
/** The beginning of an hour. */
const start = 500_000 * hourMilliseconds;
const end = start + hours * hourMilliseconds;
/** The bytes at the beginning of a column of an hour that are not compressed. */
const peakBytes = 4;
const secondsMax = 3;

const now = `<cpu limit="400%"/><memory limit="4GiB"/><processes limit="500"/>
  <io read="1GiB/s" write="1GiB/s" reads="100000/s" writes="100000/s"/>`;

interface Case {
  readonly label: string;
  /** The default limits of the other policy. */
  readonly other: string;
  readonly metrics: readonly MetricKey[];
}

const metricsOf = (keys: readonly LimitKey[]) => replayMetrics(keys.map((key) => replayRules[key]));

const cases: readonly Case[] = [
  {
    label: 'a lower CPU limit',
    other: now.replace('400%', '50%'),
    metrics: metricsOf(['cpu.limit']),
  },
  {
    label: 'lower limits of CPU, memory and processes',
    other: now.replace('400%', '50%').replace('4GiB', '256MiB').replace('500', '20'),
    metrics: metricsOf(['cpu.limit', 'memory.limit', 'processes.limit']),
  },
  {
    label: 'every limit lower',
    other: `<cpu limit="50%"/><memory limit="256MiB"/><processes limit="20"/>
      <io read="1MiB/s" write="1MiB/s" total="1MiB/s" reads="100/s" writes="100/s" operations="100/s"/>`,
    metrics: metricsOf([
      'cpu.limit',
      'memory.limit',
      'processes.limit',
      'io.read',
      'io.write',
      'io.total',
      'io.reads',
      'io.writes',
      'io.operations',
    ]),
  },
];

export async function benchSimulate({ directory, quick, signal }: Bench): Promise<Section> {
  const place = `${directory}/simulate`;
  mkdirSync(place, { recursive: true, mode: 0o700 });
  record(place, quick ? 2 : 12, signal);
  using events = new EventStore(place);
  const memberIndex = membersWith(now);
  const rounds = quick ? 1 : 5;
  const rows = [];
  for (const { label, other, metrics } of cases) {
    const after = membersWith(other);
    const ours = async () => {
      // A new thread has unpacked nothing before.
      await using history = new History(place);
      const ask = askStores({ memberIndex, events, history: history.askedBy('administrator') });
      const begin = performance.now();
      const found = await simulate(ask, {
        period: { from: start, to: end },
        after,
        tenant: undefined,
        onProgress: () => undefined,
      });
      const took = performance.now() - begin;
      if (!found.ok) throw new Error(formatProblem(found.error));
      if (found.value.limits.length < 0.9 * tenants) throw new Error('it found too little');
      return took;
    };
    const [samples = [], floor = []] = await inTurn(
      rounds,
      [ours, () => readPlainly(place, metrics)],
      signal,
    );
    const { p50 } = spreadOf(samples);
    const note = `${(p50 / 1000).toFixed(1)} s, of ${secondsMax} s that are the goal`;
    rows.push({ ...compare(label, samples, floor), note });
  }
  return {
    name: 'simulate',
    title: `Replay ${days} days of ${tenants} tenants, all at work, against other limits`,
    beside: 'SQLite and zlib',
    rows,
    notes: ['the comparison reads and inflates the same columns of the same hours once'],
  };
}

function membersWith(limits: string): MemberIndex {
  const own = Array.from({ length: tenants }, (_, each) => `<tenant uid="${firstUid + each}"/>`);
  const text = `<bulkhead version="1"><defaults>${limits}</defaults>${own.join('')}</bulkhead>`;
  const { document, diagnostics } = parsePolicy('bench.xml', text);
  if (document === undefined) throw new Error(JSON.stringify(diagnostics.list));
  return new MemberIndex(resolvePolicy(document, { accounts: [], uidMin: firstUid }));
}

/** Records some hours, and repeats them until the end of the period. */
function record(place: string, recorded: number, signal: AbortSignal): void {
  using store = new MetricsStore(place);
  const templates = Array.from({ length: 256 }, (_, number) => randomTick(number));
  for (let number = 1; number <= recorded * ticksOfHour; number++) {
    if (number % ticksOfHour === 0) signal.throwIfAborted();
    const template = templates[Math.floor(Math.random() * templates.length)] ?? randomTick(0);
    insist(store.add({ ...template, at: start + number * tickSeconds * 1000 }));
  }
  do insist(store.rollUp(start + (recorded + 1) * hourMilliseconds));
  while (store.isRollingUp);
  using db = new DatabaseSync(`${place}/${metricsFile}`);
  const columns = ['seconds', 'ticks', 'count', 'members', ...metricKeys.map(quotedName)].join(
    ', ',
  );
  const repeat = db.prepare(
    `INSERT INTO hours (hour, first, last, ${columns})
     SELECT hour + ?, first + ?, last + ?, ${columns} FROM hours WHERE id = ?`,
  );
  for (let hour = recorded; hour < hours; hour++) {
    const like = hour % recorded;
    const ticks = (hour - like) * ticksOfHour;
    repeat.run((hour - like) * hourMilliseconds, ticks, ticks, like + 1);
  }
  // Ticks are kept for two days; hours stand for all of the period here.
  db.exec('DELETE FROM ticks');
}

/** Returns a tick in which 300 of the tenants do something; other ones in each. */
function randomTick(seed: number): Tick {
  const numbers = Array.from({ length: tenants }, (_, number) => number).filter(
    (number) => (number * 7 + seed) % 10 < 3,
  );
  const columns = emptyColumns(numbers.length);
  const set = (keys: readonly MetricKey[], of: (number: number) => number) => {
    for (const [index, number] of numbers.entries())
      for (const key of keys) columns[key][index] = of(number);
  };
  const sometimes = (share: number, max: number) => () =>
    Math.random() < share ? Math.random() ** 4 * max : 0;
  const steady = (number: number) => 1e7 * (1 + (number % 50)) * (0.9 + 0.2 * Math.random());
  const few = () => Math.ceil(Math.random() * 30);
  set(['cpu'], () => Math.random() ** 4);
  set(['memory', 'memoryPeak', 'cache', 'anonymous', 'anonymousPeak'], steady);
  set(['read', 'write', 'total'], sometimes(0.5, 1e7));
  set(['reads', 'writes', 'operations'], sometimes(0.5, 1e3));
  set(['threads', 'threadsPeak', 'processes'], few);
  set(['throttled', 'cpuPressure', 'memoryPressure', 'ioPressure'], sometimes(0.1, 1));
  const members = numbers.map((number): Member => `u${firstUid + number}`);
  return { at: 0, seconds: tickSeconds, members, columns };
}

function readPlainly(place: string, metrics: readonly MetricKey[]): number {
  using db = new DatabaseSync(`${place}/${metricsFile}`, { readOnly: true });
  const columns = metrics.flatMap((metric) => [metric, peakKeys.get(metric) ?? []].flat());
  return milliseconds(() => {
    for (const column of columns) {
      const statement = db.prepare(
        `SELECT ${quotedName(column)} FROM hours WHERE hour >= ? AND hour < ?`,
        { returnArrays: true },
      );
      for (const row of statement.iterate(start, end)) {
        const [bytes] = row as unknown as readonly [Uint8Array];
        inflateRawSync(bytes.subarray(peakBytes));
      }
    }
  });
}

function insist(written: Result<void, Problem>): void {
  if (!written.ok) throw new Error(formatProblem(written.error));
}
