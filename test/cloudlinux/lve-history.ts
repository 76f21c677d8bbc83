/** Series, incidents and processes of user 3, as the agent answers them. User 7 has incidents, too, and nobody else. */
import type {
  IncidentResponse,
  IncidentRow,
  IncidentsResponse,
  ProcessesResponse,
} from '../../src/agent/api/api.ts';
import type { SeriesResponse } from '../../src/agent/api/usage-api.ts';
import type { ProcessEvidence } from '../../src/usage/incident.ts';
import { tenantMember } from '../../src/usage/member.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';

export type HistoryAnswer =
  | SeriesResponse
  | IncidentsResponse
  | IncidentResponse
  | ProcessesResponse;

/** The first fault, and the time of the snapshot. */
export const hitAt = Date.parse('2026-01-31T18:45:00Z');

const who = {
  member: tenantMember(1003),
  uid: 1003,
  name: 'user3',
  kind: 'tenant',
} as const;

/** A program whose tenant chose a name that acts on terminals, and looks like markup. */
const hostile: ProcessEvidence = {
  pid: 4711,
  name: 'x\u001b[2J',
  command: 'php </svg><script> \u001b]0;x\u0007',
  state: 'R',
  threads: 2,
  cpuSeconds: 12.4,
  memoryBytes: 5 * 2 ** 20,
  readBytes: 1024,
  writeBytes: 2048,
};

const incident: IncidentRow = {
  id: 7,
  member: who.member,
  name: 'user3',
  limit: 'cpu.limit',
  severity: 'throttled',
  inferred: false,
  begin: hitAt,
  end: hitAt + 60_000,
  faults: 9,
  value: '200%',
  from: 'policy.xml:3',
  snapshots: 1,
  who,
};

const usage = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;

/** A tenant that has a limit on reads, and was never refused anything. */
const answerForReads = (
  pathname: string,
  query: URLSearchParams,
): SeriesResponse | IncidentsResponse | undefined => {
  if (pathname === '/v1/incidents') return { incidents: [], total: 0 };
  if (pathname !== '/v1/series') return undefined;
  const [from, to] = [Number(query.get('from')), Number(query.get('to'))];
  return seriesOf((query.get('metric') ?? 'cpu') as MetricKey, from, to, readsLimited);
};

export function historyAnswer({ pathname, searchParams }: URL): HistoryAnswer | undefined {
  const from = Number(searchParams.get('from'));
  const to = Number(searchParams.get('to'));
  if (searchParams.get('tenant') === '1005') return answerForReads(pathname, searchParams);
  const isUser3 = ['user3', '1003'].includes(searchParams.get('tenant') ?? '');
  if (pathname === '/v1/series' && isUser3) {
    return seriesOf((searchParams.get('metric') ?? 'cpu') as MetricKey, from, to);
  }
  if (pathname === '/v1/incidents' && isUser3) {
    const incidents = from <= incident.end && to >= incident.begin ? [incident] : [];
    return { incidents, total: incidents.length };
  }
  if (pathname === '/v1/incidents' && searchParams.get('tenant') === 'user7') {
    // More than are listed; one was deleted after it had been listed, another has no snapshots any more.
    const incidents = [{ ...incident, id: 9 }, incident, { ...incident, id: 8, snapshots: 0 }];
    return { incidents, total: 1500 };
  }
  if (pathname === '/v1/incidents/7') {
    const evidence = [{ at: hitAt, processes: [hostile], processCount: 3, usage }];
    const explanation = ['It used more CPU than it may.'];
    return { ...incident, evidence, explanation, resource: 'cpu', users: [], requests: [] };
  }
  if (/^\/v1\/tenants\/\d+\/processes$/.test(pathname)) {
    const processes = pathname.includes('1003') ? [{ ...hostile, cpu: 0.5 }] : [];
    return { who, at: hitAt, processes, processCount: processes.length };
  }
  return undefined;
}

const limits: Readonly<Partial<Record<MetricKey, number>>> = { cpu: 2, memory: 2 ** 30 };

/** Only reads have a limit, as with `<io read=…/>`. */
const readsLimited: typeof limits = { read: 2 ** 20 };

/** Half of the limit, then the limit; nothing was measured in the first part. */
function seriesOf(metric: MetricKey, from: number, to: number, known = limits): SeriesResponse {
  const limit = known[metric];
  const full = limit ?? 100 * 1024;
  const points = [
    null,
    ...Array.from({ length: 59 }, (_, index) => (index < 30 ? full / 2 : full)),
  ];
  return { who, metric, from, to, points, ...(limit !== undefined && { limit }) };
}
