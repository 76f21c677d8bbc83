/** Answers, limits, quiet days, the record, and the plan of a setup. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { countLayers, formatScore, type Layer } from '../../packages/base/layer.ts';
import { limits } from '../../src/limits/limits.ts';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import { setElement, setForTenants } from '../../src/policy/elements/edit-elements.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { parseLimit } from '../../src/policy/parse-limit.ts';
import {
  answersText,
  changedAnswers,
  parseAnswers,
  type Answers,
} from '../../src/setup/core/answers.ts';
import { limitSet, limitSetNames } from '../../src/setup/core/limit-sets.ts';
import { contradictions } from '../../src/setup/core/conflicts.ts';
import type { HostLook } from '../../src/setup/core/look.ts';
import { lookRemarks } from '../../src/setup/core/look.ts';
import { isDone, planSteps, raisedBefore } from '../../src/setup/core/plan.ts';
import { policyText } from '../../src/setup/core/policy-text.ts';
import { noteReports, whyWait } from '../../src/setup/core/quiet.ts';
import { alertsReport, proveReport } from '../../src/setup/core/reports.ts';
import { parseRecord, recordText, type SetupRecord } from '../../src/setup/core/record.ts';
import { isReached, problemAfter, type StepContext } from '../../src/setup/core/step.ts';
import { defaultReach } from '../../src/setup/core/network-step.ts';
import { steps } from '../../src/setup/core/steps.ts';
import { unusedAnswers } from '../../src/setup/core/unused-answers.ts';
import { askSites, compareAnswers } from '../../src/setup/io/requests.ts';

const answers: Answers = {
  level: 'limit',
  tenants: '1000-60000',
  except: [],
  limits: 'starter',
  entries: 20,
  jails: 'none',
  alerts: 'root',
};

const look: HostLook = {
  distribution: 'Debian GNU/Linux 13',
  kernel: '6.12.0',
  cores: 4,
  memoryBytes: 2 ** 34,
  hasSystemd: true,
  hasConsole: false,
  panels: [],
  packagesOf: null,
  webServers: [{ name: 'nginx', program: '/usr/sbin/nginx', isServed: true, isRead: true }],
  php: [
    {
      program: '/usr/sbin/php-fpm8.4',
      origin: 'the distribution',
      php: '8.4',
      pools: '/etc/php/8.4/fpm/pool.d',
      isServed: true,
    },
  ],
  databases: [],
  databaseSockets: [],
  accounts: ['ann', 'ben'],
  administrators: [],
  uids: '1000-60000',
  otherWriters: [],
  cloudLinux: [],
  hasPolicy: false,
};

const account = (user: string, uid: number) => ({ user, uid });

const context: StepContext = {
  answers,
  look,
  file: '/etc/bulkhead/policy.xml',
  unjailed: [account('ben', 1002)],
  sites: new Map(),
  canary: 'ann',
  policy: [],
};
const layer = (key: string, state: Layer['state'], more: Partial<Layer> = {}): Layer => ({
  key,
  state,
  reason: 'why',
  ...more,
});
const stepOf = (key: string) => {
  const step = steps.find((each) => each.key === key);
  assert.ok(step !== undefined, key);
  return step;
};

suite('answers', () => {
  test('parseAnswers() reads what answersText() wrote', () => {
    const other: Answers = { ...answers, entries: 'none', jails: 'all', except: ['deploy'] };
    assert.deepEqual(parseAnswers(answersText(other)), { ok: true, value: other });
  });

  test('parseAnswers() returns only what is there', () => {
    const read = parseAnswers('{"version": 1, "level": "isolate"}');
    assert.deepEqual(read, { ok: true, value: { level: 'isolate' } });
  });

  for (const [text, reason] of [
    ['{', /^it is not JSON/],
    ['[]', /^it is not an object/],
    ['{"level": "limit"}', /^its version is undefined, not 1/],
    ['{"version": 2}', /^its version is 2, not 1/],
    ['{"version": 1, "levels": "limit"}', /^"levels" is unknown/],
    ['{"version": 1, "level": "all"}', /^"level" must be one of observe, limit, isolate/],
    ['{"version": 1, "tenants": "5-1"}', /^"tenants" must be a range/],
    ['{"version": 1, "tenants": "0-60000"}', /^"tenants" must be a range/],
    ['{"version": 1, "tenants": "1-2 3-4"}', /^"tenants" must be a range/],
    ['{"version": 1, "except": "deploy"}', /^"except" must be names/],
    ['{"version": 1, "except": ["a b"]}', /^"except" must be names/],
    ['{"version": 1, "entries": 0}', /^"entries" must be 1 to/],
    ['{"version": 1, "entries": "20"}', /^"entries" must be 1 to/],
    ['{"version": 1, "alerts": "-oQ/tmp a@b"}', /^"alerts" must be an address/],
    ['{"version": 1, "alerts": "a@b\\nBcc: c@d"}', /^"alerts" must be an address/],
    ['{"version": 1, "alerts": null}', /^"alerts" must be an address/],
    ['{"version": 1, "__proto__": {}}', /^"__proto__" is unknown/],
    ['{"version": 1, "constructor": {}}', /^"constructor" is unknown/],
  ] as const)
    test(`parseAnswers() refuses ${text}`, () => {
      const read = parseAnswers(text);
      assert.ok(!read.ok);
      assert.match(read.error[0]?.reason ?? '', reason);
    });

  test('parseAnswers() reports every mistake', () => {
    const read = parseAnswers('{"version": 1, "jails": 1, "entries": -1, "x": 2}');
    assert.equal(!read.ok && read.error.length, 3);
  });
});

test('limitSet() returns limits that the policy accepts, and never all of the host', () => {
  for (const name of limitSetNames)
    for (const cores of [1, 2, 128])
      for (const memoryBytes of [2 ** 28, 2 ** 40]) {
        const set = limitSet(name, { cores, memoryBytes });
        assert.ok(set.length >= limits.filter((each) => each.name !== 'network').length - 2);
        for (const each of set) {
          assert.ok(each.kind === 'limit' && each.value !== undefined);
          assert.equal(parseLimit(each.key, each.value)?.ok ?? true, true, each.value);
        }
        const cpu = set.find((each) => each.kind === 'limit' && each.key === 'cpu.limit');
        assert.ok(Number.parseInt(cpu?.value ?? '', 10) < cores * 100);
      }
});

suite('the policy', () => {
  const text = policyText({ tenants: '1000-60000', except: ['deploy'] });

  test('policyText() returns a policy without mistakes', () => {
    const { document, diagnostics } = parsePolicy('', text);
    assert.ok(document !== undefined);
    assert.deepEqual(diagnostics.list, []);
  });

  test('every step of a setup edits it to a policy that parses, twice to the same', () => {
    let edited = text;
    const all = {
      ...context,
      answers: { ...answers, jails: 'all' },
      unjailed: [account('ann', 1001), account('ben', 1002)],
    } as const;
    for (const step of steps) {
      const once = step.edit?.(edited, all);
      if (once === undefined) continue;
      assert.ok(once.ok, step.key);
      const again = step.edit?.(once.value, all);
      assert.deepEqual(again, once, step.key);
      edited = once.value;
    }
    const { document, diagnostics } = parsePolicy('', edited);
    assert.ok(document !== undefined && !diagnostics.failed, JSON.stringify(diagnostics.list));
    for (const part of ['<placement strict="watch"/>', '<jail profile="web"/>', '<mail to="adm'])
      assert.ok(edited.includes(part), part);
  });

  test('no step changes what the policy has already', () => {
    const own = policyText({ tenants: '1-2', except: [] }).replace(
      '</bulkhead>',
      `  <defaults><cpu limit="7%"/><memory limit="9MiB"/><processes limit="5"/>
        <io read="1KiB/s" write="1KiB/s" reads="1/s" writes="1/s"/><entries limit="100"/><jail profile="strict"/><reach mail="local"/></defaults>
      <tenant user="ann"><jail profile="shell"/></tenant>
      <agent><alerts><mail to="administrator" address="me"/></alerts></agent>
      <symlinks follow="owner-match" by="nginx"/><placement strict="yes"/></bulkhead>`,
    );
    assert.ok(parsePolicy('', own).document !== undefined);
    for (const step of steps) {
      const edited = step.edit?.(own, { ...context, unjailed: [] });
      assert.deepEqual(edited ?? { ok: true, value: own }, { ok: true, value: own }, step.key);
    }
  });

  test('setElement() keeps comments and other elements, and changes one attribute', () => {
    const before = text.replace(
      '</bulkhead>',
      '  <placement strict="watch"/> <!-- why -->\n</bulkhead>',
    );
    const edited = setElement(before, [{ name: 'placement' }], { strict: 'yes' });
    assert.deepEqual(edited, { ok: true, value: before.replace('"watch"', '"yes"') });
  });

  test('setElement() refuses what the policy would not accept', () => {
    assert.equal(setElement(text, [{ name: 'placement' }], { strict: 'maybe' }).ok, false);
    assert.equal(setElement('<bulkhead', [{ name: 'placement' }], { strict: 'yes' }).ok, false);
  });

  test('jails for new tenants exempt those of today', () => {
    const resold = text.replace(
      '</bulkhead>',
      '  <reseller uid="1009"><tenant user="cat"/></reseller>\n</bulkhead>',
    );
    const edited = stepOf('jails-new').edit?.(resold, {
      ...context,
      unjailed: [account('ben', 1002), account('cat', 1003)],
    });
    assert.ok(edited?.ok);
    assert.ok(!edited.value.includes('"ann"'));
    assert.match(
      edited.value,
      /<reseller uid="1009"><tenant user="cat">\s*<jail profile="none"\/>/,
    );
    assert.match(edited.value, /<tenant user="ben">\s*<jail profile="none"\/>/);
    assert.match(edited.value, /<defaults>\s*<jail profile="web"\/>/);
  });
});

test('setForTenants() finds tenants that the policy names by uid, also of a reseller', () => {
  const text = policyText({ tenants: '1-2', except: [] }).replace(
    '</bulkhead>',
    '  <tenant uid="1001"/>\n  <reseller uid="9"><tenant uid="1002"/></reseller>\n</bulkhead>',
  );
  const accounts = [account('ann', 1001), account('ben', 1002)];
  const edited = setForTenants(text, accounts, { name: 'jail' }, ['profile', 'web']);
  assert.ok(edited.ok, JSON.stringify(edited));
  assert.match(edited.value, /<tenant uid="1001">\s*<jail profile="web"\/>\s*<\/tenant>/);
  assert.match(edited.value, /<tenant uid="1002">\s*<jail profile="web"\/>\s*<\/tenant>/);
  assert.doesNotMatch(edited.value, /"ann"|"ben"/);
  const exempt = setForTenants(edited.value, accounts, { name: 'jail' }, ['profile', 'none']);
  assert.ok(exempt.ok && !exempt.value.includes('"web"'));
});

test('setForTenants() sets thousands of tenants in one edit, and keeps those that are there', () => {
  const users = Array.from({ length: 5000 }, (_, index) => account(`t${index}`, 10_000 + index));
  const there = '<tenant user="t7">\n    <cpu limit="50%"/>\n  </tenant>';
  const text = policyText({ tenants: '1-2', except: [] }).replace(
    '</bulkhead>',
    `  ${there}\n</bulkhead>`,
  );
  const edited = setForTenants(text, users, { name: 'jail' }, ['profile', 'none']);
  assert.ok(edited.ok);
  const { document, diagnostics } = parsePolicy('', edited.value);
  assert.ok(document !== undefined && !diagnostics.failed);
  assert.equal(document.tenants.length, 5000);
  assert.match(edited.value, /<tenant user="t7">\s*<cpu limit="50%"\/>\s*<jail profile="none"\/>/);
  assert.deepEqual(
    setForTenants(edited.value, users, { name: 'jail' }, ['profile', 'none']),
    edited,
  );
});

suite('requests to sites', () => {
  const of = (...statuses: readonly (number | undefined)[]) =>
    new Map(statuses.map((status, index) => [`site${index}`, status] as const));

  test('compareAnswers() calls a change a failure if most sites fail that answered before', () => {
    const { failures, isGeneral } = compareAnswers(of(200, 404, 302), of(500, undefined, 302));
    assert.equal(isGeneral, true);
    assert.deepEqual(failures, [
      'site0 answered with status 200, and answers with status 500 now',
      'site1 answered with status 404, and does not answer now',
    ]);
  });

  test('compareAnswers() lets no single tenant keep a change from all others', () => {
    assert.equal(compareAnswers(of(200, 200, 200), of(500, 200, 200)).isGeneral, false);
    assert.equal(compareAnswers(of(200), of(500)).isGeneral, true);
  });

  test('compareAnswers() ignores sites that failed before', () => {
    assert.deepEqual(compareAnswers(of(503, undefined), of(503, undefined)), {
      failures: [],
      isGeneral: false,
    });
  });

  test('askSites() asks no name that cannot be in a header, and nothing without a name', async () => {
    const asked = await askSites(
      new Map([
        ['ann', ['a\r\nX: y']],
        ['ben', []],
      ]),
    );
    assert.deepEqual([...asked.values()], [undefined]);
  });
});

suite('quiet days', () => {
  const now = '2026-05-20T12:00:00.000Z';
  const watched = (reported: number, mark = `${reported}`) => [
    layer('guard', 'watched', { reported, mark }),
  ];
  const since = (iso: string, reported = 0, mark = `${reported}`) => ({
    guard: { reported, mark, since: iso },
  });

  test('noteReports() keeps the date while the number stands, and starts anew when it changes', () => {
    const before = since('2026-05-01T00:00:00.000Z');
    assert.deepEqual(noteReports(watched(0), before, now), before);
    assert.deepEqual(noteReports(watched(2), before, now), since(now, 2));
    // It was loaded again, and counts from 0.
    const five = since('2026-05-01T00:00:00.000Z', 5);
    assert.deepEqual(noteReports(watched(0), five, now), since(now));
    // The number cannot rise any more.
    assert.deepEqual(
      noteReports(watched(200, 'later'), since('2026-05-01T00:00:00.000Z', 200), now),
      since(now, 200, 'later'),
    );
  });

  test('noteReports() forgets layers that do not watch, or whose number is unknown', () => {
    const before = since('2026-05-01T00:00:00.000Z');
    assert.deepEqual(noteReports([layer('guard', 'enforced')], before, now), {});
    const unknown = [layer('guard', 'watched', { reported: 'unknown' })];
    assert.deepEqual(noteReports(unknown, before, now), {});
  });

  test('whyWait() lets a layer refuse after seven days', () => {
    const quiet = { reported: 3, mark: '3', since: '2026-05-13T11:00:00Z' };
    assert.equal(whyWait(quiet, 7), undefined);
    assert.match(whyWait(quiet, 6) ?? '', /3 reported, quiet since 2026-05-13: 6 of 7 days/);
  });
});

suite('the record', () => {
  const record: SetupRecord = {
    answers,
    wasUsed: false,
    policyFile: '/etc/bulkhead/policy.xml',
    policyBefore: null,
    policyWritten: ['ab'],
    usedBefore: [],
    raised: ['modules gate'],
    steps: { policy: { state: 'done', at: '2026-05-01T00:00:00.000Z' } },
    quiet: { guard: { reported: 0, mark: '', since: '2026-05-01T00:00:00.000Z' } },
  };

  test('parseRecord() reads what recordText() wrote', () => {
    assert.deepEqual(parseRecord(recordText(record), answers), record);
  });

  test('parseRecord() refuses a record that is cut off at any place', () => {
    const text = recordText(record).trimEnd();
    for (let length = 0; length < text.length; length++)
      assert.equal(parseRecord(text.slice(0, length), answers), undefined);
  });

  test('parseRecord() refuses wrong fields and other versions', () => {
    const text = recordText(record);
    for (const [from, to] of [
      ['"version": 1', '"version": 2'],
      ['"wasUsed": false', '"wasUsed": 0'],
      ['"state": "done"', '"state": "gone"'],
      ['"policyBefore": null', '"policyBefore": 1'],
      ['"reported": 0', '"reported": "0"'],
    ] as const) {
      assert.ok(text.includes(from));
      assert.equal(parseRecord(text.replace(from, to), answers), undefined, to);
    }
  });
});

suite('unusedAnswers()', () => {
  const everything: Answers = {
    ...answers,
    level: 'isolate',
    except: ['deploy'],
    jails: 'new',
    alerts: 'ops@example.org',
  };
  const notes = (
    more: Partial<Answers>,
    found: Partial<StepContext> = {},
    record?: Pick<SetupRecord, 'steps'>,
  ) => {
    const given = { ...everything, ...more };
    const now = { ...context, ...found, answers: given };
    const planned = planSteps(steps, given.level, now, [], undefined);
    return unusedAnswers({ given: new Set(Object.keys(given)), context: now, planned, record });
  };
  const none = (name: string, why: string) => `The answer "${name}" has no effect: ${why}`;
  const jails = (level: string) => none('jails', `level ${level} sets none`);
  const entries = none('entries', 'level observe limits no requests');

  test('names what the level does not set', () => {
    assert.deepEqual(notes({}), []);
    assert.deepEqual(notes({ jails: 'all' }), []);
    assert.deepEqual(notes({ level: 'limit' }), [jails('limit')]);
    assert.deepEqual(notes({ level: 'observe' }), [entries, jails('observe')]);
  });

  test('names what the host leaves no use for', () => {
    const bare = { look: { ...look, webServers: [] } };
    assert.deepEqual(notes({}, bare), [
      none('entries', 'no nginx and no Apache that it can serve'),
    ]);
  });

  test('names what the policy has already', () => {
    const file = context.file;
    const alerts = '<agent><alerts><mail to="administrator" address="x"/></alerts></agent>';
    const text = `<bulkhead version="1">${alerts}<defaults><entries limit="9"/></defaults></bulkhead>`;
    assert.deepEqual(notes({}, { text }), [
      none('tenants', `${file} names the tenants already`),
      none('except', `${file} names the tenants already`),
      none('entries', `${file} limits requests already`),
      none('alerts', `${file} has alerts, which stay`),
    ]);
    const done = Object.fromEntries(
      steps.map(({ key }) => [key, { state: 'done', at: '2026-10-01T00:00:00Z' } as const]),
    );
    assert.deepEqual(notes({}, { text }, { steps: done }), []);
  });

  test('names no answer that wants nothing, or that nobody gave', () => {
    const nothing = { except: [], entries: 'none', jails: 'none', alerts: 'none' } as const;
    assert.deepEqual(notes({ ...nothing, level: 'observe' }), []);
    const now = { ...context, answers: { ...everything, level: 'observe' as const } };
    const planned = planSteps(steps, 'observe', now, [], undefined);
    const run = { context: now, planned, record: undefined };
    assert.deepEqual(unusedAnswers({ ...run, given: new Set() }), []);
    assert.deepEqual(changedAnswers(everything, answers), ['level', 'except', 'jails', 'alerts']);
    assert.deepEqual(unusedAnswers({ ...run, given: new Set(['jails']) }), [jails('observe')]);
  });
});

suite('the plan', () => {
  const keysOf = (level: Answers['level'], more: Partial<StepContext> = {}) =>
    planSteps(steps, level, { ...context, ...more }, [], undefined)
      .filter(({ obstacle }) => obstacle === undefined)
      .map(({ step }) => step.key);

  test('planSteps() has the steps of the level and of those before it', () => {
    const first = ['policy', 'alerts', 'units', 'alerts-test'];
    assert.deepEqual(keysOf('observe'), [...first, 'limits-observed']);
    const packaged = { look: { ...look, hasConsole: true } };
    assert.deepEqual(keysOf('observe', packaged), [...first, 'console', 'limits-observed']);
    const limit = keysOf('limit');
    assert.deepEqual(limit.slice(0, 5), [...first, 'limits']);
    assert.ok(limit.includes('pam') && !limit.includes('symlinks'));
    const isolate = keysOf('isolate').filter((each) => each !== 'prove');
    assert.deepEqual([...isolate.slice(0, limit.length - 1), 'prove'], limit);
    assert.equal(keysOf('isolate').at(-1), 'prove');
  });

  test('planSteps() leaves out what the host lacks or nobody wants, and says why', () => {
    const bare = { ...look, hasSystemd: false, webServers: [] };
    const keys = keysOf('isolate', { look: bare });
    for (const each of ['units', 'php', 'php-first', 'entries', 'jails', 'jails-new'])
      assert.ok(!keys.includes(each), each);
    const layers = [layer('symlinks guard', 'unavailable')];
    const planned = planSteps(steps, 'isolate', context, layers, undefined);
    assert.equal(planned.find(({ step }) => step.key === 'symlinks')?.obstacle, 'why');
  });

  const planned = (key: string, more: Partial<StepContext>, layers: readonly Layer[] = []) =>
    planSteps(steps, 'isolate', { ...context, ...more }, layers, undefined).find(
      ({ step }) => step.key === key,
    );

  test('planSteps() names the policy that it would edit, and the values that it lacks', () => {
    const file = '/srv/own.xml';
    assert.equal(planned('policy', { file })?.changes.startsWith(`writes ${file};`), true);
    assert.match(
      planned('limits', { file })?.changes ?? '',
      /\/srv\/own\.xml: cpu 100%, memory 1GiB, processes 100, io read 20MiB\/s/,
    );
    const text = '<bulkhead version="1"><defaults><cpu limit="7%"/></defaults></bulkhead>';
    assert.match(planned('limits', { text })?.changes ?? '', /xml: memory 1GiB, processes 100,/);
    assert.match(planned('policy', { text })?.changes ?? '', /^keeps /);
    assert.match(planned('entries', {})?.changes ?? '', /<entries limit="20">/);
    const limited = '<bulkhead version="1"><defaults><entries limit="9"/></defaults></bulkhead>';
    assert.doesNotMatch(planned('entries', { text: limited })?.changes ?? '', /<entries/);
    const unjailed = [
      { user: 'bea', uid: 1002 },
      { user: 'ann', uid: 1001 },
    ];
    assert.match(
      planned('jail-first', { file, unjailed })?.changes ?? '',
      /for ann to \/srv\/own\.xml/,
    );
  });

  test('limits are observed only where none is in force, and enforced by the next level', () => {
    const observe = stepOf('limits-observed');
    const text = policyText({ tenants: '1-2', except: [] });
    const observed = observe.edit?.(text, context);
    assert.ok(observed?.ok);
    assert.match(observed.value, /<host limits="observe"\/>/);
    const document = parsePolicy('', observed.value).document;
    assert.equal(document?.limitMode?.value, 'observe');
    assert.ok(document.defaults?.values.has('cpu.limit'));
    const own = '<bulkhead version="1"><tenant user="ann"><cpu limit="7%"/></tenant></bulkhead>';
    assert.match(observe.obstacle?.({ ...context, text: own }) ?? '', /stay in force/);
    const enforced = stepOf('limits').edit?.(observed.value, context);
    assert.ok(enforced?.ok);
    assert.match(enforced.value, /<host limits="enforce"\/>/);
    const watched = stepOf('limits').layers.map((key) => layer(key, 'watched'));
    assert.equal(isReached(stepOf('limits'), watched), false);
    assert.equal(isReached(observe, watched), true);
    assert.match(problemAfter(stepOf('limits'), watched) ?? '', /is watched/);
  });

  test('planSteps() leaves a guard alone whose state is unknown, and says so', () => {
    const layers = [layer('symlinks guard', 'unknown', { reason: 'no list' })];
    assert.equal(planned('symlinks', {}, layers)?.obstacle, 'no list');
  });

  test('a step is reached only if each of its layers is in force', () => {
    const pam = stepOf('pam');
    const both = (su: Layer['state']) => [layer('entry ssh', 'enforced'), layer('entry su', su)];
    assert.equal(isReached(pam, both('enforced')), true);
    assert.equal(isReached(pam, both('unavailable')), true);
    assert.equal(isReached(pam, both('partly')), false);
    assert.equal(isReached(pam, []), false);
  });

  test('a step that setup did is done again if it was interrupted, or has slipped back', () => {
    const pam = stepOf('pam');
    const record = (state: 'started' | 'done' | 'failed') => ({
      steps: { pam: { state, at: '2026-05-01T00:00:00Z' } },
    });
    const su = (state: Layer['state']) => [layer('entry su', state)];
    assert.equal(isDone(pam, su('partly'), record('done')), true);
    assert.equal(isDone(pam, su('open'), record('done')), false);
    assert.equal(isDone(pam, su('enforced'), record('started')), false);
    assert.equal(isDone(pam, su('enforced'), undefined), true);
    assert.equal(isDone(pam, su('partly'), undefined), false);
  });

  test('a guard that refuses, or is not as wanted, is never made to report only', () => {
    const placement = stepOf('placement');
    for (const state of ['enforced', 'partly', 'watched', 'unknown'] as const)
      assert.equal(isDone(placement, [layer('strict placement', state)], undefined), true, state);
    const open = [layer('strict placement', 'open')];
    assert.equal(isDone(placement, open, undefined), false);
    const begun = {
      steps: { placement: { state: 'started', at: '2026-05-01T00:00:00Z' } },
    } as const;
    assert.equal(isDone(placement, [layer('strict placement', 'enforced')], begun), true);
    assert.equal(isDone(placement, [layer('strict placement', 'partly')], begun), false);
    assert.match(raisedBefore(placement, { raised: ['strict placement'] }) ?? '', /refused before/);
    assert.equal(raisedBefore(placement, { raised: ['modules gate'] }), undefined);
  });

  test('a step has failed if none of its layers is better than open', () => {
    const pam = stepOf('pam');
    assert.match(problemAfter(pam, [layer('entry ssh', 'open')]) ?? '', /entry ssh is open: why/);
    const some = [layer('entry ssh', 'open'), layer('entry su', 'enforced')];
    assert.equal(problemAfter(pam, some), undefined);
  });
});

suite('the step for the network', () => {
  const step = stepOf('network');
  const edited = (text: string) => {
    const result = step.edit?.(text, context);
    assert.ok(result?.ok);
    return result.value;
  };

  test('it watches for all tenants, and keeps an element that is there', () => {
    const before = '<bulkhead version="1"><tenant user="a"/></bulkhead>';
    assert.match(edited(before), /<defaults>\s*<reach mode="watch"\/>\s*<\/defaults>/);
    const own =
      '<bulkhead version="1"><defaults><reach mail="relay"/></defaults><tenant user="a"/></bulkhead>';
    assert.equal(edited(own), own);
    const refusing = setElement(edited(before), defaultReach, { mode: 'refuse' });
    assert.ok(refusing.ok);
    assert.match(refusing.value, /<reach mode="refuse"\/>/);
  });

  test('it waits for the agent, and is left out where rules are in force or no agent starts', () => {
    const commands = step.commands({ ...context, policy: ['--policy', '/p.xml'] });
    assert.deepEqual(commands, [['network', 'status', '--wait', '--policy', '/p.xml']]);
    assert.equal(isDone(step, [layer('network reach', 'enforced')], undefined), true);
    assert.equal(isDone(step, [layer('network reach', 'open')], undefined), false);
    const none = { ...context, look: { ...look, hasSystemd: false } };
    assert.match(step.obstacle?.(none) ?? '', /starts no agent/);
  });
});

suite('the step for databases', () => {
  test('it is only for a host on which a database server runs', () => {
    const { obstacle, changes } = stepOf('databases');
    const socket = '/run/mysqld/mysqld.sock';
    const at = (more: Partial<HostLook>) => ({ ...context, look: { ...look, ...more } });
    const runs = at({ databases: ['MariaDB'], databaseSockets: [socket] });
    assert.equal(obstacle?.(runs), undefined);
    assert.ok(typeof changes === 'function');
    assert.match(changes(runs), /the 1 server at \/run\/mysqld\/mysqld\.sock/);
    for (const more of [
      { databases: ['MariaDB'] },
      { databases: ['Redis'], databaseSockets: [socket] },
      { databases: ['PostgreSQL'] },
    ])
      assert.match(obstacle?.(at(more)) ?? '', /no server of MariaDB, MySQL or PostgreSQL/);
  });
});

suite('steps that only report', () => {
  const at = (minute: number) => `2026-05-01T00:0${minute}:00.000Z`;
  const record = (...marked: readonly (readonly [key: string, minute: number])[]) => ({
    steps: Object.fromEntries(
      marked.map(([key, minute]) => [key, { state: 'done', at: at(minute) } as const]),
    ),
  });

  test('isDone() has a report made again after a step that it follows', () => {
    const alert = stepOf('alerts-test');
    assert.equal(isDone(alert, [], undefined), false);
    assert.equal(isDone(alert, [], record(['alerts', 1], ['alerts-test', 2], ['pam', 3])), true);
    assert.equal(isDone(alert, [], record(['alerts', 3], ['alerts-test', 2])), false);
    const prove = stepOf('prove');
    assert.equal(isDone(prove, [], record(['pam', 1], ['prove', 2], ['alerts-test', 3])), true);
    assert.equal(isDone(prove, [], record(['pam', 3], ['prove', 2])), false);
  });

  test('proveReport names attacks that exist, and the level before a level has fewer', () => {
    const names = attacks.map(({ name }) => name);
    const chosen = (level: Answers['level']) =>
      proveReport.command(level, []).filter((_, index, all) => all[index - 1] === '--only');
    for (const each of chosen('isolate')) assert.ok(names.includes(each), each);
    assert.deepEqual(chosen('isolate').slice(0, chosen('limit').length), chosen('limit'));
    assert.ok(chosen('limit').length > 3);
  });

  test('proveReport counts verdicts, and names what the policy demands and is open', () => {
    const entries = ['blocked', 'blocked', 'not blocked'].map((verdict) => ({ verdict }));
    assert.deepEqual(proveReport.read({ entries, broken: [] }), {
      isGood: true,
      text: '2 of 3 attacks blocked, 1 not blocked, 0 not available; all that the policy demands is blocked; see bulkhead prove',
    });
    const open = proveReport.read({ entries, broken: ['ptrace'] });
    assert.match(open?.text ?? '', /demands these, and they were not blocked: ptrace/);
    assert.equal(open?.isGood, false);
    assert.equal(proveReport.read('oops'), undefined);
  });

  test('alertsReport names who did not get the alert, and waits for a policy with receivers', () => {
    const results = [
      { to: 'root', ok: true },
      { to: 'ops', ok: false, problem: 'no sendmail' },
    ];
    assert.deepEqual(alertsReport.read({ results }), {
      isGood: false,
      text: 'not handed over to ops (no sendmail)',
    });
    assert.equal(alertsReport.read({ results: results.slice(0, 1) })?.text, 'sent to root');
    assert.equal(alertsReport.read({ results: [] }), undefined);
    assert.equal(alertsReport.read(undefined), undefined);
  });
});

suite('answers that the host contradicts', () => {
  const host = (state: Layer['state']) => ({
    known: ['deploy'],
    layers: [layer('jails', state, { reason: 'Linux 4.18' })],
  });
  const all: Answers = { ...answers, except: ['deploy'], jails: 'all', level: 'isolate' };

  test('contradictions() accepts what the host has', () => {
    assert.deepEqual(contradictions(all, host('open')), []);
  });

  test('contradictions() names accounts that do not exist, and jails that cannot be built', () => {
    const found = contradictions({ ...all, except: ['deploy', 'gone'] }, host('unavailable'));
    assert.deepEqual(
      found.map(({ reason }) => reason),
      [
        '"except" names "gone", and this host has no such account',
        '"jails" is "all", and this host can build none: Linux 4.18',
      ],
    );
    assert.deepEqual(contradictions({ ...all, level: 'limit' }, host('unavailable')), []);
  });
});

test('formatScore() counts the layers by state, the best first', () => {
  const layers = [layer('a', 'open'), layer('b', 'enforced'), layer('c', 'watched')];
  assert.equal(formatScore(layers), '3 layers: 1 enforced, 1 watched, 1 open');
  assert.equal(countLayers(layers).unknown, 0);
});

test('lookRemarks() names PHP that is not served, and other programs that set limits', () => {
  const plesk = [
    {
      program: '/opt/plesk/php/8.3/sbin/php-fpm',
      origin: 'Plesk',
      php: null,
      pools: null,
      isServed: false,
    },
  ];
  const remarks = lookRemarks({
    ...look,
    php: plesk,
    otherWriters: [
      {
        name: 'a panel',
        sets: 'limits',
        files: ['/etc/systemd/system.control/user-1001.slice.d/50-CPUQuota.conf'],
        remedy: 'turn it off',
      },
    ],
    cloudLinux: ['/proc/lve/list'],
  });
  assert.deepEqual(
    remarks.map((each) => /plesk|50-CPUQuota|CloudLinux/.exec(each)?.[0]),
    ['plesk', '50-CPUQuota', 'CloudLinux'],
  );
});
