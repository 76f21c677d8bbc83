/** The body of a policy → what a host with every file and a disk must have. */
import assert from 'node:assert/strict';
import type { Controller, SettingContext } from '../../src/limits/limit.ts';
import { wantedOnHost } from '../../src/plan/wanted-on-host.ts';
import type { Wanted, WantedContext } from '../../src/plan/wanted.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

export const versions = [1, 2] as const;
export type Version = (typeof versions)[number];
export const sideOf = (version: Version) => (version === 2 ? 'cgroup2' : 'cgroup1');

const accounts = [
  { user: 'reseller', uid: 1000, gid: 1000, home: '/home/reseller' },
  { user: 'tenant', uid: 1001, gid: 1001, home: '/home/tenant' },
];

/** All of which a kernel may lack. */
const files: Readonly<Record<Version, readonly string[]>> = {
  1: [
    'cpu.shares',
    'cpu.cfs_quota_us',
    'cpu.cfs_period_us',
    'cpu.cfs_burst_us',
    'memory.limit_in_bytes',
    'memory.soft_limit_in_bytes',
    'memory.memsw.limit_in_bytes',
  ],
  2: [
    'cpu.max',
    'cpu.max.burst',
    'cpu.weight',
    'memory.max',
    'memory.high',
    'memory.low',
    'memory.swap.max',
    'io.max',
  ],
};
const controllers: ReadonlySet<Controller> = new Set(['cpu', 'memory', 'io', 'pids']);

export function contextOf(version: Version, some: Partial<SettingContext> = {}): WantedContext {
  return {
    version,
    controllers,
    pageBytes: 4096,
    devices: ['8:0'],
    files: new Set(files[version]),
    quota: { quotaMountOf: () => '/home', alreadySet: [] },
    useHierarchy: undefined,
    ...some,
  };
}

function resolved(body: string) {
  const { document, diagnostics } = parsePolicy(
    'policy.xml',
    `<bulkhead version="1">${body}</bulkhead>`,
  );
  const policy = document && resolvePolicy(document, { accounts, uidMin: 1000 });
  return { policy, errors: diagnostics.list.filter(({ severity }) => severity === 'error') };
}

/** Whether the policy language does not have it. */
export const isRefused = (body: string): boolean => resolved(body).errors.length > 0;

export function wantedOf(body: string, context: WantedContext): Wanted {
  const { policy, errors } = resolved(body);
  assert.deepEqual(errors, []);
  assert.ok(policy !== undefined);
  return wantedOnHost(policy, context);
}
