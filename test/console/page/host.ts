/** A host with many tenants, for the pages that list them. */
import type { StatusResponse } from '../../../src/agent/api/status-response.ts';
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
  return stage;
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
