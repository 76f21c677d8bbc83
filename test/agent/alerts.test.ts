/** Alerts, against real receivers on this host: an SMTP server, a sendmail, an HTTP server. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { failed, formatProblem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import { Alerts, type AlertLedger, type AlertsOptions } from '../../src/agent/alerts/alerts.ts';
import { isMailAddress, receiverOf, type AlertWho } from '../../src/agent/alerts/receiver.ts';
import type { AlertRule, AlertSettings } from '../../src/policy/settings.ts';
import { IncidentKinds } from '../../src/usage/incident-kinds.ts';
import type { Incident, Snapshot } from '../../src/usage/incident.ts';
import { uidOf, type Member } from '../../src/usage/member.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const hour = 3_600_000;
const noon = Date.UTC(2026, 10, 24, 12);

const ruleOf = (changes: Partial<AlertRule> = {}): AlertRule => ({
  to: 'administrator',
  by: 'mail',
  address: 'ops@example.org',
  limits: [],
  severity: 'throttled',
  faults: 1,
  everyMilliseconds: 12 * hour,
  ...changes,
});

const incidentOf = (changes: Partial<Incident> = {}): Incident => ({
  id: 1,
  member: 'u1001',
  name: 'ann',
  limit: 'cpu.limit',
  severity: 'throttled',
  inferred: false,
  begin: noon - 60_000,
  end: noon,
  faults: 5,
  value: '100%',
  from: 'policy.xml:3',
  snapshots: 1,
  ...changes,
});

const secret = '--password=hunter2';
const zeros = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
const snapshot: Snapshot = {
  at: noon,
  processCount: 1,
  usage: zeros,
  processes: [
    {
      pid: 5,
      name: 'php',
      command: `php ${secret}`,
      state: 'R',
      threads: 1,
      cpuSeconds: 9,
      memoryBytes: 2 ** 20,
      readBytes: 0,
      writeBytes: 0,
      ageSeconds: 10,
    },
  ],
};

const considered = (changes: Partial<Incident> = {}) => ({
  incident: incidentOf(changes),
  evidence: () => [snapshot],
});

const whoOf = (member: Member, changes: Partial<AlertWho> = {}): AlertWho => ({
  member,
  uid: uidOf(member),
  name: `t${uidOf(member)}`,
  account: `t${uidOf(member)}`,
  reseller: undefined,
  package: undefined,
  ...changes,
});

/** The event store's ledger, in memory. */
class Ledger implements AlertLedger {
  readonly sent = new Map<string, number>();
  lastAlert = (key: string) => this.sent.get(key);
  recordAlert = (key: string, at: number) => {
    this.sent.set(key, at);
    return ok(undefined);
  };
}

interface Made extends AsyncDisposable {
  readonly alerts: Alerts;
  readonly ledger: Ledger;
  readonly log: string[];
}

function make(
  rules: readonly AlertRule[],
  way: Partial<AlertSettings> = {},
  options: Partial<AlertsOptions> = {},
): Made {
  const ledger = new Ledger();
  const log: string[] = [];
  const alerts = new Alerts({
    kinds: new IncidentKinds(),
    settings: { from: 'bulkhead@example.org', smtp: undefined, ...way, rules },
    ledger,
    who: (member) => whoOf(member),
    log: (line) => log.push(line),
    ...options,
    timing: {
      gatherMilliseconds: 100,
      retryMilliseconds: [100, 100],
      closeMilliseconds: 60_000,
      ...options.timing,
    },
  });
  return { alerts, ledger, log, [Symbol.asyncDispose]: () => alerts[Symbol.asyncDispose]() };
}

interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly headers: ReadonlyMap<string, string>;
  readonly headerLines: readonly string[];
  readonly body: string;
}

function parseMail(from: string, to: readonly string[], raw: string): Mail {
  const text = raw.replaceAll('\r\n', '\n');
  const end = text.indexOf('\n\n');
  const headerLines = text
    .slice(0, end)
    .replace(/\n[ \t]+/g, ' ')
    .split('\n');
  const headers = new Map(
    headerLines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const body = text.slice(end + 2);
  const quoted = headers.get('content-transfer-encoding') === 'quoted-printable';
  return { from, to, headers, headerLines, body: quoted ? unquote(body) : body };
}

function unquote(text: string): string {
  const bytes = text
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}

/** Words of RFC 2047, as a mail program shows them. */
const shown = (header = '') =>
  header
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?UTF-8\?(Q|B)\?([^?]*)\?=/gi, (_all, how: string, text: string) =>
      how.toUpperCase() === 'B'
        ? Buffer.from(text, 'base64').toString()
        : unquote(text.replaceAll('_', ' ')),
    );

