/** The metrics page, read by a parser of its own, by promtool, and by a Prometheus server. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { StatusResponse, Who } from '../../src/agent/api/api.ts';
import { freePort } from '../../testing/free-port.ts';
import { eventually } from '../../testing/patience.ts';
import { contentTypes, formatFor } from '../../src/agent/metrics/content-type.ts';
import {
  exposition,
  type Exposed,
  type ExposedMember,
  type ExpositionOptions,
  type FaultTotals,
} from '../../src/agent/metrics/exposition.ts';
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
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
const skip = hasPromtool ? false : 'needs promtool (Debian: prometheus)';
const hasPrometheus = spawnSync('prometheus', ['--version']).error === undefined;
const skipServer = hasPrometheus ? false : 'needs prometheus (Debian: prometheus)';

const status: StatusResponse = {
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

const whoOf = (member: Member, name: string, more: Partial<Who> = {}): Who => ({
  member,
  uid: uidOf(member),
  name,
  kind: kindOf(member),
  ...more,
});

const memberOf = (
  who: Who,
  counters: Partial<Counters> = {},
  limits: ExposedMember['limits'] = {},
): [Member, ExposedMember] => [
  who.member,
  { who, counters: { ...noCounters, ...counters }, limits },
];

const nobody: Exposed = { members: new Map(), faults: new Map(), status, protections: [] };
const pageOf = (exposed: Partial<Exposed>, options?: ExpositionOptions) =>
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
function parse(page: string, format: 'text' | 'openmetrics' = 'text'): Map<string, Family> {
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

const samplesOf = (page: string, name: string) => parse(page).get(name)?.samples;

const alice = whoOf(tenantMember(1001), 'alice', { reseller: 'acme', package: 'basic' });
const shop = whoOf(siteMember(1001, 'shop.example'), 'alice/shop.example', {
  site: 'shop.example',
  tenant: 'alice',
  reseller: 'acme',
});

describe('exposition()', () => {
  const counters = {
    cpuMicroseconds: 12_500_001,
    throttledMicroseconds: 1,
    memoryBytes: 300,
    cacheBytes: 100,
    oomKills: 2,
    ioPressureMicroseconds: 1_500_000,
  };
  const page = pageOf({
    members: new Map([
      memberOf(alice, counters, { 'memory.limit': 1024, 'cpu.limit': 1.5, 'io.reads': 30 }),
      memberOf(whoOf(resellerMember(1000), 'acme'), { cpuMicroseconds: 99e6 }, { 'cpu.limit': 4 }),
    ]),
    faults: new Map([[alice.member, { 'memory.limit': { killed: 2 } }]]),
  });
  const labels = { tenant: 'alice', uid: '1001', reseller: 'acme', package: 'basic' };

  test('counts mail by result, for tenants whose mail is counted', () => {
    const [known, none] = [whoOf(tenantMember(1002), 'bob'), whoOf(tenantMember(1003), 'carol')];
    const withMail = (who: Who, accepted: number): [Member, ExposedMember] => [
      who.member,
      { who, counters: noCounters, limits: {}, mail: { accepted, refused: 3, since: 1 } },
    ];
    const name = 'bulkhead_tenant_mail_total';
    const page = pageOf({ members: new Map([withMail(known, 12), memberOf(none)]) });
    const labels = { tenant: 'bob', uid: '1002' };
    assert.deepEqual(samplesOf(page, name), [
      { name, labels: { ...labels, result: 'accepted' }, value: 12 },
      { name, labels: { ...labels, result: 'refused' }, value: 3 },
    ]);
    assert.equal(samplesOf(pageOf({ members: new Map([memberOf(none)]) }), name), undefined);
    const all = new Map([withMail(known, 12), withMail(alice, 5), memberOf(none)]);
    const rest = samplesOf(pageOf({ members: all }, { tenantsMax: 0 }), name);
    assert.deepEqual(
      rest?.map((each) => [each.labels, each.value]),
      [
        [{ tenant: 'other', result: 'accepted' }, 17],
        [{ tenant: 'other', result: 'refused' }, 6],
      ],
    );
  });

  test("gives sites families of their own, with their tenant's labels", () => {
    const page = pageOf({ members: new Map([memberOf(shop, { cpuMicroseconds: 5e5 })]) });
    const name = 'bulkhead_site_cpu_seconds_total';
    const labels = { site: 'shop.example', tenant: 'alice', uid: '1001', reseller: 'acme' };
    assert.deepEqual(samplesOf(page, name), [{ name, labels, value: 0.5 }]);
    assert.doesNotMatch(page, /^bulkhead_tenant_cpu/m);
  });

  test('gives counters in base units, with all labels', () => {
    const name = 'bulkhead_tenant_cpu_seconds_total';
    assert.deepEqual(samplesOf(page, name), [{ name, labels, value: 12.500001 }]);
    assert.equal(samplesOf(page, 'bulkhead_tenant_memory_bytes')?.[0]?.value, 300);
    assert.equal(samplesOf(page, 'bulkhead_tenant_memory_cache_bytes')?.[0]?.value, 100);
    assert.equal(samplesOf(page, 'bulkhead_tenant_oom_kills_total')?.[0]?.value, 2);
    assert.equal(samplesOf(page, 'bulkhead_tenant_cpu_throttled_seconds_total')?.[0]?.value, 1e-6);
  });

  test('gives resellers families of their own', () => {
    const [sample] = samplesOf(page, 'bulkhead_reseller_cpu_seconds_total') ?? [];
    assert.deepEqual(sample?.labels, { reseller: 'acme', uid: '1000' });
    assert.equal(sample?.value, 99);
  });

  test('gives limits in the units of their resource, and none that is not set', () => {
    assert.equal(samplesOf(page, 'bulkhead_tenant_limit_memory_bytes')?.[0]?.value, 1024);
    assert.equal(samplesOf(page, 'bulkhead_tenant_limit_cpu_cores')?.[0]?.value, 1.5);
    assert.equal(samplesOf(page, 'bulkhead_tenant_limit_io_reads_per_second')?.[0]?.value, 30);
    assert.equal(samplesOf(page, 'bulkhead_tenant_limit_processes'), undefined);
  });

  test('starts faults of set limits at 0, by limit and severity', () => {
    const faults = samplesOf(page, 'bulkhead_tenant_faults_total') ?? [];
    const found = faults.map(({ labels: { limit, severity }, value }) => [limit, severity, value]);
    assert.deepEqual(found, [
      ['cpu.limit', 'throttled', 0],
      ['memory.limit', 'throttled', 0],
      ['memory.limit', 'killed', 2],
      ['io.reads', 'throttled', 0],
    ]);
  });

  test('gives pressure by resource, and none on cgroup v1', () => {
    const name = 'bulkhead_tenant_pressure_waiting_seconds_total';
    const found = samplesOf(page, name)?.map((each) => [each.labels['resource'], each.value]);
    assert.deepEqual(found, [
      ['cpu', 0],
      ['memory', 0],
      ['io', 1.5],
    ]);
    const members = new Map([memberOf(alice)]);
    const v1 = pageOf({ members, status: { ...status, driver: 'cgroup1' } });
    assert.equal(samplesOf(v1, name), undefined);
  });

  test('gives the state of the agent', () => {
    const families = parse(page);
    const value = (name: string) => families.get(`bulkhead_agent_${name}`)?.samples[0]?.value;
    assert.equal(value('start_time_seconds'), 1_763_992_800.5);
    assert.equal(value('ticks_total'), 20);
    assert.equal(value('last_tick_duration_seconds'), 0.012);
    assert.equal(value('last_tick_timestamp_seconds'), 1_763_992_900.25);
    assert.equal(value('processes_outside'), 1);
    assert.equal(value('history_enabled'), 0);
    assert.equal(value('history_oldest_timestamp_seconds'), undefined);
    assert.equal(value('policy_problems'), 2);
    const states = families.get('bulkhead_agent_placement_state')?.samples;
    const now = states?.filter((each) => each.value === 1).map((each) => each.labels['state']);
    assert.deepEqual(now, ['starting']);
    const build = families.get('bulkhead_build_info')?.samples[0]?.labels;
    assert.deepEqual(build, { version: '0.1.0', driver: 'cgroup2', tree: 'bulkhead' });
  });

  test('gives the state of protections, and a count only when it is known', () => {
    const families = parse(
      pageOf({
        protections: [
          { name: 'symlink-guard', state: 'watch', refused: 7 },
          { name: 'modules-gate', state: 'unknown' },
        ],
      }),
    );
    const states = families.get('bulkhead_protection_state')?.samples ?? [];
    assert.equal(states.length, 8);
    assert.deepEqual(
      states
        .filter(({ value }) => value === 1)
        .map(({ labels }) => [labels['protection'], labels['state']]),
      [
        ['symlink-guard', 'watch'],
        ['modules-gate', 'unknown'],
      ],
    );
    const refused = families.get('bulkhead_protection_refused_total')?.samples ?? [];
    assert.deepEqual(
      refused.map(({ labels, value }) => [labels['protection'], value]),
      [['symlink-guard', 7]],
    );
    assert.doesNotMatch(pageOf({}), /bulkhead_protection/);
  });

  test('gives no family of tenants without tenants', () => {
    assert.doesNotMatch(pageOf({}), /bulkhead_tenant_|bulkhead_reseller_/);
    parse(pageOf({}));
  });
});

test('exposition() has a family for every limit', () => {
  const limits = Object.fromEntries([...attributes.keys()].map((key, index) => [key, index + 1]));
  const page = pageOf({ members: new Map([memberOf(alice, {}, limits)]) });
  const names = [...parse(page).keys()].filter((each) => each.startsWith('bulkhead_tenant_limit_'));
  assert.equal(names.length, attributes.size);
});

/** Names that would end a label, a line or a family. */
const hostile = [
  'a"b',
  'a\\',
  'a\nbulkhead_agent_ticks_total 5',
  '"} 1\n',
  'a\r\nb',
  '{}',
  'ü 🐟',
  '',
];

