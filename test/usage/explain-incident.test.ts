import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { attributes, findAttribute } from '../../src/limits/limits.ts';
import { severities, type LimitKey } from '../../src/limits/limit.ts';
import { parseAssignments } from '../../src/policy/assignment.ts';
import { quantityKinds } from '../../packages/base/quantity.ts';
import { explainIncident, incidentTitle } from '../../src/usage/explain-incident.ts';
import { evidenceOf } from '../../src/usage/evidence.ts';
import { IncidentKinds } from '../../src/usage/incident-kinds.ts';
import { linkEvidence } from '../../src/symlinks/core/guard/link-incidents.ts';
import { tryEvidence } from '../../src/jail/core/jail-incidents.ts';
import {
  begin,
  incidentOf,
  kinds,
  plain,
  processOf,
  snapshotOf,
  textOf,
  whole,
} from './incidents.ts';

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

describe('explainIncident() for a share of a database server', () => {
  const of = (limit: LimitKey, severity: 'throttled' | 'refused' | 'killed', value: string) =>
    textOf(incidentOf({ limit, severity, value, faults: 3 }), [], 'alice', plain);

  test('explainIncident() names statements and connections, and no process', () => {
    const statement = of('database.statement', 'killed', '30s');
    assert.match(statement, /^alice had database statements ended 3 times/);
    assert.match(statement, /reached its database statement limit of 30s/);
    assert.match(statement, /bulkhead set alice database\.statement=45s$/);
    const transaction = of('database.transaction', 'killed', '2 days');
    assert.match(transaction, /^alice had database connections closed 3 times/);
    assert.match(transaction, /database\.transaction=3days$/);
    for (const text of [statement, transaction]) assert.doesNotMatch(text, /kernel|process/);
    assert.match(of('database.cpu', 'throttled', '50%'), /database clients paused 3 times/);
    assert.match(
      of('database.connections', 'refused', '20'),
      /more connections open than its number/,
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

test('explainIncident() tells how programs and database servers shared a CPU limit', () => {
  const shared = (changes: Parameters<typeof incidentOf>[0], ...left: (number | undefined)[]) =>
    textOf(
      incidentOf(changes),
      left.map((cpuLimitNow) =>
        snapshotOf([], {}, cpuLimitNow === undefined ? {} : { cpuLimitNow }),
      ),
      'alice',
      plain,
    );
  const text = shared({ value: '200%' }, 1, 1.4);
  assert.match(text, /reached its CPU limit of 200%/);
  assert.match(
    text,
    /Database work counts toward this limit, too: on average, it had 40 % of the limit, and its programs were left 60 %\./,
  );
  assert.match(shared({ value: '200%' }, undefined, 1), /it had 25 % of the limit/);
  assert.match(shared({ member: 'r1000' }, 0.9), /their programs were left 90 %/);
  for (const nothing of [
    shared({ value: '200%' }, undefined, 2),
    shared({ value: '100%' }, 5),
    shared({ value: 'unlimited' }, 1),
    shared({ value: '' }, 1),
    shared({ limit: 'memory.limit', value: '1GiB' }, 0.5),
    shared({}),
  ])
    assert.doesNotMatch(nothing, /Database work/);
});

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
