/**
 * Keeping history for 1,000 tenants of which 300 are at work. It measures writing a tick, compared
 * with SQLite's own cost for one row of the same bytes, and summing up an hour. Then it reads a day
 * of 5 s ticks: p95 of all tenants, and everything of one.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { inflateRawSync } from 'node:zlib';
import { formatProblem, type Problem } from '../packages/base/problem.ts';
import type { Result } from '../packages/base/result.ts';
import type { UsageQuery } from '../src/store/history/history-query.ts';
import { HistoryReader } from '../src/store/history/history-reader.ts';
import { metricColumns } from '../src/store/metrics/metrics-schema.ts';
import { MetricsStore } from '../src/store/metrics/metrics-store.ts';
import type { Member } from '../src/usage/member.ts';
import { metricKeys } from '../src/usage/metrics.ts';
import { emptyColumns, type Tick } from '../src/usage/tick.ts';
import type { Bench } from './bench.ts';
import { compare, inTurn, milliseconds, spreadOf, type Row, type Section } from './samples.ts';

const tenants = 1_000;
const working = 0.3;
const tickMilliseconds = 5_000;
const hourMilliseconds = 3_600_000;
const members = Array.from({ length: tenants }, (_, number): Member => `u${1_000 + number}`);
/** Longer than 48 h, so that the history is read by hours. */
const replayedDays = 30;
/** The bytes at the beginning of a column of an hour that are not compressed. */
const peakBytes = 4;
/** The beginning of an hour. */
const start = 500_000 * hourMilliseconds;

export async function benchHistory({ directory, quick, signal }: Bench): Promise<Section> {
  const place = `${directory}/history`;
  mkdirSync(place, { recursive: true, mode: 0o700 });
  using store = new MetricsStore(place);
  const hours = quick ? 3 : 24;
  const ticks = (hours * hourMilliseconds) / tickMilliseconds;
  const templates = Array.from({ length: 64 }, () => randomTick());
  const tickAt = (number: number): Tick => {
    const template = templates[Math.floor(Math.random() * templates.length)] ?? randomTick();
    return { ...template, at: start + number * tickMilliseconds };
  };
  const rollUps: Step[] = [];
  for (let number = 1; number <= ticks; number++) {
    if (number % 720 === 0) signal.throwIfAborted();
    insist(store.add(tickAt(number)));
    rollUps.push(...rollUpOf(store, start + number * tickMilliseconds));
  }
  rollUps.push(...rollUpOf(store, start + (ticks + 720) * tickMilliseconds));
  const bytes = rowBytes(place);
  let next = ticks;
  using floor = new PlainRows(`${place}/floor.db`, Math.round(bytes));
  const write = () => {
    const tick = tickAt(++next);
    return milliseconds(() => insist(store.add(tick)));
  };
  const rounds = quick ? 300 : 2_000;
  const [ours = [], plain = []] = await inTurn(rounds, [write, () => floor.write()], signal);
  const to = start + ticks * tickMilliseconds;
  const reads = readInProcess(place, { to, metrics: ['cpu'] }, quick ? 5 : 15);
  const own = { to, metrics: metricKeys, members: ['u1000'] } as const;
  const ownReads = readInProcess(place, own, quick ? 5 : 15);
  return {
    name: 'history',
    title: `Keep the history of ${tenants} tenants, ${tenants * working} at work, ${metricKeys.length} metrics`,
    beside: 'one blob',
    rows: [
      compare('write a tick', ours, plain),
      ...rollUpRows(rollUps),
      {
        label: `p95 of CPU of each, ${hours} h of ticks`,
        ours: spreadOf(reads.samples),
        peakMiB: reads.peakMiB,
      },
      {
        label: `all metrics of one, ${hours} h of ticks`,
        ours: spreadOf(ownReads.samples),
        peakMiB: ownReads.peakMiB,
      },
      await replayRow(place, { to, rounds: quick ? 5 : 15, signal }),
    ],
    notes: [
      `${(bytes / tenants).toFixed(1)} bytes a tenant and tick, ${(store.bytes() / next / tenants).toFixed(1)} on disk with the hours`,
      `${hourBytes(place).toFixed(0)} bytes a tenant and hour`,
    ],
  };
}

function randomTick(): Tick {
  const members: Member[] = [];
  const numbers: number[] = [];
  for (let number = 0; number < tenants; number++) {
    if (Math.random() >= working) continue;
    members.push(`u${1_000 + number}`);
    numbers.push(number);
  }
  const columns = emptyColumns(members.length);
  const set = (key: keyof typeof columns, of: (number: number) => number) => {
    for (const [index, number] of numbers.entries()) columns[key][index] = of(number);
  };
  const sometimes = (share: number, max: number) => () =>
    Math.random() < share ? Math.random() ** 4 * max : 0;
  const steady = (number: number) => 1e7 * (1 + (number % 50)) * (0.9 + 0.2 * Math.random());
  set('cpu', () => Math.random() ** 4);
  set('memory', steady);
  set('cache', steady);
  for (const key of ['read', 'write', 'reads', 'writes'] as const) set(key, sometimes(0.5, 1e6));
  for (const key of ['threads', 'processes'] as const) set(key, () => Math.ceil(Math.random() * 8));
  set('throttled', sometimes(0.1, 1));
  for (const key of ['cpuPressure', 'memoryPressure', 'ioPressure'] as const) {
    set(key, sometimes(0.1, 1));
  }
  return { at: 0, seconds: tickMilliseconds / 1_000, members, columns };
}

