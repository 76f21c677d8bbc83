/** A host with one tenant that has a history of a day with a gap, incidents, processes and changes of its limits. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { ok } from '../../../packages/base/result.ts';
import type { AgentContext } from '../../../src/agent/api/request-context.ts';
import type { PolicyChangesResponse } from '../../../src/agent/api/policy-api.ts';
import { History } from '../../../src/store/history/history.ts';
import { MetricsStore } from '../../../src/store/metrics/metrics-store.ts';
import type { Snapshot } from '../../../src/usage/incident.ts';
import { evidenceOf } from '../../../src/usage/evidence.ts';
import { siteMember, tenantMember } from '../../../src/usage/member.ts';
import { requestEvidence } from '../../../src/web/core/entries/entries-incidents.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { tickOf, value } from '../../store/samples.ts';
import { incidentOf, processOf, snapshotOf } from '../../usage/incidents.ts';
import { Stage, uids } from '../stage.ts';

const minute = 60_000;
const hour = 60 * minute;
const mebibyte = 2 ** 20;
const tickSeconds = 120;

export const alice = tenantMember(uids.alice);
/** The hours before now in which nothing was measured. */
export const gap = { from: 9, to: 7 } as const;

const policy = `<agent><alerts><digest to="tenant" every="week" use="90%" choose="60%"/></alerts></agent>
  <package name="starter">
    <cpu limit="100%"/><memory limit="1GiB"/><processes limit="100"/>
    <io read="10MiB/s" write="10MiB/s"/><entries limit="20"/>
  </package>
  <reseller user="acme" may="limits"><cpu limit="400%"/>
    <tenant user="alice" package="starter"><site name="shop.example"><cpu limit="50%"/></site></tenant>
  </reseller>
  <tenant user="bob" package="starter"/>`;

const search = {
  method: 'GET',
  path: '/index.php',
  script: '/home/alice/shop/index.php',
  seconds: 4,
};

export interface TenantHost {
  readonly stage: Stage;
  /** The ids of the incidents, the latest first. */
  readonly incidents: readonly number[];
}

export async function tenantHost(): Promise<TenantHost> {
  const stage = await Stage.start();
  stage.adopt(policy);
  const directory = temporaryDirectory('page-history');
  const now = Date.now();
  writeHistory(directory.path, now);
  const history = new History(directory.path);
  stage.parts = { history, ...partsOf(now) };
  const incidents = writeIncidents(stage, now);
  stage.measure(now, {
    [uids.alice]: {
      cpu: 0.97,
      memory: 700 * mebibyte,
      cache: 180 * mebibyte,
      read: 3 * mebibyte,
      threads: 41,
    },
    [uids.bob]: { cpu: 0.1, memory: 90 * mebibyte, threads: 4 },
  });
  after(async () => {
    await history[Symbol.asyncDispose]();
    directory.remove();
  });
  return { stage, incidents };
}

/** Starts the same host with a real policy: changes are planned and written, and the record begins empty. */
export async function tenantHostWithPolicy(): Promise<Stage> {
  const { stage } = await tenantHost();
  const { policy: _recorded, ...parts } = stage.parts;
  stage.parts = parts;
  return stage;
}

/** A busy noon, a quiet night, and two hours of which nothing is known. */
function writeHistory(directory: string, now: number): void {
  using metrics = new MetricsStore(directory);
  for (let at = now - 24 * hour; at < now; at += tickSeconds * 1000) {
    const ago = (now - at) / hour;
    if (ago < gap.from && ago > gap.to) continue;
    const share = 0.5 + 0.5 * Math.sin((ago / 24) * 4 * Math.PI);
    const noise = Math.abs(Math.sin(at / 1e5)) * 0.2;
    const use = {
      cpu: Math.min(1, share + noise),
      memory: (400 + 500 * share) * mebibyte,
      anonymous: (300 + 300 * share) * mebibyte,
      cache: (100 + 200 * share) * mebibyte,
      read: share * noise * 40 * mebibyte,
      write: noise * 6 * mebibyte,
      threads: 10 + Math.round(80 * share),
      threadsPeak: 12 + Math.round(88 * share),
      cpuPressure: share / 3,
      ioPressure: noise / 4,
    };
    value(metrics.add(tickOf(at, { [alice]: use }, tickSeconds)));
  }
}

