/** Digests on their way: a real mail server and sendmail, failures, repeated and killed runs, hostile names. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { ok } from '../../packages/base/result.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import type { UsageResponse, UsageRow } from '../../src/agent/api/usage-api.ts';
import type { DigestChoices } from '../../src/host/digest-choices.ts';
import type { AgentRequest } from '../../src/cli/shared/agent-request.ts';
import { sendDigests, type SendContext } from '../../src/digest/commands/send-digests.ts';
import { textsFor } from '../../src/digest/core/texts/built-in.ts';
import { readDiskHistory, sampleDisks } from '../../src/digest/io/disk-history.ts';
import { Ledger, ledgerPath, readEntries } from '../../src/digest/io/ledger.ts';
import type { Policy, Tenant } from '../../src/policy/policy.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import type { DigestRule } from '../../src/policy/settings.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { mailServer, parseMail, recordingSendmail } from '../agent/alerts-stage.ts';
import { digestRule } from './rule.ts';

/** A Monday, in local time. */
const now = new Date('2026-11-30T08:00:00').getTime();
const minute = 60_000;

function policyOf(users: readonly string[], mails: Readonly<Record<string, string>> = {}): Policy {
  const { document } = parsePolicy(
    '',
    '<bulkhead version="1"><panel source="auto"/><tenants uids="1001-1999"/></bulkhead>',
  );
  assert.ok(document);
  const accounts = users.map((user, index) => {
    return { user, uid: 1001 + index, gid: 1001, home: `/home/${user}` };
  });
  const members = accounts.map(({ user, uid }) => {
    const mail = mails[user];
    return { uid, user, ...(mail !== undefined && { mail }) };
  });
  const panel = ok({
    source: 'hestia',
    panel: 'HestiaCP',
    from: '/x',
    readAt: 1,
    members,
  } as const);
  return resolvePolicy(document, { accounts, uidMin: 1000, panel });
}

/** Answers as the agent does: everybody has reached a limit, and sees only the own row. */
const answering =
  (
    policy: Policy,
    asked: number[] = [],
    isIdle: (uid: number) => boolean = () => false,
  ): AgentRequest =>
  (_path, query) => {
    const as = Number(query?.['as'] ?? 0);
    asked.push(as);
    const rows = policy.tenants
      .filter(({ uid }) => as === 0 || uid === as)
      .map(({ uid, account }): UsageRow => {
        const faults = isIdle(uid) ? {} : { 'processes.limit': 3 };
        const who = {
          member: `u${uid}` as const,
          uid,
          name: account?.user ?? '',
          kind: 'tenant' as const,
        };
        const limits = { 'processes.limit': 10 } as UsageRow['limits'];
        const limitTexts = { 'processes.limit': '10' } as UsageRow['limitTexts'];
        return { ...who, metrics: {}, limits, limitTexts, faults };
      });
    const answer: UsageResponse = { from: 0, to: 1, detail: 'ticks', measuredSeconds: 1, rows };
    return Promise.resolve(ok(answer as never));
  };

class Stage {
  readonly state: string;
  readonly asked: number[] = [];
  readonly policy: Policy;
  readonly rule: DigestRule;
  readonly route: SendContext['route'];
  isIdle = (_uid: number) => false;
  isUnknown = (_uid: number) => false;
  isBroken = (_uid: number) => false;
  choices: DigestChoices = new Map();

  constructor(
    t: TestContext,
    policy: Policy,
    route: Partial<SendContext['route']>,
    rule: Partial<DigestRule> = {},
  ) {
    this.state = testDirectory(t, 'digests');
    this.policy = policy;
    this.route = { smtp: undefined, sendmail: '/nonexistent/sendmail', ...route };
    this.rule = digestRule(rule);
  }

  /** Runs once, in a ledger that is opened anew: each run is a process of its own. */
  async run(at = now) {
    const opened = Ledger.open({ state: this.state }, at);
    assert.ok(opened.ok);
    using ledger = opened.value;
    const { policy, rule, route } = this;
    const done = await sendDigests({
      policy,
      rule,
      route,
      ledger,
      ask: this.#ask(),
      readDisk: () => Promise.resolve(undefined),
      disks: new Map(),
      choices: this.choices,
      now: at,
      clock: () => at,
      texts: textsFor(rule.language, new Map()),
    });
    assert.ok(done.ok, done.ok ? '' : formatProblem(done.error));
    return done.value;
  }