interface MailServer extends AsyncDisposable {
  readonly smtp: { host: string; port: number };
  readonly mails: Mail[];
  /** Whether each message came encrypted. */
  readonly encrypted: boolean[];
  /** Answers the next messages with this status. */
  refuse: { code: number; times: number };
}

async function mailServer(): Promise<MailServer> {
  const mails: Mail[] = [];
  const encrypted: boolean[] = [];
  const refuse = { code: 451, times: 0 };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH'],
    // It would ask the DNS about each connection, and print that its certificate is for tests.
    disableReverseLookup: true,
    logger: false,
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (refuse.times-- > 0) {
          done(Object.assign(new Error('not now'), { responseCode: refuse.code }));
          return;
        }
        const { mailFrom, rcptTo } = session.envelope;
        encrypted.push(session.secure);
        const from = mailFrom === false ? '' : mailFrom.address;
        mails.push(
          parseMail(
            from,
            rcptTo.map((each) => each.address),
            Buffer.concat(chunks).toString(),
          ),
        );
        done();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  return {
    smtp: { host: '127.0.0.1', port },
    mails,
    encrypted,
    refuse,
    [Symbol.asyncDispose]: close,
  };
}

interface Hook extends AsyncDisposable {
  readonly url: string;
  readonly bodies: Record<string, unknown>[];
  readonly headers: IncomingHttpHeaders[];
  readonly paths: (string | undefined)[];
  statuses: number[];
}

async function hook(): Promise<Hook> {
  const found: Hook = {
    url: '',
    bodies: [],
    headers: [],
    paths: [],
    statuses: [],
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  const server = createHttpServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      found.bodies.push(JSON.parse(text) as Record<string, unknown>);
      found.headers.push(request.headers);
      found.paths.push(request.url);
      response.writeHead(found.statuses.shift() ?? 204, { location: '/elsewhere' }).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(found, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
  });
}

/** Starts a server that treats each connection as it is told. */
async function rawServer(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dispose = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { smtp: { host: '127.0.0.1', port }, sockets, [Symbol.asyncDispose]: dispose };
}

const directory = suiteDirectory('alerts');

/**
 * Writes a sendmail that keeps what it is given: arguments a line each, the environment, the
 * message.
 */
function recordingSendmail(name: string, ending = 'exit 0') {
  const place = join(directory, name);
  mkdirSync(place);
  const path = join(place, 'sendmail');
  writeFileSync(
    path,
    `#!/bin/sh\nfile=$(mktemp ${place}/mail.XXXXXX)\nprintf '%s\\n' "$@" >$file.args\nenv >$file.env\npwd >$file.pwd\ncat >$file\nmv $file $file.done\n${ending}\n`,
  );
  chmodSync(path, 0o755);
  const files = (end: string) =>
    readdirSync(place)
      .filter((each) => each.endsWith(end))
      .map((each) => readFileSync(join(place, each), 'utf8'));
  return { path, files };
}

