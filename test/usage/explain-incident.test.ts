import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { capabilities } from '../../src/capabilities.ts';
import { attributes, findAttribute } from '../../src/limits/limits.ts';
import { severities, type LimitKey } from '../../src/limits/limit.ts';
import { parseAssignments } from '../../src/policy/assignment.ts';
import { quantityKinds } from '../../packages/base/quantity.ts';
import { explainIncident, incidentTitle } from '../../src/usage/explain-incident.ts';
import { evidenceOf } from '../../src/usage/evidence.ts';
import { IncidentKinds, loadIncidentKinds } from '../../src/usage/incident-kinds.ts';
import type { Incident, ProcessEvidence, Snapshot } from '../../src/usage/incident.ts';
import { linkEvidence } from '../../src/symlinks/core/guard/link-incidents.ts';
import { tryEvidence } from '../../src/jail/core/jail-incidents.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';

const begin = Date.UTC(2026, 10, 24, 14, 2, 10);

const incidentOf = (changes: Partial<Incident> = {}): Incident => ({
  id: 7,
  member: 'u1001',
  name: 'ann',
  limit: 'cpu.limit',
  severity: 'throttled',
  inferred: false,
  begin,
  end: begin + 7 * 60_000,
  faults: 37,
  value: '100%',
  from: 'policy.xml:12',
  snapshots: 0,
  ...changes,
});

const processOf = (changes: Partial<ProcessEvidence> = {}): ProcessEvidence => ({
  pid: 100,
  name: 'php-fpm',
  command: 'php-fpm: pool www',
  state: 'R',
  threads: 1,
  cpuSeconds: 10,
  memoryBytes: 50 * 2 ** 20,
  readBytes: 0,
  writeBytes: 0,
  ageSeconds: 500,
  ...changes,
});

function snapshotOf(
  processes: readonly ProcessEvidence[],
  usage: Partial<Record<MetricKey, number>> = {},
  changes: Partial<Snapshot> = {},
): Snapshot {
  const zeros = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
  return {
    at: begin,
    processes,
    processCount: processes.length,
    usage: { ...zeros, ...usage },
    ...changes,
  };
}

const kinds = await loadIncidentKinds(capabilities);
const plain = { kinds, showCommands: false } as const;
const whole = { kinds, showCommands: true } as const;
const textOf = (...args: Parameters<typeof explainIncident>) => explainIncident(...args).join('\n');

describe('explainIncident()', () => {
  test('explainIncident() gives tenant, count, time, limit and policy line', () => {
    const [first] = explainIncident(incidentOf(), [], 'alice', plain);
    assert.equal(
      first,
      'alice was throttled 37 times on 24 November 2026 between 14:02 and 14:09 (UTC), because it reached its CPU limit of 100% (cpu.limit, set in policy.xml:12).',
    );
  });

  test('explainIncident() gives local time and both dates when a time zone is passed', () => {
    const late = incidentOf({ end: begin + 10 * 3_600_000 });
    const [first] = explainIncident(late, [], 'alice', { ...plain, timeZone: 'Asia/Tokyo' });
    assert.match(
      first ?? '',
      / between 24 November 2026 23:02 and 25 November 2026 09:02 \(Asia\/Tokyo\)/,
    );
  });

  test('explainIncident() writes "once" and "twice" when there are 1 or 2 faults', () => {
    assert.match(
      textOf(incidentOf({ faults: 1, end: begin }), [], 'a', plain),
      /throttled once on 24 November 2026 at 14:02/,
    );
    assert.match(textOf(incidentOf({ faults: 2 }), [], 'a', plain), /throttled twice/);
  });

  test('explainIncident() says that a fault is inferred when the kernel does not count it', () => {
    const disk = incidentOf({ limit: 'io.write', value: '10MiB/s', inferred: true });
    assert.match(
      textOf(disk, [], 'alice', plain),
      /The kernel does not count this: it is inferred/,
    );
    assert.doesNotMatch(textOf(incidentOf(), [], 'alice', plain), /inferred/);
  });

  test('explainIncident() leaves out the policy and its commands when a tenant reads it', () => {
    const text = textOf(incidentOf(), [], 'alice', { ...plain, reader: 'tenant' });
    assert.match(text, /^Your account alice was throttled 37 times/);
    assert.match(text, /ask the administrator of this server for a higher limit, for example 150%/);
    assert.doesNotMatch(text, /policy\.xml|bulkhead set/);
  });

  test('explainIncident() speaks of all tenants together when a reseller has the limit', () => {
    const text = textOf(incidentOf({ member: 'r1000' }), [], 'acme', plain);
    assert.match(text, /^The tenants of acme together were throttled/);
    assert.match(text, /because they reached their CPU limit/);
    assert.match(text, /bulkhead reseller set acme cpu=150%/);
  });
});

