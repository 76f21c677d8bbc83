/** A host with many tenants, for the pages that list them. */
import type { StatusResponse } from '../../../src/agent/api/status-response.ts';
import { ok } from '../../../packages/base/result.ts';
import type { Columns, ColumnsQuery } from '../../../src/store/history/history-query.ts';
import type { Fault } from '../../../src/usage/fault.ts';
import { tenantMember } from '../../../src/usage/member.ts';
import { Stage } from '../stage.ts';

export const firstUid = 10_000;
const packages = ['starter', 'business', 'agency'] as const;

const accountsOf = (count: number): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`t${String(at).padStart(4, '0')}`, firstUid + at]),
  );

/** Starts an agent with this many tenants, a part of them of the reseller `acme`. */
export async function hostWith(count: number): Promise<Stage> {
  const stage = await Stage.start();
  const accounts = accountsOf(count);
  stage.haveAccounts({ acme: 4000, ...accounts });
  stage.adopt(policyFor(Object.keys(accounts)));
  stage.status = goodStatus(count);
  stage.history = { columns: async (query) => ok(dayOf(query)) };
  return stage;
}

/** Returns a day with a gap in it. */
function dayOf({ metrics, points }: ColumnsQuery): Columns {
  const values = Array.from({ length: points }, (_, at) =>
    at > 30 && at < 36 ? null : 3 + 2 * Math.sin(at / 7),
  );
  return {
    seconds: values.map((each) => (each === null ? 0 : 900)),
    metrics: new Map(metrics.map((key) => [key, { averages: values, maxima: values }])),
  };
}

function policyFor(users: readonly string[]): string {
  const limits = '<cpu limit="100%"/><memory limit="1GiB"/><processes limit="100"/>';
  const tenants = users.map(
    (user, at) => `<tenant user="${user}" package="${packages[at % packages.length]}"/>`,
  );
  const sold = Math.floor(users.length / 10);
  return `${packages.map((name) => `<package name="${name}">${limits}</package>`).join('')}
    <reseller user="acme">${tenants.slice(0, sold).join('')}</reseller>${tenants.slice(sold).join('')}`;
}

export const goodStatus = (tenants: number): StatusResponse => ({
  version: '0.1.0',
  instance: 'bulkhead',
  pid: 1,
  startedAt: Date.now() - 86_400_000,
  driver: 'cgroup v2',
  policy: {
    file: '/etc/bulkhead/policy.xml',
    state: 'in force',
    stateChangedAt: Date.now() - 3_600_000,
    problems: [],
  },
  tenants,
  resellers: 1,
  placement: {
    state: 'on',
    filtered: true,
    events: 100,
    migrated: 41,
    overruns: 0,
    restarts: 0,
    outside: [],
    unknown: [],
  },
  tick: { intervalSeconds: 5, endedAt: Date.now(), durationSeconds: 0.012, ticks: 100, faults: 0 },
  history: { state: 'on', bytes: 12_345_678, oldestAt: Date.now() - 30 * 86_400_000 },
  memoryBytes: 90_000_000,
});

const gibibyte = 2 ** 30;

/** Has a tick: three tenants at a limit, some near one, a third of all active. */
export function busyTick(stage: Stage, count: number, at = Date.now()): void {
  const active = Array.from({ length: Math.ceil(count / 3) }, (_, index) => index);
  const usage = active.map((index) => {
    const share = index < 3 ? 1 : index < 8 ? 0.93 : 0.8 / index;
    const memory = gibibyte * (index === 1 ? 0.99 : share * 0.7);
    const each = {
      cpu: share,
      anonymous: memory,
      memory,
      read: index * 1e5,
      threads: 3 + (index % 40),
    };
    return [firstUid + index, each] as const;
  });
  const hit = (index: number, limit: Fault['limit'], severity: Fault['severity']): Fault => ({
    member: tenantMember(firstUid + index),
    limit,
    severity,
    count: 3,
    inferred: false,
  });
  const faults = [
    hit(0, 'cpu.limit', 'throttled'),
    hit(1, 'memory.limit', 'killed'),
    hit(2, 'cpu.limit', 'throttled'),
  ];
  stage.measure(at, Object.fromEntries(usage), faults);
}

/** Adds incidents of each severity in the last day. */
export function addIncidents(stage: Stage): void {
  const hour = 3_600_000;
  const rows = [
    ['killed', 'memory.limit', '1GiB', 1, 0, 1],
    ['refused', 'processes.limit', '100', 3, 0.1, 12],
    ['throttled', 'cpu.limit', '100%', 4, 1.5, 3127],
    ['throttled', 'io.read', '10MiB/s', 9, 0.5, 40],
  ] as const;
  for (const [at, [severity, limit, value, ago, hours, faults]] of rows.entries()) {
    const begin = Date.now() - ago * hour;
    const opened = stage.events.open({
      member: tenantMember(firstUid + at),
      name: `t${String(at).padStart(4, '0')}`,
      limit,
      severity,
      inferred: false,
      begin,
      end: begin + hours * hour,
      faults,
      value,
      from: 'policy.xml:12',
    });
    if (!opened.ok) throw new Error(opened.error.reason);
  }
}
