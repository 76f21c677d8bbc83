/** A metrics page, and a parser that checks it. */
import assert from 'node:assert/strict';
import type { Who } from '../../src/agent/api/api.ts';
import type { StatusResponse } from '../../src/agent/api/status-response.ts';
import {
  exposition,
  type Exposed,
  type ExposedMember,
  type ExpositionOptions,
} from '../../src/agent/metrics/exposition.ts';
import type { HostFigures } from '../../src/host/host-figures.ts';
import type { Counters } from '../../src/limits/limit.ts';
import { attributes, noCounters } from '../../src/limits/limits.ts';
import {
  kindOf,
  resellerMember,
  siteMember,
  tenantMember,
  uidOf,
  type Member,
} from '../../src/usage/member.ts';

export const status: StatusResponse = {
  version: '0.1.0',
  instance: 'bulkhead',
  pid: 1,
  startedAt: 1_763_992_800_500,
  driver: 'cgroup2',
  policy: {
    file: '/etc/p.xml',
    state: 'in force',
    stateChangedAt: 1_763_992_800_000,
    problems: ['a', 'b'],
  },
  tenants: 3,
  resellers: 1,
  placement: {
    state: 'starting',
    events: 10,
    migrated: 4,
    overruns: 1,
    restarts: 2,
    outside: [{ pid: 9, uid: 1001, reason: 'in a container' }],
    unknown: [],
  },
  tick: {
    intervalSeconds: 5,
    endedAt: 1_763_992_900_250,
    durationSeconds: 0.012,
    ticks: 20,
    faults: 6,
  },
  history: { state: 'off', problem: 'no space', bytes: 4096 },
  memoryBytes: 60_000_000,
};

export const whoOf = (member: Member, name: string, more: Partial<Who> = {}): Who => ({
  member,
  uid: uidOf(member),
  name,
  kind: kindOf(member),
  ...more,
});

export const memberOf = (
  who: Who,
  counters: Partial<Counters> = {},
  limits: ExposedMember['limits'] = {},
): [Member, ExposedMember] => [
  who.member,
  { who, counters: { ...noCounters, ...counters }, limits },
];

const host: HostFigures = {
  cores: 4,
  memoryBytes: 2 ** 34,
  memoryAvailableBytes: 2 ** 33,
  pressure: [
    { resource: 'cpu', someMicroseconds: 2_500_000 },
    { resource: 'memory', someMicroseconds: 300_000, fullMicroseconds: 100_000 },
    { resource: 'io', someMicroseconds: 40_000, fullMicroseconds: 20_000 },
  ],
};

export const nobody: Exposed = {
  members: new Map(),
  faults: new Map(),
  status,
  protections: [],
  host,
};

export const pageOf = (exposed: Partial<Exposed>, options?: ExpositionOptions) =>
  [...exposition({ ...nobody, ...exposed }, options)].join('');

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly type: string;
  readonly samples: Sample[];
}

/** Reads a page, and holds it to what the format and its conventions ask for. */
export function parse(page: string, format: 'text' | 'openmetrics' = 'text'): Map<string, Family> {
  const families = new Map<string, Family>();
  let current: Family | undefined;
  let [name, helped] = ['', ''];
  const lines = page.split('\n');
  assert.equal(lines.pop(), '', 'ends with a line end');
  if (format === 'openmetrics') assert.equal(lines.pop(), '# EOF');
  for (const line of lines) {
    const help = /^# HELP (\S+) \S.*$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge)$/.exec(line);
    if (help !== null) helped = help[1] ?? '';
    else if (type !== null) {
      name = type[1] ?? '';
      assert.equal(helped, name, 'HELP comes before TYPE');
      assert.ok(!families.has(name), `${name} comes once`);
      current = { type: type[2] ?? '', samples: [] };
      families.set(name, current);
    } else {
      const sample = parseSample(line);
      const suffix = format === 'openmetrics' && current?.type === 'counter' ? '_total' : '';
      assert.equal(sample.name, name + suffix, line);
      current?.samples.push(sample);
    }
  }
  for (const [key, { type, samples }] of families) {
    assert.ok(samples.length > 0, `${key} has samples`);
    if (format === 'text') assert.equal(type === 'counter', key.endsWith('_total'), key);
    const distinct = new Set(samples.map((each) => JSON.stringify(each.labels)));
    assert.equal(distinct.size, samples.length, `${key} has no sample twice`);
  }
  return families;
}

function parseSample(line: string): Sample {
  const match = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? ([0-9.e+-]+)$/.exec(line);
  assert.ok(match !== null, line);
  const labels: Record<string, string> = {};
  const inside = match[2] ?? '';
  const pair = /([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
  while (pair.lastIndex < inside.length) {
    const [, key = '', text = ''] = pair.exec(inside) ?? assert.fail(line);
    labels[key] = text.replace(/\\(.)/g, (_all, char: string) => (char === 'n' ? '\n' : char));
  }
  return { name: match[1] ?? '', labels, value: Number(match[3]) };
}

export const alice = whoOf(tenantMember(1001), 'alice', { reseller: 'acme', package: 'basic' });

export const shop = whoOf(siteMember(1001, 'shop.example'), 'alice/shop.example', {
  site: 'shop.example',
  tenant: 'alice',
  reseller: 'acme',
});

/** Names that would end a label, a line or a family. */
export const hostile = [
  'a"b',
  'a\\',
  'a\nbulkhead_agent_ticks_total 5',
  '"} 1\n',
  'a\r\nb',
  '{}',
  'ü 🐟',
  '',
];

export const hostileMembers = new Map(
  hostile.map((name, index) =>
    memberOf(whoOf(tenantMember(2000 + index), name, { package: name, reseller: name })),
  ),
);

const mailer: ExposedMember = {
  who: whoOf(tenantMember(1002), 'bob'),
  counters: noCounters,
  limits: {},
  mail: { accepted: 12, refused: 3 },
  disk: { spaceBytes: 2 ** 30, files: 5000 },
  database: { atSeconds: 60, cpuSeconds: 2.5, connections: 3, pausedSeconds: 1.5 },
  sentByWeb: { bytes: 8100, isPartial: 1 },
  network: {
    atSeconds: 60,
    sentBytes: 1500,
    receivedBytes: 4000,
    sentPackets: 3,
    receivedPackets: 5,
    connectionsOut: 2,
    connectionsIn: 1,
    localBytes: 0,
    heldPackets: 7,
    lostPackets: 0,
  },
};

export const everything: Exposed = {
  members: new Map([
    ...hostileMembers,
    memberOf(
      alice,
      { cpuMicroseconds: 3e6 },
      Object.fromEntries([...attributes.keys()].map((key) => [key, 1.5])),
    ),
    memberOf(whoOf(resellerMember(1000), 'acme'), {}, { 'cpu.limit': 4 }),
    memberOf(shop, { oomKills: 2 }, { 'memory.limit': 2 ** 25 }),
    [tenantMember(1002), mailer],
  ]),
  faults: new Map(),
  status,
  protections: [
    { name: 'symlink-guard', state: 'on', refused: 7 },
    { name: 'jails', state: 'unknown' },
  ],
  host,
};