describe('Alerts by mail', () => {
  test('sends cause, count, advice and how to change the rule by SMTP', async () => {
    await using server = await mailServer();
    await using made = make([ruleOf()], { smtp: server.smtp });
    made.alerts.consider(noon, [considered()]);
    await eventually('the mail', () => server.mails.length === 1);
    const [mail] = server.mails;
    assert.equal(mail?.from, 'bulkhead@example.org');
    assert.deepEqual(mail?.to, ['ops@example.org']);
    assert.match(
      shown(mail?.headers.get('subject')),
      /^Bulkhead on \S+: t1001 was throttled 5 times at its CPU limit$/,
    );
    assert.equal(mail?.headers.get('auto-submitted'), 'auto-generated');
    assert.match(mail?.headers.get('content-type') ?? '', /^text\/plain; charset=utf-8/);
    assert.ok(Number.isFinite(Date.parse(mail?.headers.get('date') ?? '')));
    assert.match(mail?.headers.get('message-id') ?? '', /^<[0-9a-f]{32}\.bulkhead@\S+>$/);
    assert.match(mail?.body ?? '', /bulkhead set t1001 cpu=150%/);
    assert.match(
      mail?.body.replace(/\s+/g, ' ') ?? '',
      /sent at most once every 12h.*edit the rules in <alerts>/,
    );
    assert.ok(mail?.body.split('\n').every((line) => line.length <= 76));
    await eventually('the ledger', () => made.ledger.sent.size === 1);
    assert.deepEqual([...made.ledger.sent.values()], [noon]);
  });

  test('encrypts SMTP when the server offers it, without checking the certificate', async () => {
    await using server = await mailServer();
    const { port } = server.smtp;
    for (const host of ['127.0.0.1', '::ffff:127.0.0.1']) {
      await using made = make([ruleOf()], { smtp: { host, port } });
      const [result] = await made.alerts.test();
      assert.deepEqual(result, { to: 'administrator by mail: ops@example.org', ok: true });
    }
    // Mail to this host itself need not be encrypted.
    assert.deepEqual(server.encrypted, [false, true]);
  });

  test("runs sendmail with two addresses and without the agent's environment", async () => {
    const sendmail = recordingSendmail('plain');
    process.env['SECRET_OF_THE_AGENT'] = 'x';
    await using made = make([ruleOf({ address: undefined })], {}, { sendmail: sendmail.path });
    made.alerts.consider(noon, [considered()]);
    await eventually('the mail', () => sendmail.files('.done').length === 1);
    await eventually('the ledger', () => made.ledger.sent.size === 1);
    assert.deepEqual(sendmail.files('.args'), ['-i\n-f\nbulkhead@example.org\nroot\n']);
    assert.deepEqual(sendmail.files('.pwd'), ['/\n']);
    assert.doesNotMatch(sendmail.files('.env').join(''), /SECRET_OF_THE_AGENT/);
    const mail = parseMail('', [], sendmail.files('.done')[0] ?? '');
    assert.match(mail.headers.get('to') ?? '', /^<?root>?$/);
    assert.match(mail.headers.get('from') ?? '', /^Bulkhead <bulkhead@example\.org>$/);
    delete process.env['SECRET_OF_THE_AGENT'];
  });

  test('runs sendmail again when it fails, and not after it succeeded', async () => {
    const marker = join(directory, 'failed-once');
    const sendmail = recordingSendmail(
      'fails',
      `[ -e ${marker} ] || { : >${marker}; echo "queue is full" >&2; exit 75; }`,
    );
    await using made = make([ruleOf()], {}, { sendmail: sendmail.path });
    made.alerts.consider(noon, [considered()]);
    await eventually('the second attempt', () => made.ledger.sent.size === 1);
    assert.equal(sendmail.files('.done').length, 2);
    assert.match(made.log.join('\n'), /exit status 75: queue is full; retrying in/);
    const ids = sendmail
      .files('.done')
      .map((each) => parseMail('', [], each).headers.get('message-id'));
    assert.equal(new Set(ids).size, 1);
  });

  test('reports that sendmail is missing', async () => {
    await using made = make([ruleOf()], {}, { sendmail: join(directory, 'none') });
    const [result] = await made.alerts.test();
    assert.equal(result?.ok, false);
    assert.match(result?.problem ?? '', /does not exist; install a mail server/);
  });

  test('ends a sendmail that hangs', async () => {
    const sendmail = recordingSendmail('hangs', 'exec sleep 1000');
    await using made = make(
      [ruleOf()],
      {},
      { sendmail: sendmail.path, timing: { sendMilliseconds: 300 } },
    );
    const [result] = await made.alerts.test();
    assert.equal(result?.ok, false);
    assert.match(result?.problem ?? '', /took too long/);
  });
});

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

/** Names that would be an option, another line, another receiver, a file or a program. */
const hostile = [
  'x\r\nBcc: victim@example.org',
  'x\nBcc: victim@example.org\n\nbody',
  '-oQ/tmp/x',
  '-t',
  'a,victim@example.org',
  'victim@example.org',
  '<victim@example.org>',
  '|/bin/sh',
  '/etc/passwd',
  ':include:/etc/shadow',
  'a b',
  '"',
  '$&',
  '%u',
  'ü\u202e',
  '',
];

