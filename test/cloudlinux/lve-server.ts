/**
 * Answers `/v1/top` and `/v1/usage` on a socket as the agent does, for as many tenants as asked
 * for. Tenant 1001 and those after it are `user1`, `user2`, …; what they use is computed from
 * their number, so that a test can compute it too.
 */
import { createServer, type Server } from 'node:http';
import { mkdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import type { ErrorResponse } from '../../src/agent/api/api.ts';
import { historyAnswer, type HistoryAnswer } from './lve-history.ts';
import { errorBody } from '../../src/agent/api/error-body.ts';
import type { LimitNumbers, TopResponse, TopRow } from '../../src/agent/api/api.ts';
import type { UsageResponse, UsageRow } from '../../src/agent/api/usage-api.ts';
import { socketOf } from '../../src/agent/api/client.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { metricKeys, type KernelKey, type Usage } from '../../src/usage/metrics.ts';
import { isPartKey } from '../../src/usage/part-keys.ts';
import { resellerMember, tenantMember } from '../../src/usage/member.ts';

const limits: LimitNumbers = {
  'cpu.limit': 2,
  'memory.limit': 2 ** 30,
  'io.read': 4 * 2 ** 20,
  'io.write': 2 ** 20,
  'io.reads': 1000,
  'io.writes': 500,
  'processes.limit': 100,
  'entries.limit': 20,
};

/** User 2 has no limits at all; uid 1004 has no account. */
const limitsOf = (number: number): LimitNumbers => (number === 2 ? {} : limits);

function usageOf(number: number): Usage {
  const kernelKeys = metricKeys.filter((key): key is KernelKey => !isPartKey(key));
  const zero = Object.fromEntries(kernelKeys.map((key) => [key, 0])) as Record<KernelKey, number>;
  return {
    ...zero,
    cpu: (number % 10) / 5,
    memory: number * 2 ** 20,
    read: number * 1024,
    write: number * 512,
    total: number * 1536,
    reads: number,
    writes: number * 2,
    operations: number * 3,
    threads: number % 100,
    processes: number % 50,
  };
}

const whoOf = (number: number) => ({
  member: tenantMember(1000 + number),
  uid: 1000 + number,
  name: number === 4 ? 'uid 1004' : `user${number}`,
  kind: 'tenant' as const,
  ...(number % 2 === 1 && { reseller: 'acme' }),
});

export const topRow = (number: number): TopRow => ({
  ...whoOf(number),
  usage: usageOf(number),
  limits: limitsOf(number),
  limitTexts: {},
  faults: number === 3 ? { 'memory.limit': 4, 'processes.limit': 5, 'entries.limit': 6 } : {},
  limitsHit: [],
});

const acme: TopRow = {
  ...topRow(1),
  member: resellerMember(900),
  uid: 900,
  name: 'acme',
  kind: 'reseller',
  limits: { 'cpu.limit': 4 },
};

/** Visitors of user 5 were refused. */
const entryFaults = (number: number): UsageRow['faults'] =>
  number === 5 ? { 'entries.limit': 12 } : {};

function usageRow(number: number, scale: number): UsageRow {
  const usage = usageOf(number);
  const measured = (
    ['cpu', 'memory', 'read', 'write', 'total', 'reads', 'writes', 'operations', 'threads'] as const
  ).map((key) => [
    key,
    { average: usage[key] * scale, p95: usage[key] * scale, max: usage[key] * scale * 1.25 },
  ]);
  return {
    ...whoOf(number),
    metrics: Object.fromEntries(measured) as UsageRow['metrics'],
    limits: limitsOf(number),
    limitTexts: {},
    faults:
      number === 3
        ? { 'cpu.limit': 7, 'io.read': 2, 'io.write': 1, 'memory.limit': 1 }
        : entryFaults(number),
  };
}

const acmeUsage: UsageRow = {
  ...usageRow(1, 0.5),
  member: resellerMember(900),
  uid: 900,
  name: 'acme',
  kind: 'reseller',
  limits: { 'cpu.limit': 4 },
};

export interface LveServer extends AsyncDisposable {
  /** Every request, as it came. */
  readonly asked: URL[];
  /** How long each answer takes. */
  delayMilliseconds: number;
}

/** `entriesCounted`: whether web servers report what they refuse. */
export async function startLveServer(
  tenants: number,
  instance: string,
  entriesCounted: boolean,
): Promise<LveServer> {
  const paths = pathsOf(instance);
  const numbers = Array.from({ length: tenants }, (_, index) => index + 1);
  const asked: URL[] = [];
  rmSync(paths.runtime, { recursive: true, force: true });
  mkdirSync(paths.runtime, { mode: 0o755 });
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://agent');
    asked.push(url);
    const answer = answerTo(url, numbers, entriesCounted);
    response.statusCode = 'error' in answer ? 404 : 200;
    setTimeout(() => response.end(JSON.stringify(answer)), started.delayMilliseconds);
  });
  const started: LveServer = {
    asked,
    delayMilliseconds: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(paths.runtime, { recursive: true, force: true });
    },
  };
  server.listen(socketOf(paths));
  await once(server, 'listening');
  return started;
}

function answerTo(
  url: URL,
  numbers: readonly number[],
  entriesCounted: boolean,
): TopResponse | UsageResponse | HistoryAnswer | ErrorResponse {
  const host = { cores: 4, memoryBytes: 8 * 2 ** 30 };
  if (url.pathname === '/v1/top') {
    return {
      at: 1_758_700_000_500,
      durationSeconds: 5,
      host,
      rows: [acme, ...numbers.map(topRow)],
      idle: 0,
    };
  }
  if (url.pathname.startsWith('/v1/')) {
    const told = historyAnswer(url);
    if (told !== undefined) return told;
  }
  if (url.pathname !== '/v1/usage')
    return errorBody({ action: 'find', object: url.pathname, reason: 'nobody knows it' });
  const [from, to] = [Number(url.searchParams.get('from')), Number(url.searchParams.get('to'))];
  const names = url.searchParams.getAll('tenant');
  const chosen = numbers.filter(
    (number) =>
      names.length === 0 || names.includes(`user${number}`) || names.includes(`${1000 + number}`),
  );
  if (chosen.length === 0) {
    return errorBody({ action: 'show tenant', object: names[0] ?? '', reason: 'there is none' });
  }
  const tenants = chosen.map((number) => usageRow(number, 0.5));
  const rows = names.length === 0 ? [acmeUsage, ...tenants] : tenants;
  const measuredSeconds = (to - from) / 1000;
  const counted = entriesCounted ? { entriesCounted: true as const } : {};
  return { from, to, detail: 'ticks', measuredSeconds, ...counted, rows };
}
