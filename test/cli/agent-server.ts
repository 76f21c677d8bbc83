/**
 * Answers of an agent for a made-up host of a thousand tenants, on a unix socket: what the commands
 * for monitoring are tested against. Everything is generated from a seed and the time, so that two
 * questions of one tick get one answer; names and command lines are as hostile as tenants are.
 *
 *     node test/cli/agent-server.ts bulkhead-agent-server
 */
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { errorBody } from '../../src/agent/api/error-body.ts';
import type { MovedResponse } from '../../src/agent/history/history-api.ts';
import type {
  IncidentResponse,
  IncidentRow,
  IncidentsResponse,
  LiveProcess,
  ProcessesResponse,
  TopResponse,
  TopRow,
  Who,
} from '../../src/agent/api/api.ts';
import type {
  AdviseResponse,
  SeriesResponse,
  UsageResponse,
} from '../../src/agent/api/usage-api.ts';
import { socketOf } from '../../src/agent/api/client.ts';
import { pathsOf } from '../../src/host/paths.ts';
import {
  metricKeys,
  metrics,
  type KernelKey,
  type MetricKey,
  type Usage,
} from '../../src/usage/metrics.ts';
import { isPartKey } from '../../src/usage/part-keys.ts';

export const tenantCount = 1000;
const tickSeconds = 1;
const firstUid = 10_001;

