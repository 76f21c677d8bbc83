/** Rules, incidents and receivers for tests of alerts: an SMTP server, an HTTP server and a sendmail on this host. */
import '../../testing/guard/here.ts';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { ok } from '../../packages/base/result.ts';
import { Alerts, type AlertLedger, type AlertsOptions } from '../../src/agent/alerts/alerts.ts';
import type { AlertWho } from '../../src/agent/alerts/receiver.ts';
import type { AlertRule, AlertSettings } from '../../src/policy/settings.ts';
import { IncidentKinds } from '../../src/usage/incident-kinds.ts';
import type { Incident, Snapshot } from '../../src/usage/incident.ts';
import { uidOf, type Member } from '../../src/usage/member.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

export const hour = 3_600_000;

export const noon = Date.UTC(2026, 10, 24, 12);

export const ruleOf = (changes: Partial<AlertRule> = {}): AlertRule => ({
  to: 'administrator',
  by: 'mail',
  address: 'ops@example.org',
  limits: [],
  severity: 'throttled',
  faults: 1,
  everyMilliseconds: 12 * hour,
  ...changes,
});

export const incidentOf = (changes: Partial<Incident> = {}): Incident => ({
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

export const secret = '--password=hunter2';

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

export const considered = (changes: Partial<Incident> = {}) => ({
  incident: incidentOf(changes),
  evidence: () => [snapshot],
});

export const whoOf = (member: Member, changes: Partial<AlertWho> = {}): AlertWho => ({
  member,
  uid: uidOf(member),
  name: `t${uidOf(member)}`,
  account: `t${uidOf(member)}`,
  reseller: undefined,
  package: undefined,
  ...changes,
});

/** The event store's ledger, in memory. */
export class Ledger implements AlertLedger {
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

export function make(
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

export function parseMail(from: string, to: readonly string[], raw: string): Mail {
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
export const shown = (header = '') =>
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

export async function mailServer(): Promise<MailServer> {
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

export async function hook(): Promise<Hook> {
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

export const directory = suiteDirectory('alerts');

/**
 * Writes a sendmail that keeps what it is given: arguments a line each, the environment, the
 * message.
 */
export function recordingSendmail(name: string, ending = 'exit 0') {
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
