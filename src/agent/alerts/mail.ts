/**
 * Sends one mail, through the sendmail program of this host or a mail server.
 *
 * nodemailer builds the message and encodes headers and bodies; it is loaded with the first mail.
 * sendmail is started by its absolute path, without a shell and without our environment, and is
 * killed if it takes too long. Addresses have been checked by `isMailAddress`.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { isIPv4 } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { AlertSettings } from '../../policy/settings.ts';
import { fail, ok } from '../../../packages/base/result.ts';
import type { Delivery, DeliveryProblem } from './alert.ts';
import type { MailText } from './message.ts';
import { printable } from '../../../packages/base/printable.ts';
import { beNice } from '../../sys/processes/priority.ts';

export interface MailRoute {
  readonly smtp: AlertSettings['smtp'];
  /** Absolute path of sendmail, used if no mail server is set. */
  readonly sendmail: string;
}

interface Mail extends MailText {
  readonly from: string;
  readonly to: string;
  /** Unique, of letters and digits. */
  readonly id: string;
  readonly host: string;
}

export async function sendMail(
  mail: Mail,
  { smtp, sendmail }: MailRoute,
  signal: AbortSignal,
): Promise<Delivery> {
  // A mail server need not know the mailboxes of this host.
  const to = smtp === undefined || mail.to.includes('@') ? mail.to : `${mail.to}@${mail.host}`;
  try {
    const message = await compose({ ...mail, to });
    if (smtp === undefined) return await runSendmail(sendmail, mail.from, to, message, signal);
    await sendSmtp(smtp, mail.from, to, message, signal);
    return ok(undefined);
  } catch (error) {
    return fail(problemOf(error, signal));
  }
}

async function compose({ from, to, id, host, subject, text }: Mail): Promise<Buffer> {
  const { default: MailComposer } = await import('nodemailer/lib/mail-composer');
  const composer = new MailComposer({
    from: { name: 'Bulkhead', address: from },
    to: { name: '', address: to },
    subject,
    text,
    date: new Date(),
    messageId: `<${id}.bulkhead@${host}>`,
    headers: { 'Auto-Submitted': 'auto-generated' },
    xMailer: false,
    disableFileAccess: true,
    disableUrlAccess: true,
    newline: '\n',
  });
  return composer.compile().build();
}

const socketMilliseconds = 15_000;

async function sendSmtp(
  { host, port }: NonNullable<AlertSettings['smtp']>,
  from: string,
  to: string,
  raw: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    host,
    port,
    secure: port === 465,
    // On loopback there is nobody to hide from, and the certificate is often self-signed.
    ignoreTLS: isLoopback(host),
    // Encrypted where possible, as between mail servers. Whoever can forge a certificate here can
    // also leave out STARTTLS.
    tls: { rejectUnauthorized: port === 465 },
    connectionTimeout: socketMilliseconds,
    greetingTimeout: socketMilliseconds,
    socketTimeout: socketMilliseconds,
    dnsTimeout: socketMilliseconds,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({ envelope: { from, to: [to] }, raw, signal });
  } finally {
    transport.close();
  }
}

const isLoopback = (host: string) =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** The maximum read from sendmail's standard error. */
const errorBytesMax = 1024;

type Sendmail = ChildProcessByStdio<Writable, null, Readable>;

function runSendmail(
  path: string,
  from: string,
  to: string,
  message: Buffer,
  signal: AbortSignal,
): Promise<Delivery> {
  const { promise, resolve } = Promise.withResolvers<Delivery>();
  const problem = (reason: string) =>
    resolve(fail({ reason: `${path}: ${reason}`, permanent: false }));
  const child: Sendmail = spawn(path, ['-i', '-f', from, to], {
    stdio: ['pipe', 'ignore', 'pipe'],
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
    signal,
    // SIGTERM would let it send the half that it has read.
    killSignal: 'SIGKILL',
  });
  // What it leaves behind, such as a queue, goes on without our precedence.
  beNice(child.pid);
  const output = firstBytes(child.stderr);
  child.on('error', (error: NodeJS.ErrnoException) => {
    problem(signal.aborted ? 'it took too long' : startProblem(error));
  });
  // Not "close": a child of sendmail may keep standard error open.
  child.on('exit', (code, killedBy) => {
    child.stderr.destroy();
    if (code === 0) resolve(ok(undefined));
    else problem(exitText(code, killedBy, output()));
  });
  // Its exit status is more helpful than the broken pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(message);
  return promise;
}

const startProblem = ({ code, message }: NodeJS.ErrnoException) =>
  code === 'ENOENT'
    ? 'it does not exist; install a mail server such as postfix, or set smtp="HOST:PORT" in <alerts>'
    : (code ?? message);

function exitText(code: number | null, signal: string | null, output: string): string {
  const how = code === null ? `killed by ${signal}` : `exit status ${code}`;
  return output === '' ? how : `${how}: ${output}`;
}

function firstBytes(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('error', () => undefined);
  stream.on('data', (chunk: string) => {
    if (text.length < errorBytesMax) text += chunk.slice(0, errorBytesMax - text.length);
  });
  return () => text.trim().split('\n')[0] ?? '';
}

/** Describes the failure; a mail server that answers 5xx would do so again. */
function problemOf(error: unknown, signal: AbortSignal): DeliveryProblem {
  if (signal.aborted) return { reason: 'the mail server did not answer in time', permanent: false };
  const { message, responseCode } = error as Error & { readonly responseCode?: unknown };
  const permanent = typeof responseCode === 'number' && responseCode >= 500;
  return { reason: printable(message.slice(0, 300)), permanent };
}