  #ask(): AgentRequest {
    const known = answering(this.policy, this.asked, this.isIdle);
    const refused = { action: 'show tenants', reason: 'you are not a tenant', status: 403 };
    const broken = { action: 'show tenants', reason: 'it is a defect', status: 500 };
    return (path, query) => {
      const as = Number(query?.['as'] ?? 0);
      const error = this.isUnknown(as) ? refused : this.isBroken(as) ? broken : undefined;
      return error === undefined ? known(path, query) : Promise.resolve({ ok: false, error });
    };
  }

  /** The rule begins a week earlier. */
  async begin() {
    await this.run(now - 7 * 86_400_000);
  }
}

suite('sendDigests()', () => {
  test('sends one message to each address, once, and reports nothing of before the rule', async (t) => {
    await using server = await mailServer();
    const policy = policyOf(['ann', 'ben', 'cleo'], {
      ann: 'x@one.example',
      ben: 'x@one.example',
      cleo: 'c@two.example',
    });
    const stage = new Stage(t, policy, { smtp: server.smtp });
    assert.equal((await stage.run()).slot, null);
    assert.equal(server.mails.length, 0);
    const later = now + 7 * 86_400_000;
    const first = await stage.run(later);
    assert.deepEqual([first.slot, first.sent, first.problems], ['week 2026-12-07', 2, []]);
    for (const at of [later, later + minute, later + 600 * minute])
      assert.equal((await stage.run(at)).sent, 0);
    assert.deepEqual(server.mails.map(({ to }) => to.join()).sort(), [
      'c@two.example',
      'x@one.example',
    ]);
    const both = server.mails.find(({ to }) => to[0] === 'x@one.example');
    assert.match(both?.body ?? '', /\nann\n---\n[\s\S]*\nben\n---\n/);
    assert.match(both?.body ?? '', /Processes: the limit of 10 was reached. Times: 3/);
    assert.ok(both?.body.split('\n').every((line) => line.length <= 78));
    assert.equal((await stage.run(later + 7 * 86_400_000)).sent, 2);
  });

  test('sends nothing to somebody without anything to report, also later', async (t) => {
    await using server = await mailServer();
    const stage = new Stage(t, policyOf(['ann', 'ben']), { smtp: server.smtp });
    await stage.begin();
    stage.isIdle = (uid) => uid === 1002;
    assert.equal((await stage.run()).sent, 1);
    stage.isIdle = () => false;
    assert.equal((await stage.run(now + minute)).sent, 0);
    assert.match(server.mails[0]?.to[0] ?? '', /^ann@/);
  });

  test('tries a failure again, later and later, and gives up', async (t) => {
    await using server = await mailServer();
    Object.assign(server.refuse, { code: 451, times: 99 });
    const stage = new Stage(t, policyOf(['ann']), { smtp: server.smtp });
    await stage.begin();
    const tries: number[] = [];
    for (let at = now; at < now + 600 * minute; at += 10 * minute) {
      if ((await stage.run(at)).failed > 0) tries.push((at - now) / minute);
    }
    assert.deepEqual(tries, [0, 10, 40, 100, 220]);
    assert.equal(
      readEntries(stage).ok &&
        [...readFileSync(ledgerPath(stage), 'utf8').matchAll(/given up/g)].length,
      1,
    );
    assert.equal(server.mails.length, 0);
  });

  test('gives up at once what fails for good, and delivers what failed for a while once', async (t) => {
    await using server = await mailServer();
    Object.assign(server.refuse, { code: 550, times: 1 });
    const stage = new Stage(t, policyOf(['ann']), { smtp: server.smtp });
    await stage.begin();
    assert.match(
      formatProblem((await stage.run()).problems[0] ?? { action: '', reason: '' }),
      /it is given up/,
    );
    assert.equal((await stage.run(now + 60 * minute)).sent, 0);
    const other = new Stage(t, policyOf(['ben']), { smtp: server.smtp });
    Object.assign(server.refuse, { code: 451, times: 1 });
    await other.begin();
    assert.equal((await other.run()).failed, 1);
    assert.deepEqual([(await other.run(now + minute)).sent, server.mails.length], [0, 0]);
    for (const after of [10, 11, 90]) await other.run(now + after * minute);
    assert.equal(server.mails.length, 1);
  });

  test('does not ask a mail server that is down for everybody', async (t) => {
    const users = Array.from({ length: 50 }, (_, index) => `u${index}`);
    const sendmail = recordingSendmail('down', 'exit 75');
    const stage = new Stage(t, policyOf(users), { sendmail: sendmail.path });
    await stage.begin();
    assert.equal((await stage.run()).failed, 5);
    assert.equal(sendmail.files('.args').length, 5);
  });

  test('sends the maximum in total, and names how many are left out', async (t) => {
    await using server = await mailServer();
    const stage = new Stage(
      t,
      policyOf(['ann', 'ben', 'cleo']),
      { smtp: server.smtp },
      { messagesMax: 2 },
    );
    await stage.begin();
    const done = await stage.run();
    assert.deepEqual([done.sent, done.leftOut], [2, 1]);
    assert.match(
      formatProblem(done.problems[0] ?? { action: '', reason: '' }),
      /maximum of 2 messages.*1 recipient got none/,
    );
    assert.deepEqual([(await stage.run(now + minute)).sent, server.mails.length], [0, 2]);
  });

  test('a run that was killed while it sent does not send that again', async (t) => {
    await using server = await mailServer();
    const stage = new Stage(t, policyOf(['ann', 'ben']), { smtp: server.smtp });
    await stage.begin();
    const host = (await stage.run()) && server.mails[0]?.to[0]?.split('@')[1];
    const lines = readFileSync(ledgerPath(stage), 'utf8').trimEnd().split('\n');
    // Killed after each line, and in the middle of one.
    for (let kept = 1; kept < lines.length; kept++) {
      const started = lines.slice(0, kept).filter((each) => each.includes('"started"')).length;
      writeFileSync(
        ledgerPath(stage),
        `${lines.slice(0, kept).join('\n')}\n${lines[kept]?.slice(0, -1)}`,
      );
      server.mails.length = 0;
      const done = await stage.run(now + minute);
      assert.equal(done.sent, 2 - started, `${host} after ${kept} lines`);
    }
  });

  test('keeps the newest of a ledger that has grown too large, and the beginnings of rules', async (t) => {
    const stage = new Stage(t, policyOf(['ann']), {});
    await stage.begin();
    const line = (index: number) =>
      `{"slot":"day x","to":"tenant","address":"${String(index).padStart(200, 'a')}","state":"sent","at":${now}}\n`;
    appendFileSync(ledgerPath(stage), Array.from({ length: 150_000 }, (_, n) => line(n)).join(''));
    Ledger.open(stage, now);
    const read = readEntries(stage);
    assert.ok(read.ok);
    assert.equal(read.value[0]?.state, 'since');
    assert.match(read.value.at(-1)?.address ?? '', /149999$/);
    assert.ok(read.value.length > 100_000 && read.value.length < 150_000);
  });

  test('refuses a ledger that is a link, and reads a damaged one', async (t) => {
    const stage = new Stage(t, policyOf(['ann']), {});
    await stage.begin();
    appendFileSync(
      ledgerPath(stage),
      '{"slot":1}\nnull\n{"slot":"x","to":"me","address":"","state":"sent","at":1}\n',
    );
    const read = readEntries(stage);
    assert.equal(read.ok && read.value.length, 1);
    const other = testDirectory(t, 'digests');
    symlinkSync('/etc/passwd', ledgerPath({ state: other }));
    assert.ok(!Ledger.open({ state: other }, now).ok);
  });

  test('hostile names and addresses become no header, option or receiver', async (t) => {
    const users = ['x\r\nBcc: v@example.org', '-oQ/tmp/x', 'a,b', 'good'];
    const mails = {
      good: 'ok@example.org',
      'a,b': 'a@example.org,v@example.org',
      '-oQ/tmp/x': '-t',
    };
    const sendmail = recordingSendmail('hostile');
    const stage = new Stage(t, policyOf(users, mails), { sendmail: sendmail.path });
    await stage.begin();
    const done = await stage.run();
    assert.equal(done.sent, 1);
    assert.equal(done.problems.length, 3);
    assert.match(sendmail.files('.args').join(), /^-i\n-f\nbulkhead@\S+\nok@example\.org\n$/);
  });

  test('a hostile name in a message to another address stays text', async (t) => {
    const name = 'x\r\nBcc: v@example.org\r\n\r\n<b>';
    const sendmail = recordingSendmail('text');
    const policy = policyOf([name], { [name]: 'ok@example.org' });
    const stage = new Stage(t, policy, { sendmail: sendmail.path });
    await stage.begin();
    assert.equal((await stage.run()).sent, 1);
    const mail = parseMail('', [], sendmail.files('.done')[0] ?? '');
    assert.equal(mail.headers.has('bcc'), false);
    assert.match(mail.headers.get('content-type') ?? '', /^text\/plain/);
    assert.doesNotMatch(mail.body, /^Bcc:/m);
  });

  test('an account that the agent does not know keeps nobody else from a message', async (t) => {
    await using server = await mailServer();
    const stage = new Stage(t, policyOf(['ann', 'ben']), { smtp: server.smtp });
    await stage.begin();
    stage.isUnknown = (uid) => uid === 1001;
    assert.equal((await stage.run()).sent, 1);
    assert.match(server.mails[0]?.to[0] ?? '', /^ben@/);
  });

  test('follows the choice of each account, while the policy allows it', async (t) => {
    const choices: DigestChoices = new Map([
      [1001, { uid: 1001, name: 'ann', every: 'off' }],
      [1002, { uid: 1002, name: 'ben', every: 'week' }],
      // An earlier owner of the uid.
      [1003, { uid: 1003, name: 'old', every: 'off' }],
    ]);
    const tuesday = now + 86_400_000;
    const sentOn = async (at: number, rule: Partial<DigestRule>) => {
      const sendmail = recordingSendmail(`choice-${at}-${rule.useMin}`);
      const every = { every: 'day', ...rule } as const;
      const stage = new Stage(
        t,
        policyOf(['ann', 'ben', 'cleo']),
        { sendmail: sendmail.path },
        every,
      );
      stage.choices = choices;
      await stage.begin();
      assert.equal((await stage.run(at)).failed, 0);
      return sendmail
        .files('.args')
        .map((each) => each.trim().split('\n').at(-1))
        .sort();
    };
    assert.deepEqual(await sentOn(now, { useMin: 0.5 }), ['ben', 'cleo']);
    assert.deepEqual(await sentOn(tuesday, { useMin: 0.5 }), ['cleo']);
    assert.deepEqual(await sentOn(tuesday, {}), ['ann', 'ben', 'cleo']);
  });

  test('an account for which the agent fails keeps nobody else from a message, and is tried again', async (t) => {
    const sendmail = recordingSendmail('broken');
    const stage = new Stage(t, policyOf(['ann', 'ben', 'cleo']), { sendmail: sendmail.path });
    await stage.begin();
    stage.isBroken = (uid) => uid === 0 || uid === 1002;
    const first = await stage.run();
    assert.deepEqual([first.sent, first.failed], [2, 1]);
    const said = first.problems.map(formatProblem).join('\n');
    assert.match(said, /Cannot show tenants: it is a defect/);
    assert.match(said, /send a digest to "ben": it is a defect; it is tried again/);
    stage.isBroken = () => false;
    assert.deepEqual([(await stage.run(now + minute)).sent], [0]);
    assert.deepEqual([(await stage.run(now + 11 * minute)).sent], [1]);
    assert.equal(sendmail.files('.done').length, 3);
  });

  test('waits for an agent that fails for everybody', async (t) => {
    const sendmail = recordingSendmail('agent-down');
    const users = Array.from({ length: 20 }, (_, index) => `user${index}`);
    const stage = new Stage(t, policyOf(users), { sendmail: sendmail.path });
    await stage.begin();
    stage.isBroken = () => true;
    const first = await stage.run();
    assert.deepEqual([first.sent, first.failed], [0, 5]);
    stage.isBroken = () => false;
    assert.equal((await stage.run(now + 11 * minute)).sent, 20);
  });

  test('asks for each account only what that account sees', async (t) => {
    await using server = await mailServer();
    const stage = new Stage(t, policyOf(['ann', 'ben']), { smtp: server.smtp });
    await stage.begin();
    await stage.run();
    assert.deepEqual(stage.asked, [0, 1001, 1002]);
  });
});

suite('sampleDisks()', () => {
  const read = (spaceBytes: number) => () =>
    Promise.resolve({ spaceBytes, files: 1, spaceLimit: 100 });
  const day = 86_400_000;

  test('keeps one sample a day of thirty days, for the account that has the uid', async (t) => {
    const state = testDirectory(t, 'digests');
    const paths = { state } as Parameters<typeof sampleDisks>[0];
    const policy = policyOf(['ann']);
    for (let index = 0; index < 40; index++)
      for (const bytes of [index, 99])
        assert.ok((await sampleDisks(paths, policy, read(bytes), now + index * day)).ok);
    const samples = readDiskHistory(paths).get(1001)?.samples ?? [];
    assert.equal(samples.length, 30);
    assert.deepEqual(samples.map(([, bytes]) => bytes).slice(0, 2), [10, 11]);
    await sampleDisks(paths, policyOf(['other']), read(5), now + 41 * day);
    assert.equal(readDiskHistory(paths).get(1001)?.samples.length, 1);
    const none: Pick<Policy, 'tenants'> = { tenants: [] as readonly Tenant[] };
    await sampleDisks(paths, none, read(5), now + 42 * day);
    assert.equal(readDiskHistory(paths).size, 0);
  });
});
