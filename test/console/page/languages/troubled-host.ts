/** A host on which something is wrong: reports of commands, limits that are not enforced, an agent with problems. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { because, improvedBy, joined } from '../../../../packages/base/layer-texts.ts';
import type { AgentContext } from '../../../../src/agent/api/request-context.ts';
import type {
  LadderReport,
  ModulesReport,
  ProofReport,
} from '../../../../src/agent/responses/protection-response.ts';
import type { ListedChange } from '../../../../src/apply/read-changes.ts';
import { keepReport } from '../../../../src/host/kept-reports.ts';
import type { LimitKey } from '../../../../src/limits/limit.ts';
import { weakSupport, type Support } from '../../../../src/limits/support.ts';
import type { Stage } from '../../stage.ts';
import { busyTick, goodStatus } from '../host.ts';

export const policy = `
  <defaults><cpu limit="100%"/><memory limit="64MiB"/></defaults>
  <package name="small"><cpu limit="50%"/></package>
  <package name="R&amp;D &lt;b&gt; (big)"><cpu limit="400%"/></package>
  <tenant user="alice"><cpu limit="80%"/></tenant>
  <tenant user="bob" package="small"/>
  <reseller user="acme" may="limits"><cpu limit="200%"/><tenant user="carol"/></reseller>`;

/** Makes everything wrong that the overview can show. */
export function troubled(stage: Stage): void {
  busyTick(stage, 9);
  const status = goodStatus(9);
  stage.status = {
    ...status,
    policy: { ...status.policy, problems: ['policy.xml:13:45: warning: 25 processes are few'] },
    placement: {
      ...status.placement,
      state: 'off',
      problem: 'there is no process connector',
      outside: [{ pid: 12, uid: 10_001, reason: 'it cannot be moved' }],
      unknown: ['The processes have not been scanned yet'],
    },
    history: { state: 'off', bytes: 0, problem: 'the disk is full' },
  };
  stage.parts = {
    driver: { capabilities: { limits: new Map<LimitKey, Support>([['cpu.limit', weak]]) } },
  } as unknown as Partial<AgentContext>;
  mkdirSync(stage.paths.state, { recursive: true });
  const lines = ['t0001: memory.max is 2 GiB, the policy requires 1 GiB'];
  assert.ok(keepReport(stage.paths, 'verify', { differences: 1, lines }).ok);
  stage.changes = [change];
}

const weak = weakSupport(
  'partial',
  [{ code: 'guarantee spent once' }, { code: 'no kernel file', value: 'cpu.max' }],
  { code: 'run', value: 'echo n > /sys/kernel/mm/lru_gen/enabled' },
);

const change: ListedChange = {
  number: 3,
  at: Date.now() - 60_000,
  way: 'set',
  user: 'root',
  uid: 0,
  file: '/etc/bulkhead/policy.xml',
  textKey: '',
  outcome: 'in force',
  outcomeAt: Date.now(),
  problems: [],
  changed: {
    count: 2,
    values: [
      {
        kind: 'set',
        element: 'the defaults',
        accounts: [],
        setting: 'cpu.limit',
        from: '100%',
        to: '150%',
      },
      { kind: 'removed', element: 'tenant "bob"', accounts: ['bob'] },
    ],
  },
};

export const ladder: LadderReport = {
  level: 'limit',
  layers: [
    { key: 'limit cpu', state: 'enforced', ...because('all tenants', 3) },
    {
      key: 'limit memory',
      state: 'partly',
      ...joined(because('some tenants', 1, 3), because('not fully applied')),
    },
    {
      key: 'entry cron',
      state: 'open',
      ...joined(because('not covered'), 'nothing places it when it starts', ': '),
      improve: 'bulkhead pam enable',
    },
    {
      key: 'strict placement',
      state: 'watched',
      ...because('outside reported'),
      ...improvedBy('in the policy', '<placement strict="yes"/>'),
      reported: 3,
      mark: '3',
    },
    {
      key: 'modules gate',
      state: 'unavailable',
      ...because('no bpf', '/sys/kernel/security/lsm', 'capability,apparmor'),
      boot: 'needed',
    },
    // Reports of another version have no codes, or others.
    { key: 'jails', state: 'unknown', reason: 'only root can see it' },
    { key: 'layer of tomorrow', state: 'open', reason: 'x', reasons: [{ code: 'of tomorrow' }] },
  ],
  slippedBack: ['entry cron'],
};

const attack = {
  attack: 'ptrace',
  summary: "attach to another tenant's process as its debugger",
  detail: 'it read the memory',
  demanded: true,
  remedy: 'nothing has to',
} as const;
export const proof: ProofReport = {
  kernel: '6.12.0',
  entries: [
    { ...attack, verdict: 'not blocked' },
    { ...attack, attack: 'kill', verdict: 'blocked' },
    { ...attack, attack: 'fuse', verdict: 'not available' },
  ],
  broken: ['ptrace'],
};

export const scan: ModulesReport = {
  kernel: '6.12.0',
  modules: [
    {
      name: 'evil<b>',
      file: '/lib/modules/6.12.0/evil.ko',
      package: null,
      license: 'GPL\\0 for nobody',
      verdict: 'refuse',
      reasons: ['its signature is not valid'],
      taints: 'OE',
      trustLevel: 'contradicted',
      evidence: [{ check: 'license-nul', weight: 'proof', message: 'The license has a NUL' }],
      accepted: false,
      deniedReason: 'the policy denies it',
      isLoaded: null,
    },
  ],
  unreadable: 1,
};