const hostileMembers = new Map(
  hostile.map((name, index) =>
    memberOf(whoOf(tenantMember(2000 + index), name, { package: name, reseller: name })),
  ),
);

test('exposition() escapes hostile names in labels', () => {
  for (const format of ['text', 'openmetrics'] as const) {
    const page = pageOf({ members: hostileMembers }, { format });
    const family = format === 'text' ? 'bulkhead_tenant_processes' : 'bulkhead_tenant_processes';
    const samples = parse(page, format).get(family)?.samples ?? [];
    const expected = hostile.map((name) => name.replaceAll('\r', ''));
    assert.deepEqual(
      samples.map((each) => each.labels['tenant']),
      expected,
    );
    assert.deepEqual(
      samples.map((each) => each.labels['package']),
      expected,
    );
  }
});

describe('exposition() of many members', () => {
  const count = 50;
  const members = new Map(
    Array.from({ length: count }, (_, index) =>
      memberOf(
        whoOf(tenantMember(1000 + index), `t${index}`),
        {
          cpuMicroseconds: index * 1e6,
          threads: 1,
        },
        { 'cpu.limit': 1 },
      ),
    ),
  );
  const faults = new Map<Member, FaultTotals>(
    Array.from({ length: count }, (_, index) => [
      tenantMember(1000 + index),
      { 'cpu.limit': { throttled: 1 } },
    ]),
  );

  test('shows the members with most use, and adds up the others', () => {
    const page = pageOf({ members, faults }, { tenantsMax: 10 });
    const cpu = samplesOf(page, 'bulkhead_tenant_cpu_seconds_total') ?? [];
    const names = cpu.map((each) => each.labels['tenant']);
    assert.deepEqual(names, [
      ...Array.from({ length: 10 }, (_, index) => `t${49 - index}`),
      'other',
    ]);
    assert.equal(
      cpu.reduce((sum, each) => sum + each.value, 0),
      (49 * 50) / 2,
    );
    assert.equal(samplesOf(page, 'bulkhead_tenant_threads')?.at(-1)?.value, 40);
    const hits = samplesOf(page, 'bulkhead_tenant_faults_total')?.filter((each) => each.value > 0);
    assert.equal(
      hits?.reduce((sum, each) => sum + each.value, 0),
      50,
    );
    assert.equal(samplesOf(page, 'bulkhead_agent_tenants_aggregated')?.[0]?.value, 40);
    assert.equal(samplesOf(page, 'bulkhead_tenant_limit_cpu_cores')?.length, 10);
  });

  test('adds up nothing when all members fit', () => {
    const page = pageOf({ members, faults }, { tenantsMax: count });
    assert.doesNotMatch(page, /"other"/);
    assert.equal(samplesOf(page, 'bulkhead_agent_tenants_aggregated')?.[0]?.value, 0);
  });

  test('yields chunks of a bounded size', () => {
    const many = new Map(
      Array.from({ length: 3000 }, (_, index) =>
        memberOf(whoOf(tenantMember(index + 1), `t${index}`)),
      ),
    );
    const sizes = [...exposition({ ...nobody, members: many })].map((each) => each.length);
    assert.ok(sizes.length > 20);
    assert.ok(Math.max(...sizes) < 80_000, String(Math.max(...sizes)));
  });
});