describe('explainIncident() on what ran', () => {
  test('explainIncident() ranks processes by CPU time between two snapshots', () => {
    const old = processOf({ pid: 1, name: 'mysqld', cpuSeconds: 9000, ageSeconds: 90_000 });
    const busy = processOf({ pid: 2, name: 'php', cpuSeconds: 5, ageSeconds: 20 });
    const later = begin + 30_000;
    const evidence = [
      snapshotOf([old, busy]),
      snapshotOf(
        [
          { ...old, cpuSeconds: 9001, ageSeconds: 90_030 },
          { ...busy, cpuSeconds: 34, ageSeconds: 50 },
          processOf({ pid: 3, name: 'convert', cpuSeconds: 12, ageSeconds: 15 }),
          processOf({ pid: 4, name: 'unseen', cpuSeconds: 500, ageSeconds: 4000 }),
        ],
        {},
        { at: later },
      ),
    ];
    const text = textOf(incidentOf(), evidence, 'alice', plain);
    assert.match(
      text,
      /php \(29 s of CPU time, 1 process\); convert \(12 s of CPU time, 1 process\); mysqld \(1\.0 s/,
    );
    assert.doesNotMatch(text, /unseen/);
  });

  test('explainIncident() counts both processes when a PID is reused', () => {
    const evidence = [
      snapshotOf([processOf({ pid: 2, name: 'php', cpuSeconds: 50, ageSeconds: 60 })]),
      snapshotOf(
        [processOf({ pid: 2, name: 'php', cpuSeconds: 3, ageSeconds: 4 })],
        {},
        { at: begin + 30_000 },
      ),
    ];
    assert.match(textOf(incidentOf(), evidence, 'alice', plain), /php \(3\.0 s of CPU time/);
  });

  test('explainIncident() skips a snapshot that lacks the counters of a process', () => {
    const whole = processOf({ pid: 2, name: 'php', cpuSeconds: 50, ageSeconds: 60 });
    const { cpuSeconds: _cpu, ageSeconds: _age, ...hung } = whole;
    const evidence = [
      snapshotOf([whole]),
      snapshotOf([hung], {}, { at: begin + 30_000 }),
      snapshotOf([{ ...whole, cpuSeconds: 53, ageSeconds: 120 }], {}, { at: begin + 60_000 }),
    ];
    assert.match(textOf(incidentOf(), evidence, 'alice', plain), /php \(3\.0 s of CPU time/);
    const never = evidence.map((each) => ({ ...each, processes: [hung] }));
    assert.doesNotMatch(textOf(incidentOf(), never, 'alice', plain), /of CPU time/);
  });

  test('explainIncident() adds up memory by program for the snapshot with the most memory', () => {
    const many = Array.from({ length: 6 }, (_, pid) => processOf({ pid }));
    const evidence = [
      snapshotOf([processOf({ name: 'early' })], { memory: 2 ** 20 }),
      snapshotOf(many, { memory: 320 * 2 ** 20, cache: 2 ** 20 }),
    ];
    const incident = incidentOf({
      limit: 'memory.limit',
      severity: 'killed',
      value: '320MiB',
      faults: 9,
    });
    const text = textOf(incident, evidence, 'alice', plain);
    assert.match(text, /alice ran out of memory on 24 November 2026/);
    assert.match(
      text,
      /Of those that were left, most memory was used by: php-fpm \(300MiB, 6 processes\)/,
    );
    assert.match(
      text,
      /There are 6 processes of php-fpm, with 50\.0MiB each: running fewer at once would need less/,
    );
    assert.match(text, /The memory in use peaked at 320MiB, and fell to 1\.00MiB after the kill/);
    assert.match(text, /It is unknown which process was killed/);
    assert.match(text, /bulkhead set alice memory=480MiB/);
  });

  test('explainIncident() names the killed process, and one that used most memory', () => {
    const killed = [{ pid: 55, name: 'node' }];
    const evidence = [
      snapshotOf(
        [processOf({ name: 'node', memoryBytes: 700 * 2 ** 20 })],
        { memory: 2 ** 30, cache: 2 ** 28 },
        { killed },
      ),
      snapshotOf([], { memory: 2 ** 29 }, { killed }),
    ];
    const incident = incidentOf({ limit: 'memory.limit', severity: 'killed', value: '1GiB' });
    const text = textOf(incident, evidence, 'alice', plain);
    assert.match(text, /The kernel killed node \(process 55\)\./);
    assert.match(text, /A single process of node used most of it: look there first/);
  });

  test('explainIncident() gives peak and size of the killed process when the sample is late', () => {
    const killed = [{ pid: 55, name: 'php-fpm8.4', memoryBytes: 118 * 2 ** 20 }];
    const after = { memory: 400 * 2 ** 10, memoryPeak: 128 * 2 ** 20 };
    const incident = incidentOf({ limit: 'memory.limit', severity: 'killed', value: '128MiB' });
    const text = textOf(incident, [snapshotOf([], after, { killed })], 'carol', plain);
    assert.match(text, /The kernel killed php-fpm8\.4 \(process 55, which used 118MiB\)\./);
    assert.match(text, /The memory in use peaked at 128MiB, and fell to 400KiB after the kill\./);
    assert.doesNotMatch(text, /stands out|page cache:|Otherwise/);
    const noPeak = textOf(incident, [snapshotOf([], { memory: 400 * 2 ** 10 })], 'carol', plain);
    assert.match(
      noPeak,
      /The most that was recorded is 400KiB; how much it was at the kill is unknown/,
    );
  });

  test('explainIncident() prints "bulkhead stop" for administrators when many forks failed', () => {
    const bomb = incidentOf({ limit: 'processes.limit', severity: 'refused', faults: 8_500 });
    const hint = /If it is a fork bomb, .*"bulkhead stop erin" ends all of them/;
    assert.match(textOf(bomb, [], 'erin', plain), hint);
    assert.doesNotMatch(textOf({ ...bomb, faults: 20 }, [], 'erin', plain), hint);
    assert.doesNotMatch(textOf(bomb, [], 'erin', { ...plain, reader: 'tenant' }), /bulkhead stop/);
  });

  test('explainIncident() gives the share of page cache when nothing was killed', () => {
    const incident = incidentOf({ limit: 'memory.limit', value: '1GiB' });
    const text = (cache: number) =>
      textOf(incident, [snapshotOf([], { memory: 2 ** 30, cache })], 'alice', plain);
    assert.match(text(2 ** 28), /Of the 1\.00GiB in use, 256MiB was page cache/);
    assert.match(text(2 ** 20), /Hardly any of the 1\.00GiB in use was page cache/);
  });

  test('explainIncident() suspects a loop when young processes of one name fill the limit', () => {
    const loop = Array.from({ length: 40 }, (_, pid) =>
      processOf({ pid, name: 'bash', ageSeconds: 3 }),
    );
    const incident = incidentOf({ limit: 'processes.limit', severity: 'refused', value: '100' });
    const text = textOf(incident, [snapshotOf(loop, { threads: 100 })], 'alice', plain);
    assert.match(text, /alice had too many processes 37 times/);
    assert.match(
      text,
      /Most of them are bash, and the youngest is less than a minute old: check whether it restarts itself/,
    );
    assert.match(text, /bulkhead set alice processes=150/);
  });

  test('explainIncident() prints command lines only when showCommands is set', () => {
    const evidence = [snapshotOf([processOf({ command: 'mysql -psecret' })])];
    assert.doesNotMatch(textOf(incidentOf(), evidence, 'alice', plain), /secret/);
    assert.match(textOf(incidentOf(), evidence, 'alice', whole), /mysql -psecret/);
  });

  test('explainIncident() says that nothing was recorded when there is no snapshot', () => {
    assert.match(
      textOf(incidentOf(), [], 'alice', plain),
      /The processes running at the time were not recorded/,
    );
    assert.match(
      textOf(incidentOf(), [snapshotOf([])], 'alice', plain),
      /None of the recorded processes stands out/,
    );
  });
});

/** Would be taken for an escape sequence, a line, or a change of direction. */
const hostile = 'x\u001b[2J\r\n\u202e\u0000y';
// oxlint-disable-next-line no-control-regex -- these are what must not get through
const control = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('explainIncident() for every limit and severity', () => {
  const evidence = [
    snapshotOf(
      [processOf({ name: hostile, command: hostile, readBytes: 5, writeBytes: 5 })],
      { memory: 5 },
      {
        killed: [{ pid: 1, name: hostile }],
      },
    ),
  ];

  for (const { key, kind } of attributes.values()) {
    test(`explainIncident() prints no control character and a valid command when ${key} is hit`, () => {
      const value = quantityKinds[kind].examples[0] ?? '';
      for (const severity of severities) {
        const incident = incidentOf({ limit: key, severity, value, from: hostile });
        for (const name of ['alice', hostile, '-x', '1001', 'a b', '$(id)']) {
          for (const showCommands of [true, false]) {
            const text = explainIncident(incident, evidence, name, { kinds, showCommands });
            assert.ok(text.length >= 3 && text.every((each) => each.length > 20));
            assert.doesNotMatch(text.join(''), control);
            assertCommand(text.at(-1) ?? '', key, name, value, kind);
            assert.doesNotMatch(incidentTitle(incident, name, plain), control);
          }
        }
      }
    });
  }
});

function assertCommand(
  text: string,
  key: LimitKey,
  name: string,
  value: string,
  kind: keyof typeof quantityKinds,
): void {
  const match = /bulkhead set (\S+) (\S+)$/.exec(text);
  assert.equal(match?.[1], name === 'alice' ? 'alice' : '1001');
  const assignment = match?.[2] ?? '';
  assert.ok(parseAssignments([assignment], undefined).ok, assignment);
  const [limit = '', higher = ''] = assignment.split('=');
  assert.equal(findAttribute(limit)?.key, key);
  const [before, after] = [value, higher].map((each) => quantityKinds[kind].parse(each));
  assert.ok(before?.ok === true && after?.ok === true && after.value > before.value, assignment);
}

test('explainIncident() proposes no value when the limit is "unlimited"', () => {
  assert.doesNotMatch(textOf(incidentOf({ value: 'unlimited' }), [], 'alice', plain), /bulkhead/);
});

test('explainIncident() prints no NaN when counters and times are invalid', () => {
  const odd = incidentOf({ faults: Number.NaN, begin: Number.NaN, end: 9e15 });
  assert.doesNotMatch(textOf(odd, [], 'alice', plain), /NaN|Invalid/);
});

describe('explainIncident() for a refused symbolic link', () => {
  const incident = incidentOf({
    limit: 'symlinks.guard',
    severity: 'refused',
    value: 'owner-match',
  });
  const links = [
    {
      at: begin,
      program: 'nginx',
      link: '/home/ann/www/x\n',
      target: '/home/ben/wp-config.php',
      targetOwner: 'ben',
    },
  ];
  const evidence = [snapshotOf([], {}, { evidence: evidenceOf(linkEvidence, links) })];

  test('names the link, its target and the program only when showCommands is set', () => {
    const text = textOf(incident, evidence, 'ann', whole);
    assert.match(
      text,
      /^ann had symbolic links refused 37 times on .*, because they lead to what others own\./,
    );
    assert.match(
      text,
      /Asked for by nginx\. 1 link is known: \/home\/ann\/www\/x\\u\{a\} to \/home\/ben\/wp-config\.php, which belongs to ben\./,
    );
    assert.doesNotMatch(text, /limit of|raise the limit/);
    assert.doesNotMatch(textOf(incident, evidence, 'ann', plain), /wp-config/);
    assert.equal(incidentTitle(incident, 'ann', plain), 'ann had symbolic links refused 37 times');
  });

  test('says that the link was followed when the guard only watches', () => {
    const watched = { ...incident, severity: 'throttled' as const };
    assert.match(
      textOf(watched, evidence, 'ann', plain),
      /followed 37 times that the guard would refuse/,
    );
  });
});

test('explainIncident() names the requests that PHP served only when showCommands is set', () => {
  const serving = (path: string, seconds: number, script = `/home/ann/web${path}`) =>
    processOf({ request: { method: 'GET', path, script, seconds } });
  const evidence = [
    snapshotOf([serving('/search.php', 12), processOf()]),
    snapshotOf([
      serving('/search.php', 40.2),
      serving('/\u001b[2Jx', 1.5, '/home/ann/web/index.php'),
    ]),
  ];
  const text = textOf(incidentOf(), evidence, 'ann', whole);
  assert.ok(
    text.includes(
      String.raw`PHP was serving GET /search.php (2 times, the longest for 40 s), GET /\u{1b}[2Jx by /home/ann/web/index.php (for 1.5 s).`,
    ),
    text,
  );
  assert.doesNotMatch(textOf(incidentOf(), evidence, 'ann', plain), /PHP was serving|search/);
});

test('explainIncident() names the attempt to leave a jail only when showCommands is set', () => {
  const incident = incidentOf({ limit: 'jail.isolation', severity: 'refused', value: 'apart' });
  const tries = [{ at: begin, program: 'nosy', tried: 'tried to make a user namespace' }];
  const evidence = [snapshotOf([], {}, { evidence: evidenceOf(tryEvidence, tries) })];
  const text = textOf(incident, evidence, 'ann', whole);
  assert.match(text, /^ann was refused 37 times what leads past its jail on /);
  assert.match(text, /1 try is known: nosy tried to make a user namespace\./);
  assert.doesNotMatch(text, /limit of|raise the limit/);
  const plainText = textOf(incident, evidence, 'ann', plain);
  assert.match(plainText, /Tried by nosy\./);
  assert.doesNotMatch(plainText, /user namespace\./);
  assert.equal(
    incidentTitle(incident, 'ann', plain),
    'ann was refused 37 times what leads past its jail',
  );
});

test('explainIncident() leaves out the evidence when the kind of incident is unknown', () => {
  const incident = incidentOf({ limit: 'gone.guard', severity: 'refused', value: 'on', faults: 3 });
  const links = [{ at: 1, program: 'nginx', link: '/secret', target: '', targetOwner: 'ben' }];
  const evidence = [snapshotOf([], {}, { evidence: evidenceOf(linkEvidence, links) })];
  for (const known of [kinds, new IncidentKinds()]) {
    const text = textOf(incident, evidence, 'ann', { ...whole, kinds: known });
    assert.match(text, /^ann was refused a request 3 times on /);
    assert.doesNotMatch(text, /secret|raise the limit/);
  }
});

test('explainIncident() explains every limit without the kinds of capabilities', () => {
  for (const key of attributes.keys()) {
    const incident = incidentOf({ limit: key, severity: 'refused' });
    const text = explainIncident(incident, [], 'ann', { ...plain, kinds: new IncidentKinds() });
    assert.ok(text.length >= 2 && text.every((each) => each.length > 20));
  }
});