function writeIncidents(stage: Stage, now: number): readonly number[] {
  const add = (
    hoursAgo: number,
    hours: number,
    changes: Parameters<typeof incidentOf>[0],
    evidence: readonly Snapshot[] = [],
  ) => {
    const {
      id: _id,
      snapshots: _snapshots,
      ...incident
    } = incidentOf({ member: alice, name: 'alice', ...changes });
    const begin = now - hoursAgo * hour;
    const id = value(stage.events.open({ ...incident, begin, end: begin + hours * hour }));
    for (const [at, each] of evidence.entries())
      value(stage.events.addSnapshot(id, { ...each, at: begin + at * minute }));
    return id;
  };
  const killed = { pid: 88_123, name: 'php-fpm8.4', memoryBytes: 310 * mebibyte };
  const request = {
    at: now,
    site: 'shop.example',
    client: '192.0.2.7',
    method: 'GET',
    url: '/cart?item=1',
  };
  return [
    add(20, 0.1, { limit: 'memory.limit', severity: 'killed', value: '1GiB', faults: 4 }, [
      snapshotOf(
        [processOf({ memoryBytes: 300 * mebibyte })],
        { memory: 900 * mebibyte, memoryPeak: 1024 * mebibyte },
        { killed: [killed] },
      ),
    ]),
    add(14, 0.05, { limit: 'processes.limit', severity: 'refused', value: '100', faults: 12 }),
    add(12, 0.4, { limit: 'entries.limit', severity: 'refused', value: '20', faults: 31 }, [
      snapshotOf([], {}, { evidence: evidenceOf(requestEvidence, [request, request]) }),
    ]),
    add(5, 1.5, { faults: 3127, from: 'policy.xml:31' }, cpuSnapshots()),
    add(3, 0.2, { limit: 'io.read', value: '10MiB/s', inferred: true, faults: 31 }),
    add(2, 0.2, {
      member: siteMember(uids.alice, 'shop.example'),
      name: 'alice/shop.example',
      value: '50%',
      faults: 9,
    }),
  ].toReversed();
}

/** Snapshots in which a job needs more and more CPU time. */
const cpuSnapshots = (): readonly Snapshot[] =>
  Array.from({ length: 10 }, (_, at) => {
    const cron = processOf({
      pid: 88_101,
      name: 'php',
      command: 'php /home/alice/public_html/wp-cron.php',
      cpuSeconds: 30 * at,
      ageSeconds: 40 * at,
    });
    const workers = Array.from({ length: 6 }, (_, index) =>
      processOf({
        pid: 88_200 + index,
        command: 'php-fpm: pool alice',
        cpuSeconds: 10 + at * index,
        request: search,
      }),
    );
    const usage = { cpu: 0.8 + 0.02 * at, memory: (600 + at) * mebibyte };
    return snapshotOf([cron, ...workers], usage, { cpuLimitNow: at % 2 === 0 ? 0.9 : 1 });
  });

const running = [
  processOf({ pid: 88_101, name: 'php', command: 'php /home/alice/public_html/wp-cron.php' }),
  ...Array.from({ length: 12 }, (_, at) =>
    processOf({ pid: 88_200 + at, command: 'php-fpm: pool alice' }),
  ),
];

function partsOf(now: number): Partial<AgentContext> {
  const parts = {
    membership: { beginningOf: () => 0 },
    driver: {
      tree: { version: 2 },
      capabilities: { limits: new Map() },
      processes: () => running.map(({ pid }) => pid),
      memoryInUse: () => undefined,
    },
    evidence: { read: () => Promise.resolve(running) },
    mailOf: () => undefined,
    sentByWebOf: () => undefined,
    cpuLimitNowOf: () => undefined,
    databaseUseOf: () => undefined,
    networkUseOf: () => undefined,
    entriesCountedSince: () => undefined,
    digestChoices: digestChoices(),
    digestPace: { enter: () => ok({ [Symbol.dispose]: () => undefined }) },
    policy: {
      ask: () => Promise.resolve(ok({ status: 200, body: JSON.stringify(changesAt(now)) })),
    },
  };
  // The answers of a tenant's page use nothing else of them.
  return parts as unknown as Partial<AgentContext>;
}

function digestChoices() {
  const kept = new Map<number, { readonly uid: number; readonly name: string }>();
  return {
    read: () => ok(kept),
    keep: (choice: { readonly uid: number; readonly name: string }) => {
      kept.set(choice.uid, choice);
      return ok(undefined);
    },
  };
}

const changesAt = (now: number): PolicyChangesResponse => ({
  changes: [
    {
      number: 12,
      at: now - hour,
      by: 'console',
      way: 'console',
      user: 'root',
      uid: 0,
      comment: 'asked for more',
      values: [
        {
          kind: 'set',
          element: 'tenant "alice"',
          accounts: ['alice'],
          setting: 'cpu.limit',
          from: '100%',
          to: '150%',
        },
      ],
      valueCount: 1,
      outcome: 'in force',
      problems: [],
    },
  ],
  total: 1,
});

/** Fails if a page does not show the incident that it must. */
export function idOf(host: TenantHost, at: number): number {
  const id = host.incidents[at];
  assert.ok(id !== undefined);
  return id;
}