describe('Alerts with hostile account names', () => {
  test('sends to no address made from such a name', async () => {
    const sendmail = recordingSendmail('hostile');
    for (const account of hostile) {
      const who = (member: Member) => whoOf(member, { account, reseller: account, name: account });
      const rules = [
        ruleOf({ to: 'tenant', address: undefined }),
        ruleOf({ to: 'tenant', address: '%u@example.org' }),
        ruleOf({ to: 'reseller', address: undefined }),
      ].filter((rule) => !(account === 'victim@example.org' && rule.address === undefined));
      await using made = make(rules, {}, { sendmail: sendmail.path, who });
      made.alerts.consider(noon, [considered()]);
      await made.alerts[Symbol.asyncDispose]();
      for (const line of made.log) assert.match(line, /^[\u0020-\u007e…ü]*$/u);
    }
    assert.deepEqual(sendmail.files('.args'), []);
    assert.ok(!isMailAddress('a@b\n') && !isMailAddress('a@-b') && !isMailAddress('a@b c'));
  });

  test('adds no header line, and no control character to the text', async () => {
    await using server = await mailServer();
    for (const [index, name] of hostile.entries()) {
      const who = (member: Member) => whoOf(member, { name, account: name });
      await using made = make([ruleOf()], { smtp: server.smtp }, { who });
      made.alerts.consider(noon, [considered({ from: name, value: name })]);
      await made.alerts[Symbol.asyncDispose]();
      const mail = server.mails[index];
      const names = mail?.headerLines.map((line) => line.split(':')[0]?.toLowerCase()).sort();
      assert.deepEqual(names, [
        'auto-submitted',
        'content-transfer-encoding',
        'content-type',
        'date',
        'from',
        'message-id',
        'mime-version',
        'subject',
        'to',
      ]);
      assert.deepEqual(mail?.to, ['ops@example.org']);
      assert.doesNotMatch(shown(mail?.headers.get('subject')), /[\p{Cc}\u202e]/u);
      assert.doesNotMatch(mail?.body.replaceAll('\n', '') ?? '', /[\p{Cc}\u202e]/u);
    }
  });
});