test('formatFor() returns OpenMetrics for clients that prefer it', () => {
  const prometheus =
    'application/openmetrics-text;version=1.0.0;escaping=values;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2';
  assert.equal(formatFor(prometheus), 'openmetrics');
  assert.equal(formatFor('text/plain;q=0.9,application/openmetrics-text;q=0.1'), 'text');
  for (const accept of [undefined, '', '*/*', 'text/html, */*;q=0.1', ',;q=', 'q=;;;']) {
    assert.equal(formatFor(accept), 'text');
  }
});

const examples = new URL('../../examples/prometheus/', import.meta.url).pathname;
const directory = suiteDirectory('exposition');
cpSync(examples, directory, { recursive: true });
const token = join(directory, 'token');
writeFileSync(token, 'secret\n', { mode: 0o400 });

/** The example as it stands, apart from where things are. */
function configFor(port: number): string {
  const text = readFileSync(join(directory, 'scrape.yml'), 'utf8')
    .replaceAll('/etc/prometheus/bulkhead.token', token)
    .replaceAll('127.0.0.1:9640', `127.0.0.1:${port}`)
    // Scraped often, so that there is soon something; it may take as long as one may allow.
    .replaceAll('15s', '5s')
    .replace('scrape_timeout: 10s', 'scrape_timeout: 5s');
  const file = join(directory, `scrape-${port}.yml`);
  writeFileSync(file, text);
  return file;
}