/** Returns a number from 0 to 1 that is always the same for `a` and `b`. */
export function noise(a: number, b: number): number {
  let x = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

const packages = ['starter', 'business', 'pro'] as const;
const limitTexts = { 'cpu.limit': '100%', 'memory.limit': '1GiB', 'processes.limit': '100' };
const limits = { 'cpu.limit': 1, 'memory.limit': 2 ** 30, 'processes.limit': 100 };

export function whoIs(index: number): Who {
  const uid = firstUid + index;
  return {
    member: `u${uid}`,
    uid,
    name: index === 7 ? 'evil\u001b[2J\u202enoitcerid' : `tenant${String(index).padStart(4, '0')}`,
    kind: 'tenant',
    package: packages[index % 3] ?? 'pro',
    ...(index % 4 === 0 ? { reseller: 'acme' } : {}),
  };
}

const reseller: Who = { member: 'r9000', uid: 9000, name: 'acme', kind: 'reseller' };

/** No database server is asked here. */
const kernelKeys = metricKeys.filter((key): key is KernelKey => !isPartKey(key));

function usageOf(index: number, tick: number): Usage {
  const busy = noise(index, 1) ** 6;
  const now = 0.5 + noise(index, tick) / 2;
  const memory = 4e6 + busy * 9e8;
  const cache = memory * noise(index, 2) * 0.5;
  return {
    cpu: busy * now,
    memory,
    memoryPeak: memory,
    cache,
    anonymous: memory - cache,
    anonymousPeak: memory - cache,
    read: busy * now * 2e7,
    write: busy * now * 6e6,
    total: busy * now * 26e6,
    reads: busy * now * 400,
    writes: busy * now * 150,
    operations: busy * now * 550,
    threads: 2 + Math.round(busy * 98),
    threadsPeak: 2 + Math.round(busy * 98),
    processes: 1 + Math.round(busy * 30),
    throttled: 0,
    cpuPressure: busy * 0.4,
    memoryPressure: 0,
    ioPressure: busy * 0.1,
  };
}

function topRow(index: number, tick: number): TopRow {
  const usage = usageOf(index, tick);
  const hits = usage.cpu > 0.9;
  return {
    ...whoIs(index),
    usage,
    limits,
    limitTexts,
    faults: usage.cpu > 0.5 ? { 'cpu.limit': Math.round(usage.cpu * 40) } : {},
    limitsHit: hits ? ['cpu.limit'] : [],
  };
}

const isIdle = (index: number) => noise(index, 3) < 0.3 && index > 20;
const indexes = Array.from({ length: tenantCount }, (_, index) => index);

export function topResponse(at: number, all: boolean): TopResponse {
  const tick = Math.floor(at / 1000 / tickSeconds);
  const tenants = indexes
    .filter((index) => all || !isIdle(index))
    .map((each) => topRow(each, tick));
  const sum = tenants.filter((row) => row.reseller === 'acme');
  const usage = Object.fromEntries(
    kernelKeys.map((key) => [key, sum.reduce((total, row) => total + row.usage[key], 0)]),
  ) as Record<KernelKey, number>;
  return {
    at: tick * tickSeconds * 1000,
    durationSeconds: tickSeconds,
    host: { cores: 128, memoryBytes: 256 * 2 ** 30 },
    rows: [
      ...tenants,
      { ...reseller, usage, limits: {}, limitTexts: {}, faults: {}, limitsHit: [] },
    ],
    idle: indexes.filter(isIdle).length,
  };
}

const commands = [
  'php-fpm: pool www',
  'python3 /home/u/app.py --title 日本語のテスト',
  '/usr/sbin/mysqld --datadir=/home/u/db',
  'sh -c \u001b]0;owned\u0007\u001b[31mred\u009b2J',
] as const;

function processesOf(index: number): readonly LiveProcess[] {
  return Array.from({ length: 40 }, (_, each) => ({
    pid: 100_000 + index * 100 + each,
    name: 'php-fpm',
    command: commands[each % commands.length] ?? '',
    state: each === 0 ? 'R' : 'S',
    threads: 1 + (each % 3),
    cpuSeconds: noise(index, each) * 100,
    memoryBytes: Math.round(noise(each, index) * 2e8),
    readBytes: Math.round(noise(index, each + 50) * 1e9),
    writeBytes: Math.round(noise(index, each + 90) * 1e8),
    ageSeconds: 10 + noise(each, 5) * 90_000,
    cpu: noise(index, each) ** 3,
  }));
}

const faultLimits = ['cpu.limit', 'memory.limit', 'processes.limit'] as const;
const faultSeverities = ['throttled', 'killed', 'refused'] as const;
const hour = 3_600_000;

function incidentRow(id: number, to: number): IncidentRow {
  const who = whoIs(id % 50);
  const end = to - id * 60_000;
  return {
    id,
    member: who.member,
    name: who.name,
    who,
    limit: faultLimits[id % 3] ?? 'cpu.limit',
    severity: faultSeverities[id % 3] ?? 'throttled',
    inferred: id % 5 === 0,
    begin: end - 95_000,
    end,
    faults: 1 + Math.round(noise(id, 1) * 200),
    value: '100%',
    from: 'policy.xml:12',
    snapshots: 2,
  };
}

const link = { at: 1, program: 'nginx', link: '/a\u001b[2J', target: '', targetOwner: 'ben' };
/** A link, as the tenant and as a reseller see it. */
const refused = { kind: 'links', items: [link, { ...link, link: '' }] };

function incidentResponse(id: number): IncidentResponse {
  const row = incidentRow(id, Date.now());
  const snapshot = (at: number) => ({
    at,
    processes: processesOf(id)
      .slice(0, 5)
      .map(({ cpu: _cpu, command = '', ...each }) => ({ ...each, command })),
    processCount: 40,
    usage: usageOf(id, 1),
    killed: [{ pid: 4242, name: 'mysqld\u001b[0m' }],
  });
  return {
    ...row,
    evidence: [snapshot(row.begin), { ...snapshot(row.end), evidence: refused }],
    explanation: ['It ran into its limit.', 'Raise the limit, or make it use less.'],
    resource: 'cpu',
    users: [],
    requests: [],
  };
}

const databaseIncidents = [301, 302];

/** An incident of the share of a database server. */
function databaseRow(id: number, to: number): IncidentRow {
  const who = whoIs(3);
  const row = incidentRow(id, to);
  return { ...row, who, member: who.member, name: who.name, limit: 'database.cpu', value: '50%' };
}

function databaseIncident(id: number): IncidentResponse {
  const row = databaseRow(id, Date.now());
  const { evidence, ...rest } = incidentResponse(12);
  const [before] = evidence;
  const spent = { at: row.end, seconds: 12, usedSeconds: 16.8, limit: 0.5, pausedSeconds: 8.1 };
  const statement = `SELECT \u001b[2J FROM wp_options WHERE a${id} = ?`;
  const items = [{ ...spent, rung: 'freeze', statement, seen: 92, statementSeconds: 10.12 }];
  const snapshots = before === undefined ? [] : [before];
  const own = snapshots.map((each) => ({ ...each, evidence: { kind: 'database-cpu', items } }));
  return { ...rest, ...row, evidence: own };
}

const distribution = (value: number) => ({ average: value, p95: value * 1.8, max: value * 2.5 });

function usageResponse(from: number, to: number, names: readonly string[]): UsageResponse {
  const chosen = named(names);
  return {
    from,
    to,
    detail: to - from > 48 * hour ? 'hours' : 'ticks',
    measuredSeconds: (to - from) / 1000,
    rows: chosen.map((index) => ({
      ...whoIs(index),
      metrics: Object.fromEntries(
        kernelKeys.map((key) => [key, distribution(usageOf(index, 1)[key])]),
      ),
      limits,
      limitTexts,
      faults: index % 9 === 0 ? { 'cpu.limit': index, 'memory.limit': 2 } : {},
      mail:
        index % 9 === 0
          ? { accepted: 12, refused: 3, since: 1_763_992_900_000 }
          : ('unknown' as const),
      sentByWeb:
        index % 9 === 0
          ? { bytes: 5 * 2 ** 20, since: 1_763_992_900_000, gaps: ['/l/a.log\u001b[2J was cut'] }
          : ('unknown' as const),
    })),
  };
}

const named = (names: readonly string[]) =>
  names.length === 0 ? indexes : names.flatMap((name) => indexOf(name) ?? []);

function indexOf(name: string): number | undefined {
  const index = indexes.find((each) =>
    [whoIs(each).name, String(whoIs(each).uid), whoIs(each).member].includes(name),
  );
  return index;
}

function seriesResponse(query: URLSearchParams): SeriesResponse | undefined {
  const index = indexOf(query.get('tenant') ?? '');
  const metric = query.get('metric') as MetricKey;
  if (index === undefined || metrics[metric] === undefined) return undefined;
  const points = Number(query.get('points'));
  const [from, to] = [Number(query.get('from')), Number(query.get('to'))];
  const averages = Array.from({ length: points }, (_, each) =>
    each < 3 ? null : (usageOf(index, each)[metric] ?? 0) * (each / points),
  );
  const secondsOf = (each: number | null) => (each === null ? 0 : (to - from) / 1000 / points);
  const maxima = averages.map((each) => (each === null ? null : each * 1.25));
  const { limit: key } = metrics[metric];
  const limit = Object.entries(limits).find(([each]) => each === key)?.[1];
  return {
    who: whoIs(index),
    metric,
    from,
    to,
    points: averages,
    ...(query.get('maxima') === '1' ? { maxima, seconds: averages.map(secondsOf) } : {}),
    ...(limit === undefined ? {} : { limit }),
  };
}

function adviseResponse(from: number, to: number): AdviseResponse {
  const advice = (index: number) => ({
    ...whoIs(index),
    limit: 'cpu.limit' as const,
    current: index % 2 === 0 ? '100%' : '50%',
    neverHit: index % 2 === 0 ? '90%' : '180%',
    onePercentHit: index % 2 === 0 ? '80%' : '120%',
    faults: index % 2 === 0 ? 0 : 12,
  });
  return {
    from,
    to,
    measuredSeconds: (to - from) / 1000,
    tenants: indexes.slice(0, 10).map(advice),
    packages: [
      {
        package: 'business',
        tenants: 333,
        tenantsKnown: 333,
        limit: 'memory.limit',
        current: '4GiB',
        neverHit: '1GiB',
        onePercentHit: '512MiB',
        faults: 0,
      },
    ],
    host: [
      {
        limit: 'cpu.limit',
        committed: '100000%',
        unlimitedTenants: 3,
        available: '6400%',
        overcommit: 15.6,
        peak: '2100%',
      },
    ],
  };
}

function incidentsResponse(query: URLSearchParams): IncidentsResponse {
  const to = Number(query.get('to') ?? Date.now());
  const names = query.getAll('tenant');
  const [limit, severity] = [query.get('limit'), query.get('severity')];
  const databases = databaseIncidents.map((each) => databaseRow(each, to));
  const others = Array.from({ length: 300 }, (_, each) => incidentRow(each + 1, to));
  const all = [...others, ...(limit === 'database.cpu' ? databases : [])].filter(
    ({ who, limit: of, severity: how }) =>
      (names.length === 0 ||
        [who.name, String(who.uid), who.member].some((each) => names.includes(each))) &&
      (limit === null || limit === of) &&
      (severity === null || severity === how),
  );
  return { incidents: all.slice(0, Number(query.get('count') ?? 100)), total: all.length };
}

function answer(path: string, query: URLSearchParams): unknown {
  const [from, to] = [Number(query.get('from')), Number(query.get('to'))];
  const processes = /^\/v1\/tenants\/(.+)\/processes$/.exec(path);
  const incident = /^\/v1\/incidents\/(\d+)$/.exec(path);
  if (path === '/v1/top') return topResponse(Date.now(), query.get('all') === '1');
  if (path === '/v1/usage') return usageResponse(from, to, query.getAll('tenant'));
  if (path === '/v1/series') return seriesResponse(query);
  if (path === '/v1/moved') return { records: [] } satisfies MovedResponse;
  if (path === '/v1/incidents') return incidentsResponse(query);
  if (path === '/v1/advise') return adviseResponse(from, to);
  if (incident !== null) return incidentOf(Number(incident[1]));
  return processes === null ? undefined : processesResponse(decodeURIComponent(processes[1] ?? ''));
}

function incidentOf(id: number): IncidentResponse | undefined {
  if (databaseIncidents.includes(id)) return databaseIncident(id);
  return id > 300 ? undefined : incidentResponse(id);
}

function processesResponse(name: string): ProcessesResponse | undefined {
  const index = indexOf(name);
  if (index === undefined) return undefined;
  return { who: whoIs(index), at: Date.now(), processes: processesOf(index), processCount: 57 };
}

export interface AgentServer {
  readonly asked: readonly string[];
  /** Answers by path that replace generated ones; a function gets the query. */
  readonly instead: Map<string, unknown>;
  readonly close: () => Promise<void>;
}

const unknown = (path: string) =>
  errorBody({ action: 'find', object: path, reason: 'nobody knows it' });

/** Listens at the socket of `instance`'s agent; only root can make the directory. */
export async function startAgentServer(instance: string): Promise<AgentServer> {
  const paths = pathsOf(instance);
  mkdirSync(paths.runtime, { recursive: true, mode: 0o755 });
  rmSync(socketOf(paths), { force: true });
  const asked: string[] = [];
  const instead = new Map<string, unknown>();
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://agent');
    if (asked.length < 10_000) asked.push(decodeURIComponent(url.pathname + url.search));
    const { pathname, searchParams } = url;
    const given = instead.has(pathname) ? instead.get(pathname) : answer(pathname, searchParams);
    const value: unknown = typeof given === 'function' ? given(searchParams) : given;
    response.statusCode = value === undefined ? 404 : 200;
    response.end(JSON.stringify(value ?? unknown(url.pathname)));
  });
  await new Promise<void>((resolve) => server.listen(socketOf(paths), resolve));
  return {
    asked,
    instead,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(paths.runtime, { recursive: true, force: true });
    },
  };
}

if (import.meta.main) {
  const server = await startAgentServer(process.argv[2] ?? 'bulkhead-agent-server');
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void server.close());
}
