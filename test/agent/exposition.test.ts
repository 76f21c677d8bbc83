/** The metrics page, read by a parser of its own. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Who } from '../../src/agent/api/api.ts';
import { formatFor } from '../../src/agent/metrics/content-type.ts';
import {
  exposition,
  type ExposedMember,
  type FaultTotals,
} from '../../src/agent/metrics/exposition.ts';
import { attributes, noCounters } from '../../src/limits/limits.ts';
import { resellerMember, tenantMember, type Member } from '../../src/usage/member.ts';
import {
  alice,
  everything,
  hostile,
  hostileMembers,
  memberOf,
  nobody,
  pageOf,
  parse,
  shop,
  status,
  whoOf,
} from './exposition-samples.ts';

const samplesOf = (page: string, name: string) => parse(page).get(name)?.samples;

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

  test('starts faults of limits that are only observed at 0, as far as usage is compared with them', () => {
    const [member, exposed] = memberOf(alice);
    const observed = { 'cpu.limit': 1.5, 'cpu.weight': 100, 'processes.limit': 20 };
    const faults = new Map([[member, { 'cpu.limit': { observed: 3 } }]]);
    const shown = pageOf({ members: new Map([[member, { ...exposed, observed }]]), faults });
    const found = samplesOf(shown, 'bulkhead_tenant_faults_total') ?? [];
    assert.deepEqual(
      found.map(({ labels: { limit, severity }, value }) => [limit, severity, value]),
      [
        ['cpu.limit', 'observed', 3],
        ['processes.limit', 'observed', 0],
      ],
    );
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

  test('gives the disk usage of tenants where it is known', () => {
    const disk = { spaceBytes: 2 ** 30, files: 5000 };
    const [member, known] = memberOf(alice);
    const unknown = memberOf(whoOf(tenantMember(1002), 'bob'));
    const page = pageOf({ members: new Map([[member, { ...known, disk }], unknown]) });
    const found = (name: string) =>
      samplesOf(page, name)?.map(({ labels, value }) => [labels['tenant'], value]);
    assert.deepEqual(found('bulkhead_tenant_disk_space_bytes'), [['alice', 2 ** 30]]);
    assert.deepEqual(found('bulkhead_tenant_disk_files'), [['alice', 5000]]);
  });

  test('gives the use of database servers where they are asked', () => {
    const database = { atSeconds: 60, cpuSeconds: 2.5, connections: 3, pausedSeconds: 1.5 };
    const [member, known] = memberOf(alice);
    const unknown = memberOf(whoOf(tenantMember(1002), 'bob'));
    const page = pageOf({ members: new Map([[member, { ...known, database }], unknown]) });
    const found = (name: string) =>
      samplesOf(page, `bulkhead_tenant_database_${name}`)?.map((each) => each.value);
    assert.deepEqual(found('cpu_seconds_total'), [2.5]);
    assert.deepEqual(found('connections'), [3]);
    assert.deepEqual(found('paused_seconds_total'), [1.5]);
  });

  test('gives the use of the network where it is counted', () => {
    const page = [...exposition(everything)].join('');
    const found = (name: string) =>
      samplesOf(page, `bulkhead_tenant_network_${name}_total`)?.map((each) => each.value);
    assert.deepEqual(found('sent_bytes'), [1500]);
    assert.deepEqual(found('connections_out'), [2]);
    assert.deepEqual(found('lost_packets'), [0]);
    assert.doesNotMatch(pageOf({ members: new Map([memberOf(alice)]) }), /_network_sent/);
  });

  test('gives what web servers sent where it is known, and whether that is all', () => {
    const page = [...exposition(everything)].join('');
    const found = (name: string) =>
      samplesOf(page, `bulkhead_tenant_web_sent_${name}`)?.map((each) => each.value);
    assert.deepEqual([found('bytes_total'), found('partial')], [[8100], [1]]);
    assert.doesNotMatch(pageOf({ members: new Map([memberOf(alice)]) }), /_web_sent/);
  });

  test('gives the disk usage and the limits of tenants without a cgroup, and no counters', () => {
    const [member, { who, limits }] = memberOf(alice);
    const disk = { spaceBytes: 2 ** 30, files: 5000 };
    const page = pageOf({ members: new Map([[member, { who, limits, disk }]]) });
    const lines = page.split('\n').filter((line) => line.includes('tenant="alice"'));
    assert.ok(lines.some((line) => /^bulkhead_tenant_disk_files\{.*\} 5000$/.test(line)));
    assert.ok(
      lines.every((line) => /_(disk|limit|faults)_/.test(line)),
      lines.join('\n'),
    );
  });

  test("gives the host's size and pressure, and nothing that its kernel does not report", () => {
    const found = (page: string, name: string) =>
      samplesOf(page, name)?.map(({ labels, value }) => [labels['resource'], value]);
    const whole = pageOf({});
    assert.deepEqual(found(whole, 'bulkhead_host_cpu_cores'), [[undefined, 4]]);
    assert.deepEqual(found(whole, 'bulkhead_host_pressure_waiting_seconds_total'), [
      ['cpu', 2.5],
      ['memory', 0.3],
      ['io', 0.04],
    ]);
    assert.deepEqual(found(whole, 'bulkhead_host_pressure_stalled_seconds_total'), [
      ['memory', 0.1],
      ['io', 0.02],
    ]);
    const unknown = { memoryBytes: undefined, memoryAvailableBytes: undefined, pressure: [] };
    const page = pageOf({ host: { cores: 1, ...unknown } });
    assert.deepEqual(page.match(/^bulkhead_host_\w+/gm), ['bulkhead_host_cpu_cores']);
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

test('docs/metrics.md lists exactly the families of exposition()', () => {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const onIncidents = new Set(text.match(/\bbulkhead_[a-z]+_[a-z_]+\b/g));
  const history = { ...status.history, oldestAt: 1000 };
  const placement = { ...status.placement, scannedAt: 1000 };
  const fleet = { state: 'new', problems: [] } as const;
  const page = pageOf({ ...everything, fleet, status: { ...status, history, placement } });
  const found = [...parse(page).keys()].filter((each) => !/^bulkhead_(reseller|site)_/.test(each));
  assert.deepEqual([...onIncidents].sort(), found.sort());
});