interface Step {
  readonly hour: number;
  readonly took: number;
}

/** Measures every call that sums up an hour; none where there is nothing to do. */
function rollUpOf(store: MetricsStore, now: number): readonly Step[] {
  const steps: Step[] = [];
  for (;;) {
    const took = milliseconds(() => insist(store.rollUp(now)));
    if (!store.isRollingUp) return steps;
    steps.push({ hour: now, took });
  }
}

function rollUpRows(steps: readonly Step[]): readonly Row[] {
  const hours = new Map<number, number[]>();
  for (const { hour, took } of steps) hours.set(hour, [...(hours.get(hour) ?? []), took]);
  // The last call of each hour only checks for more.
  const whole = [...hours.values()].filter(({ length }) => length > metricKeys.length);
  const sums = whole.map((each) => each.reduce((sum, took) => sum + took, 0));
  const worst = whole.map((each) => Math.max(...each));
  return [
    { label: 'sum up an hour, in all', ours: spreadOf(sums) },
    { label: 'sum up an hour, its longest call', ours: spreadOf(worst) },
  ];
}

/** SQLite's own cost for as many bytes, in one row with the same durability. */
class PlainRows implements Disposable {
  readonly #db: DatabaseSync;
  readonly #body: Uint8Array;
  readonly #insert;

  constructor(path: string, bytes: number) {
    this.#db = new DatabaseSync(path);
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    this.#db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)');
    this.#insert = this.#db.prepare('INSERT INTO rows (body) VALUES (?)');
    this.#body = crypto.getRandomValues(new Uint8Array(bytes));
  }

  write(): number {
    return milliseconds(() => void this.#insert.run(this.#body));
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

const rowBytes = (place: string) => averageLength(place, 'ticks', ['members', ...metricColumns]);

const hourBytes = (place: string) =>
  averageLength(place, 'hours', ['members', ...metricColumns]) / tenants;

function averageLength(place: string, table: string, columns: readonly string[]): number {
  const db = new DatabaseSync(`${place}/metrics.db`, { readOnly: true });
  try {
    const lengths = columns.map((column) => `coalesce(length(${column}), 0)`).join(' + ');
    const row = db.prepare(`SELECT avg(${lengths}) AS bytes FROM ${table}`).get();
    return Number(row?.['bytes']);
  } finally {
    db.close();
  }
}

type Asked = Omit<UsageQuery, 'from'>;

/** Reads in a process of its own, so that its memory is the reader's. */
function readInProcess(place: string, asked: Asked, rounds: number) {
  const parameters = [place, asked, rounds].map((each) => JSON.stringify(each)).join(', ');
  const program = `
    const { readSamples } = await import(${JSON.stringify(import.meta.url)});
    process.stdout.write(JSON.stringify(readSamples(${parameters})));`;
  // The young generation is small, as in the thread that answers queries.
  const options = ['--max-semi-space-size=1', '--input-type=module', '-e', program];
  const text = execFileSync(process.execPath, options, { encoding: 'utf8' });
  return JSON.parse(text) as ReturnType<typeof readSamples>;
}

/** Reads in that process. */
export function readSamples(place: string, asked: Asked, rounds: number) {
  using reader = new HistoryReader(place);
  const expected = asked.members?.length ?? tenants;
  const samples = Array.from({ length: rounds }, () =>
    milliseconds(() => {
      const answer = reader.usage({ from: start, ...asked });
      if (!answer.ok) throw new Error(formatProblem(answer.error));
      if (answer.value.detail !== 'ticks' || answer.value.rows.size !== expected) {
        throw new Error(`Only ${answer.value.rows.size} tenants, of ${answer.value.detail}`);
      }
    }),
  );
  return { samples, peakMiB: process.resourceUsage().maxRSS / 1_024 };
}

interface Replaying {
  readonly to: number;
  readonly rounds: number;
  readonly signal: AbortSignal;
}

/** Replays a limit of CPU of each, by hours, compared with reading and unpacking the same hours. */
async function replayRow(place: string, { to, rounds, signal }: Replaying): Promise<Row> {
  const limits = new Map(members.map((each) => [each, 0.5]));
  const from = to - replayedDays * 24 * hourMilliseconds;
  const points = replayedDays * 24;
  using db = new DatabaseSync(`${place}/metrics.db`, { readOnly: true });
  const rows = db.prepare('SELECT members, cpu FROM hours WHERE cpu IS NOT NULL');
  const unpack = () =>
    milliseconds(() => {
      for (const { cpu } of rows.iterate()) inflateRawSync((cpu as Uint8Array).subarray(peakBytes));
    });
  const replay = () => {
    // A new reader has unpacked nothing before.
    using reader = new HistoryReader(place);
    return milliseconds(() => {
      const answer = reader.replays({ from, to, points, metric: 'cpu', limits });
      if (!answer.ok) throw new Error(formatProblem(answer.error));
    });
  };
  const [ours = [], plain = []] = await inTurn(rounds, [replay, unpack], signal);
  return compare('a limit of CPU of each, replayed by hours', ours, plain);
}

function insist(written: Result<void, Problem>): void {
  if (!written.ok) throw new Error(formatProblem(written.error));
}
