/**
 * A tenant's share of the host's database servers. No cgroup covers it: a server works for all tenants in its own
 * threads. The agent measures what each account uses, and acts on the tenant's clients and connections.
 */
import { unlimited } from '../../packages/base/quantity.ts';
import { withoutFiles, type Limit } from './limit.ts';
import { weakSupport, type Support, type WeaknessCode } from './support.ts';

const weaknesses: Readonly<Record<string, WeaknessCode>> = {
  cpu: 'database clients paused',
  connections: 'database accounts',
  statement: 'a second late',
  transaction: 'a second late',
};

function byAgent(attribute: string): Support {
  const code = weaknesses[attribute];
  const codes = [...(code === undefined ? [] : [code]), 'enabled servers' as const];
  return weakSupport(
    'partial',
    codes.map((each) => ({ code: each })),
    { code: 'enable databases' },
  );
}

const kernel = withoutFiles(byAgent);

const time = (summary: string) =>
  ({ kind: 'duration', fallback: unlimited, unlimited: true, min: 1000, summary }) as const;

/** Whether a tenant has a server of its own, or only its part of the servers that all share. */
export const databaseInstances = ['shared', 'own'] as const;

/** Whether the CPU time of database servers counts toward a tenant's CPU limit. */
export const databaseCounts = ['no', 'yes'] as const;
export type DatabaseCounts = (typeof databaseCounts)[number];

export const database: Limit = {
  name: 'database',
  summary: "Use of the host's database servers.",
  attributes: {
    cpu: {
      kind: 'cpu',
      fallback: unlimited,
      unlimited: true,
      min: 0.01,
      summary:
        'The maximum CPU time that the servers use for it; 100% is one core kept busy. Above it, its processes are paused.',
    },
    connections: {
      kind: 'count',
      fallback: unlimited,
      unlimited: true,
      min: 1,
      summary: 'The maximum number of connections at once, of all its accounts together.',
    },
    statement: time('The longest that a statement may run. After it, the statement is killed.'),
    transaction: time(
      'The longest that a connection may wait in an open transaction. After it, the connection is closed.',
    ),
  },
  words: {
    counts: {
      words: databaseCounts,
      summary:
        '"yes": the CPU time that the servers use for the tenant counts toward its CPU limit; not in a reseller. The agent lowers the limit in the kernel by it, to a tenth at most.',
    },
    instance: {
      words: databaseInstances,
      summary:
        '"own": a MariaDB server for this tenant alone, which runs as the tenant, within its limits; not in a reseller. The attributes above are for the shared servers.',
    },
  },
  faults: [],
  reported: [
    { attribute: 'cpu', severity: 'throttled' },
    { attribute: 'connections', severity: 'refused' },
    { attribute: 'statement', severity: 'killed' },
    { attribute: 'transaction', severity: 'killed' },
  ],
  cgroup2: kernel,
  cgroup1: kernel,
};