describe('Alerts by webhook', () => {
  test('sends JSON without command lines, also to the administrator', async () => {
    await using receiver = await hook();
    const rule = ruleOf({ by: 'webhook', address: receiver.url });
    const who = (member: Member) => whoOf(member, { reseller: 'acme', package: 'basic' });
    await using made = make([rule], {}, { who });
    made.alerts.consider(noon, [considered()]);
    await eventually('the ledger', () => made.ledger.sent.size === 1);
    const [body] = receiver.bodies as [{ alerts: Record<string, unknown>[] }];
    assert.equal(receiver.headers[0]?.['content-type'], 'application/json');
    assert.partialDeepStrictEqual(body, { version: 1, kind: 'alert', omitted: 0, notices: [] });
    assert.partialDeepStrictEqual(body.alerts, [
      {
        id: 1,
        name: 't1001',
        uid: 1001,
        kind: 'tenant',
        reseller: 'acme',
        package: 'basic',
        limit: 'cpu.limit',
        value: '100%',
        severity: 'throttled',
        inferred: false,
        begin: noon - 60_000,
        end: noon,
        faults: 5,
      },
    ]);
    const explanation = body.alerts[0]?.['explanation'];
    assert.ok(Array.isArray(explanation) && explanation.length >= 3);
    assert.ok(!JSON.stringify(body).includes(secret));
  });

  test('retries after 503 and 429, and not after 403', async () => {
    await using receiver = await hook();
    receiver.statuses = [503, 429, 204];
    await using made = make([ruleOf({ by: 'webhook', address: receiver.url })]);
    made.alerts.consider(noon, [considered()]);
    await eventually('the third attempt', () => made.ledger.sent.size === 1);
    assert.ok(![...made.ledger.sent.keys()].some((key) => key.includes('127.0.0.1')));
    assert.equal(receiver.bodies.length, 3);
    assert.equal(new Set(receiver.bodies.map((each) => each['id'])).size, 1);
    receiver.statuses = [403];
    made.alerts.consider(noon, [considered({ member: 'u1002' })]);
    await eventually('the end', () =>
      made.log.some((line) => /the response is 403; given up after 1 attempt/.test(line)),
    );
    assert.equal(receiver.bodies.length, 4);
  });

  test('does not follow a redirect', async () => {
    await using receiver = await hook();
    receiver.statuses = [307];
    await using made = make([ruleOf({ by: 'webhook', address: receiver.url })]);
    const [result] = await made.alerts.test();
    assert.match(result?.problem ?? '', /redirect \(307\), which is not followed/);
    assert.equal(receiver.bodies.length, 1);
  });

  test('needs only the status of the response, and fails when it is late', async () => {
    const server = createHttpServer((request, response) => {
      if (request.url === '/silent') return;
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.on('close', () => clearInterval(timer));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const rules = ['endless', 'silent'].map((path) =>
      ruleOf({ by: 'webhook', address: `http://127.0.0.1:${port}/${path}` }),
    );
    await using made = make(rules, {}, { timing: { sendMilliseconds: 5000 } });
    const results = await made.alerts.test();
    assert.equal(results[0]?.ok, true);
    assert.match(results[1]?.problem ?? '', /no response in time|took too long/);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  test('keeps a body of 500 alerts within 256 KiB', async () => {
    await using receiver = await hook();
    await using made = make(
      [ruleOf({ by: 'webhook', address: receiver.url })],
      {},
      {
        who: (member) => whoOf(member, { name: 'ü'.repeat(200), package: 'p'.repeat(64) }),
      },
    );
    const many = Array.from({ length: 500 }, (_, index) =>
      considered({ member: `u${2000 + index}` }),
    );
    made.alerts.consider(noon, many);
    await eventually('the ledger', () => made.ledger.sent.size === 500);
    const [body] = receiver.bodies as [{ alerts: unknown[]; omitted: number }];
    assert.equal(body.alerts.length + body.omitted, 500);
    assert.ok(Buffer.byteLength(JSON.stringify(body)) <= 256 * 1024);
  });
});

describe('Alerts with a failing receiver', () => {
  test('gives up after three attempts when down, and does not retry at each tick', async () => {
    await using closed = await mailServer();
    await closed[Symbol.asyncDispose]();
    await using made = make([ruleOf()], { smtp: closed.smtp });
    made.alerts.consider(noon, [considered()]);
    await eventually('giving up', () =>
      made.log.some((line) => line.includes('given up after 3 attempts')),
    );
    assert.equal(made.log.length, 2, made.log.join('\n'));
    assert.equal(made.ledger.sent.size, 0);
    made.alerts.consider(Date.now(), [considered()]);
    // Closing sends what is still to be sent, or says that it was not.
    await made.alerts[Symbol.asyncDispose]();
    assert.equal(made.log.length, 2, made.log.join('\n'));
  });

  test('sends again after a temporary refusal, and not after a permanent one', async () => {
    await using server = await mailServer();
    Object.assign(server.refuse, { code: 451, times: 1 });
    await using made = make([ruleOf()], { smtp: server.smtp });
    made.alerts.consider(noon, [considered()]);
    await eventually('the second attempt', () => made.ledger.sent.size === 1);
    Object.assign(server.refuse, { code: 554, times: 1 });
    made.alerts.consider(noon, [considered({ member: 'u1002' })]);
    await eventually('the end', () =>
      made.log.some((line) => line.includes('given up after 1 attempt')),
    );
    assert.equal(server.mails.length, 1);
  });

  const bad: readonly (readonly [string, (socket: Socket) => void])[] = [
    ['never answers', () => undefined],
    ['answers garbage', (socket) => socket.write('\u001b[2J\u0000\u00ff'.repeat(1000))],
    ['answers garbage by lines', (socket) => socket.write('\u001b[31mno\r\n'.repeat(1000))],
    ['hangs up', (socket) => socket.destroy()],
    [
      'answers a byte a moment',
      (socket) => {
        const timer = setInterval(() => socket.write('2'), 20);
        socket.on('close', () => clearInterval(timer));
      },
    ],
  ];
  for (const [what, behave] of bad) {
    test(`does not block when it ${what}`, async () => {
      await using server = await rawServer(behave);
      await using made = make(
        [ruleOf()],
        { smtp: server.smtp },
        { timing: { sendMilliseconds: 400 } },
      );
      made.alerts.consider(noon, [considered()]);
      assert.deepEqual(made.log, [], 'considering waited for the receiver');
      await eventually('giving up', () => made.log.some((line) => line.includes('given up')));
      assert.match(made.log.join(''), /^[\u0020-\u007e…]*$/u);
      const [result] = await made.alerts.test();
      assert.equal(result?.ok, false);
      assert.match(result?.problem ?? '', /^[\u0020-\u007e…]*$/u);
    });
  }

  test('stops in time when it never answers', async () => {
    await using server = await rawServer(() => undefined);
    const made = make(
      [ruleOf()],
      { smtp: server.smtp },
      { timing: { gatherMilliseconds: 1, closeMilliseconds: 500 } },
    );
    made.alerts.consider(noon, [considered()]);
    await eventually('the connection', () => server.sockets.size === 1);
    made.alerts.consider(noon, [considered({ member: 'u1002' })]);
    await made.alerts[Symbol.asyncDispose]();
    assert.match(made.log.join('\n'), /2 alerts were not sent: Bulkhead is stopping/);
    assert.equal(made.ledger.sent.size, 0);
    await eventually('the end of its connections', () =>
      [...server.sockets].every((each) => each.destroyed || each.readableEnded),
    );
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
