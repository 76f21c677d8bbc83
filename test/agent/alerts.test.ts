/** Alerts that are sent: to whom, how often and with what, by real receivers on this host. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { describe, test } from 'node:test';
import { failed, formatProblem } from '../../packages/base/problem.ts';
import { receiverOf, type AlertWho } from '../../src/agent/alerts/receiver.ts';
import type { AlertRule } from '../../src/policy/settings.ts';
import type { Member } from '../../src/usage/member.ts';
import { eventually } from '../../testing/patience.ts';
import {
  considered,
  hook,
  hour,
  incidentOf,
  Ledger,
  mailServer,
  make,
  noon,
  parseMail,
  recordingSendmail,
  ruleOf,
  secret,
  shown,
  whoOf,
} from './alerts-stage.ts';

describe('Alerts.consider() for several incidents', () => {
  test("sends a receiver's incidents in one mail", async () => {
    await using server = await mailServer();
    const rules = [ruleOf(), ruleOf({ limits: ['memory.limit'], severity: 'killed' })];
    await using made = make(rules, { smtp: server.smtp });
    made.alerts.consider(noon, [considered(), considered({ member: 'u1002' })]);
    made.alerts.consider(noon + 1, [
      considered({ faults: 77 }),
      considered({ member: 'u1003', limit: 'memory.limit', severity: 'killed', value: '1GiB' }),
    ]);
    await eventually('the ledger', () => made.ledger.sent.size === 4);
    assert.equal(server.mails.length, 1);
    const [mail] = server.mails;
    assert.match(shown(mail?.headers.get('subject')), /3 limits were reached: t1001, t1002, t1003/);
    // The newest of what waits, and two rules that ask for the same get it once.
    assert.match(mail?.body ?? '', /t1001 was throttled 77 times/);
    assert.equal(mail?.body.match(/^t1003 ran out of memory at its memory limit$/gm)?.length, 1);
  });

  test('explains 20 incidents in a mail, and lists the others', async () => {
    await using server = await mailServer();
    await using made = make([ruleOf()], { smtp: server.smtp });
    const many = Array.from({ length: 100 }, (_, index) =>
      considered({ member: `u${2000 + index}` }),
    );
    made.alerts.consider(noon, many);
    await eventually('the ledger', () => made.ledger.sent.size === 100);
    const body = server.mails[0]?.body ?? '';
    assert.equal(server.mails.length, 1);
    assert.equal(body.match(/bulkhead set t2/g)?.length, 20);
    assert.equal(body.match(/^- t2\d\d\d was throttled/gm)?.length, 80);
    assert.ok((server.mails[0]?.headers.get('subject')?.length ?? 0) < 500);
  });
});

describe('Alerts.consider() by rule', () => {
  test('sends an alert once per period, also after a restart', async () => {
    await using server = await mailServer();
    const ledger = new Ledger();
    for (const [at, mails] of [
      [noon, 1],
      [noon + 11 * hour, 1],
      [noon + 13 * hour, 2],
    ] as const) {
      await using made = make([ruleOf()], { smtp: server.smtp }, { ledger });
      made.alerts.consider(at, [considered()]);
      made.alerts.consider(at + 1, [considered({ faults: 6 })]);
      await made.alerts[Symbol.asyncDispose]();
      assert.equal(server.mails.length, mails);
    }
  });

  test('counts the period separately for each member, limit and receiver', async () => {
    await using server = await mailServer();
    const rules = [ruleOf(), ruleOf({ address: 'other@example.org', severity: 'killed' })];
    await using made = make(rules, { smtp: server.smtp });
    made.alerts.consider(noon, [considered()]);
    await eventually('the first', () => made.ledger.sent.size === 1);
    made.alerts.consider(noon + 1, [
      considered(),
      considered({ member: 'u1002' }),
      considered({ limit: 'memory.limit', severity: 'killed' }),
    ]);
    await eventually('the others', () => made.ledger.sent.size === 4);
    const ops = server.mails.filter((each) => each.to[0] === 'ops@example.org');
    assert.equal(ops.length, 2);
    assert.equal(server.mails.length, 3);
    assert.match(shown(ops[1]?.headers.get('subject')), /2 limits were reached: t1002, t1001/);
  });

  test('sends again when the clock was set back by days', async () => {
    await using server = await mailServer();
    await using made = make([ruleOf()], { smtp: server.smtp });
    made.alerts.consider(noon, [considered()]);
    await eventually('the first', () => made.ledger.sent.size === 1);
    made.alerts.consider(noon - 72 * hour, [considered()]);
    await eventually('the second', () => server.mails.length === 2);
  });

  test('sends only for the limits, severity and faults of the rule', async () => {
    await using server = await mailServer();
    const rules = [ruleOf({ limits: ['memory.limit'], severity: 'refused', faults: 3 })];
    await using made = make(rules, { smtp: server.smtp });
    const limit = 'memory.limit';
    made.alerts.consider(noon, [
      considered({ severity: 'killed', faults: 9 }),
      considered({ member: 'u1002', limit, faults: 9 }),
      considered({ member: 'u1003', limit, severity: 'killed', faults: 2 }),
      considered({ member: 'u1004', limit, severity: 'killed', faults: 3 }),
    ]);
    await eventually('the ledger', () => made.ledger.sent.size === 1);
    assert.match(shown(server.mails[0]?.headers.get('subject')), /: t1004 ran out of memory/);
  });

  test('does nothing without rules', async () => {
    const refuse = () => assert.fail('asked');
    await using made = make(
      [],
      {},
      { who: refuse, ledger: { lastAlert: refuse, recordAlert: refuse } },
    );
    made.alerts.consider(noon, [considered()]);
    assert.deepEqual(await made.alerts.test(), []);
  });
});

describe('Alerts.consider() by receiver', () => {
  test('words mails for the tenant, the reseller and the administrator differently', async () => {
    const sendmail = recordingSendmail('three');
    const usual = { address: undefined } as const;
    const rules = [
      ruleOf(usual),
      ruleOf({ ...usual, to: 'reseller' }),
      ruleOf({ ...usual, to: 'tenant' }),
    ];
    const who = (member: Member) => whoOf(member, { reseller: 'acme' });
    await using made = make(rules, {}, { sendmail: sendmail.path, who });
    made.alerts.consider(noon, [considered()]);
    await eventually('three mails', () => made.ledger.sent.size === 3);
    const mails = new Map(
      sendmail.files('.done').map((each) => {
        const mail = parseMail('', [], each);
        return [mail.headers.get('to')?.replace(/[<>]/g, ''), mail.body.replace(/\s+/g, ' ')];
      }),
    );
    assert.deepEqual([...mails.keys()].sort(), ['acme', 'root', 't1001']);
    assert.match(mails.get('root') ?? '', /bulkhead set t1001/);
    assert.match(mails.get('t1001') ?? '', /Your account t1001 was throttled/);
    assert.match(mails.get('acme') ?? '', /ask the administrator of this server/);
    // Only the first two may see command lines.
    assert.ok(mails.get('root')?.includes(secret) && mails.get('t1001')?.includes(secret));
    assert.ok(!mails.get('acme')?.includes(secret));
    for (const name of ['acme', 't1001'])
      assert.doesNotMatch(mails.get(name) ?? '', /policy\.xml|bulkhead set/);
  });

  test('receiverOf() returns the receiver of a rule, or why there is none', () => {
    const to = (changes: Partial<AlertRule>, who: AlertWho) => {
      const found = receiverOf(ruleOf({ address: undefined, ...changes }), who);
      return found.ok ? found.value?.address : formatProblem(found.error);
    };
    assert.equal(to({ to: 'tenant' }, whoOf('r1000')), undefined);
    assert.equal(to({ to: 'reseller' }, whoOf('r1000')), 't1000');
    assert.equal(to({ to: 'reseller' }, whoOf('u1001')), undefined);
    assert.equal(to({ to: 'tenant' }, whoOf('u1001', { account: undefined })), undefined);
    assert.equal(
      to({ to: 'tenant', address: '%u@example.org' }, whoOf('u1001')),
      't1001@example.org',
    );
    assert.equal(
      to({ to: 'tenant', address: '%u@example.org' }, whoOf('u1001', { account: undefined })),
      undefined,
    );
    const mail = 'ann@mail.example';
    assert.equal(to({ to: 'tenant' }, whoOf('u1001', { mail })), mail);
    assert.equal(
      to({ to: 'tenant', address: '%u@a.example' }, whoOf('u1001', { mail })),
      't1001@a.example',
    );
    assert.equal(to({ to: 'tenant' }, whoOf('u1001', { mail: '-f@x, root' })), 't1001');
    assert.equal(to({ to: 'reseller' }, whoOf('r1000', { mail })), mail);
    const bounded = { reseller: 'acme', mail, resellerMail: 'acme@mail.example' };
    assert.equal(to({ to: 'reseller' }, whoOf('u1001', bounded)), 'acme@mail.example');
    assert.equal(to({ to: 'administrator' }, whoOf('u1001', bounded)), 'root');
    const webhook = { by: 'webhook', to: 'tenant', address: 'https://example.org/?u=%u' } as const;
    assert.equal(
      to(webhook, whoOf('u1001', { account: 'a&b=/../' })),
      'https://example.org/?u=a%26b%3D%2F..%2F',
    );
    assert.match(
      to({ ...webhook, address: 'file:///etc/passwd' }, whoOf('u1001')) ?? '',
      /not one of http/,
    );
    assert.match(to({ ...webhook, address: undefined }, whoOf('u1001')) ?? '', /has no URL/);
  });
});

describe('Alerts.consider() for a thousand incidents in one tick', () => {
  test('sends 500 alerts, and the number of the others in one message', async () => {
    await using receiver = await hook();
    const by = 'webhook';
    const rules = [
      ruleOf({ by, to: 'tenant', address: `${receiver.url}?to=%u` }),
      ruleOf({ by, address: receiver.url, limits: ['disk.space'] }),
    ];
    await using made = make(rules);
    const many = Array.from({ length: 1000 }, (_, index) =>
      considered({ member: `u${2000 + index}` }),
    );
    made.alerts.consider(noon, many);
    made.alerts.consider(noon + 5000, many);
    await eventually('500 and the summary', () => receiver.bodies.length === 501);
    made.alerts.consider(noon + 10_000, many);
    await made.alerts[Symbol.asyncDispose]();
    assert.equal(receiver.bodies.length, 501);
    assert.equal(made.ledger.sent.size, 500);
    const summaries = receiver.bodies.filter((each) => (each['notices'] as unknown[]).length > 0);
    assert.equal(summaries.length, 1);
    assert.partialDeepStrictEqual(summaries[0], { alerts: [] });
    assert.match(
      String(summaries[0]?.['notices']),
      /500 alerts about other incidents were dropped/,
    );
    assert.equal(new Set(receiver.paths).size, 501);
  });

  test('sends the number of dropped alerts by mail too', async () => {
    await using server = await mailServer();
    await using made = make([ruleOf()], { smtp: server.smtp });
    const many = Array.from({ length: 501 }, (_, index) =>
      considered({ member: `u${2000 + index}` }),
    );
    made.alerts.consider(noon, many);
    const said = () => server.mails.filter((each) => each.body.includes('One alert about another'));
    await eventually('the summary', () => said().length === 1);
    assert.ok(made.log.some((line) => line.includes('was dropped')));
  });
});

describe('Alerts.test()', () => {
  test('sends a marked message by each rule, and returns each result', async () => {
    await using server = await mailServer();
    await using receiver = await hook();
    receiver.statuses = [500];
    const rules = [
      ruleOf(),
      ruleOf({ to: 'tenant', address: undefined }),
      ruleOf({ to: 'reseller', address: '%u@example.org' }),
      ruleOf({ by: 'webhook', address: `${receiver.url}?token=secret` }),
    ];
    await using made = make(rules, { smtp: server.smtp });
    const results = await made.alerts.test();
    assert.deepEqual(
      results.map((each) => each.ok),
      [true, true, true, false],
    );
    assert.equal(results[0]?.to, 'administrator by mail: ops@example.org');
    assert.equal(results[3]?.problem, 'the response is 500');
    assert.doesNotMatch(JSON.stringify(results), /token|secret/);
    assert.equal(server.mails.length, 3);
    const to = server.mails.map((each) => each.to[0]).sort();
    const expected = ['ops@example.org', `root@${hostname()}`, 'root@example.org'];
    assert.deepEqual(to, expected.sort());
    for (const { headers, body } of server.mails) {
      assert.match(shown(headers.get('subject')), /test message, nothing happened/);
      assert.match(body, /This is a test: nothing happened/);
    }
    assert.equal(receiver.bodies[0]?.['kind'], 'test');
    assert.equal(made.ledger.sent.size, 0);
  });
});

test('Alerts logs once when the ledger or the evidence fails, and sends the mail', async () => {
  await using server = await mailServer();
  const ledger = {
    lastAlert: () => undefined,
    recordAlert: () => failed({ action: 'write the ledger', reason: 'disk full' }),
  };
  await using made = make([ruleOf()], { smtp: server.smtp }, { ledger });
  const evidence = () => {
    throw new Error('locked');
  };
  for (const member of ['u1001', 'u1002'] as const)
    made.alerts.consider(noon, [{ incident: incidentOf({ member }), evidence }]);
  await eventually('the mail', () => server.mails.length === 1);
  await made.alerts[Symbol.asyncDispose]();
  assert.equal(made.log.filter((line) => line.includes('disk full')).length, 1);
  assert.equal(made.log.filter((line) => line.includes('locked')).length, 1);
  assert.match(server.mails[0]?.body ?? '', /The processes running at the time were not recorded/);
});

test('hostTimeZone() returns a zone that Intl accepts, whatever TZ is', () => {
  const source = new URL('../../src/agent/alerts/time-zone.ts', import.meta.url).href;
  const script = `import { hostTimeZone } from '${source}'; new Intl.DateTimeFormat('en', { timeZone: hostTimeZone() }); process.stdout.write(hostTimeZone());`;
  const zone = (TZ: string) => {
    const args = ['--input-type=module', '-e', script];
    return spawnSync(process.execPath, args, { env: { TZ }, encoding: 'utf8' }).stdout;
  };
  assert.equal(zone('Europe/Berlin'), 'Europe/Berlin');
  for (const odd of ['', ':foo', 'Nonsense/Zone', 'Etc/Unknown']) assert.equal(zone(odd), 'UTC');
});