function promtool(args: readonly string[], input = ''): void {
  const {
    status: exit,
    stderr,
    stdout,
  } = spawnSync('promtool', args, { input, encoding: 'utf8', cwd: directory });
  assert.equal(exit, 0, stdout + stderr);
}

const mailer: ExposedMember = {
  who: whoOf(tenantMember(1002), 'bob'),
  counters: noCounters,
  limits: {},
  mail: { accepted: 12, refused: 3 },
};
const everything: Exposed = {
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
};

describe('promtool', { skip }, () => {
  test('accepts the page of exposition()', () =>
    promtool(['check', 'metrics'], pageOf(everything)));
  test('accepts the page with aggregated tenants', () =>
    promtool(['check', 'metrics'], pageOf(everything, { tenantsMax: 2 })));
  test('accepts the example scrape configuration', () =>
    promtool(['check', 'config', configFor(9640)]));
  test('accepts the example alert rules', () => promtool(['check', 'rules', 'bulkhead.rules.yml']));
  test('passes the tests of the example alert rules', () =>
    promtool(['test', 'rules', 'bulkhead.rules.test.yml']));
  test('refuses an invalid page', () => {
    assert.throws(() => promtool(['check', 'metrics'], `${pageOf(everything)}a{b} 1\n`));
  });
});

test('docs/metrics.md lists exactly the families of exposition()', () => {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const onIncidents = new Set(text.match(/\bbulkhead_[a-z]+_[a-z_]+\b/g));
  const history = { ...status.history, oldestAt: 1000 };
  const placement = { ...status.placement, scannedAt: 1000 };
  const page = pageOf({ ...everything, status: { ...status, history, placement } });
  const found = [...parse(page).keys()].filter((each) => !/^bulkhead_(reseller|site)_/.test(each));
  assert.deepEqual([...onIncidents].sort(), found.sort());
});

test('the example alert rules use only families of exposition()', () => {
  const rules = readFileSync(join(examples, 'bulkhead.rules.yml'), 'utf8');
  const names = new Set(rules.match(/\bbulkhead_[a-z_]+/g));
  const families = parse(pageOf(everything));
  assert.ok(names.size >= 8);
  for (const name of names) assert.ok(families.has(name), name);
});

test(
  'prometheus scrapes exposition() with the example configuration',
  { skip: skipServer },
  async () => {
    const asked = new Set<string>();
    const server = createServer((request, response) => {
      if (request.headers.authorization !== 'Bearer secret') return response.writeHead(401).end();
      const format = formatFor(request.headers.accept);
      asked.add(format);
      response.writeHead(200, { 'content-type': contentTypes[format] });
      for (const chunk of exposition(everything, { format })) response.write(chunk);
      return response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const free = await freePort();
    const prometheus = spawn(
      'prometheus',
      [
        `--config.file=${configFor(port)}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${free}`,
      ],
      { stdio: 'ignore' },
    );
    const ended = once(prometheus, 'exit');
    try {
      const query = 'bulkhead_tenant_cpu_seconds_total{tenant="alice",package="basic"}';
      assert.equal(await firstValue(free, query), '3');
      assert.equal(await firstValue(free, 'up'), '1');
      assert.equal(
        await firstValue(free, 'count(bulkhead_tenant_processes)'),
        String(hostile.length + 2),
      );
      assert.deepEqual([...asked], ['openmetrics']);
    } finally {
      prometheus.kill('SIGKILL');
      await ended;
      server.closeAllConnections();
      server.close();
    }
  },
);

/** Waits until there is an answer; the server has to start and to scrape first. */
function firstValue(port: number, query: string): Promise<string> {
  const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
  return eventually(query, async () => {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok !== true) return undefined;
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    return data.result[0]?.value[1];
  });
}
