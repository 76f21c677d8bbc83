/**
 * The text of messages: subject and body of mail, and the JSON of webhooks.
 *
 *     Bulkhead on web1: alice was throttled 37 times at its CPU limit
 *
 * Command lines may contain passwords. They are included in mail to the administrator and to the
 * tenant itself; never in mail to a reseller, and never in a webhook, whoever it is for: that is
 * usually another company's service.
 */
import { formatDuration } from '../../../packages/base/duration.ts';
import { explainIncident, incidentTitle } from '../../usage/explain-incident.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import { kindOf } from '../../usage/member.ts';
import type { Alert, Batch, RaisedAlarm } from './alert.ts';
import type { AlertReceiver } from './receiver.ts';
import { printable } from '../../../packages/base/printable.ts';

/** The number of incidents that are explained in full; the others get a line each. */
const explainedMax = 20;
const lineCharacters = 76;
const subjectCharactersMax = 160;
const alarmCharactersMax = 2000;
const bodyBytesMax = 256 * 1024;

export interface MailText {
  readonly subject: string;
  readonly text: string;
}

export interface MessageContext {
  readonly kinds: IncidentKinds;
  readonly host: string;
  /** The time zone of the times in the text, such as `Europe/Berlin`. */
  readonly timeZone: string;
}

const testText =
  'This is a test: nothing happened. Someone with root access wanted to check whether alerts from Bulkhead arrive here.';

export function alertMail(batch: Batch, context: MessageContext): MailText {
  const { alerts, alarms, notices, receiver, test } = batch;
  const full = alerts.slice(0, explainedMax);
  const parts = [
    ...(test ? [wrap(testText)] : []),
    ...notices.map(wrap),
    ...alarms.map(alarmSection),
    ...full.map((alert) => section(alert, receiver, context)),
    shortList(alerts.slice(explainedMax), receiver, context),
    footer(batch, context),
  ];
  return {
    subject: subjectOf(batch, context),
    text: `${parts.filter((part) => part !== '').join('\n\n')}\n`,
  };
}

function subjectOf({ alerts, alarms, receiver, test }: Batch, context: MessageContext): string {
  const [first] = alerts;
  const [alarm] = alarms;
  const name = `Bulkhead on ${context.host}`;
  if (test) return `${name}: test message, nothing happened`;
  if (alarm !== undefined) {
    const more = alarms.length + alerts.length - 1;
    return shortened(`${name}: ${printable(alarm.title)}${more === 0 ? '' : `, and ${more} more`}`);
  }
  if (first === undefined) return `${name}: alerts were dropped`;
  if (alerts.length === 1) return shortened(`${name}: ${titleOf(first, receiver, context)}`);
  const names = [...new Set(alerts.map(({ who }) => printable(who.name)))];
  return shortened(`${name}: ${alerts.length} limits were reached: ${names.join(', ')}`);
}

const shortened = (text: string) =>
  text.length > subjectCharactersMax ? `${text.slice(0, subjectCharactersMax - 1)}…` : text;

const titleOf = ({ incident, who }: Alert, { to }: AlertReceiver, { kinds }: MessageContext) =>
  incidentTitle(incident, who.name, { kinds, reader: to });

function alarmSection({ title, text }: RaisedAlarm): string {
  return [headingOf(printable(`${title[0]?.toUpperCase()}${title.slice(1)}`)), wrap(text)].join(
    '\n\n',
  );
}

export const headingOf = (title: string) =>
  `${title}\n${'-'.repeat(Math.min(title.length, lineCharacters))}`;

function section(alert: Alert, receiver: AlertReceiver, context: MessageContext): string {
  const heading = headingOf(printable(titleOf(alert, receiver, context)));
  return [heading, ...explained(alert, receiver, context).map(wrap)].join('\n\n');
}

function explained(alert: Alert, { by, to }: AlertReceiver, context: MessageContext): string[] {
  const { kinds, timeZone } = context;
  const showCommands = by === 'mail' && to !== 'reseller';
  const evidence = alert.evidence();
  return explainIncident(alert.incident, evidence, alert.who.name, {
    kinds,
    showCommands,
    reader: to,
    timeZone,
  });
}

function shortList(
  alerts: readonly Alert[],
  receiver: AlertReceiver,
  context: MessageContext,
): string {
  if (alerts.length === 0) return '';
  const lines = alerts.map((alert) => `- ${printable(titleOf(alert, receiver, context))}`);
  return `Other incidents:\n\n${lines.join('\n')}`;
}

function footer({ alerts, alarms, receiver }: Batch, { host }: MessageContext): string {
  const told = [...alerts, ...alarms];
  const every = Math.min(...told.map((each) => each.everyMilliseconds));
  const often =
    told.length === 0
      ? ''
      : ` It is sent at most once every ${formatDuration(every)} ${alarms.length === 0 ? 'per account and limit, however often the limit is reached' : 'about the same, however often it happens'}.`;
  const change =
    receiver.to === 'administrator'
      ? 'To change that, or to stop these messages, edit the rules in <alerts> in the policy.'
      : 'To change that, or to stop these messages, ask the administrator of this server.';
  return `-- \n${wrap(`This message was sent automatically by Bulkhead on ${host}.${often} ${change}`)}`;
}

/** Wraps lines, except where a single word is longer. */
export function wrap(paragraph: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(paragraph).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > lineCharacters) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

/** Returns the body of a webhook, version 1; described in docs/alerts.md. */
export function webhookBody(batch: Batch, context: MessageContext): string {
  const bodies = [
    () => bodyOf(batch, context, batch.alerts.length, explainedMax),
    () => bodyOf(batch, context, batch.alerts.length, 0),
    () => bodyOf(batch, context, 100, 0),
  ];
  for (const make of bodies) {
    const body = make();
    if (Buffer.byteLength(body) <= bodyBytesMax) return body;
  }
  return bodyOf(batch, context, 0, 0);
}

function bodyOf(batch: Batch, context: MessageContext, max: number, explain: number): string {
  const { alerts, alarms, notices, receiver, test, id } = batch;
  return JSON.stringify({
    version: 1,
    kind: test ? 'test' : 'alert',
    id,
    host: context.host,
    subject: printable(subjectOf(batch, context)),
    alerts: alerts
      .slice(0, max)
      .map((alert, index) => alertBody(alert, receiver, context, index < explain)),
    protection: alarms.map(({ about, title, text }) => ({
      about,
      title: printable(title),
      text: printable(text.slice(0, alarmCharactersMax)),
    })),
    omitted: Math.max(0, alerts.length - max),
    notices: test ? [testText, ...notices] : notices,
  });
}

function alertBody(
  alert: Alert,
  receiver: AlertReceiver,
  context: MessageContext,
  explain: boolean,
) {
  const { incident, who } = alert;
  const { id, limit, value, from, severity, inferred, begin, end, faults } = incident;
  const about = { id, limit, value, from, severity, inferred, begin, end, faults };
  return {
    name: printable(who.name),
    uid: who.uid,
    kind: kindOf(who.member),
    ...(who.reseller === undefined ? {} : { reseller: printable(who.reseller) }),
    ...(who.package === undefined ? {} : { package: printable(who.package) }),
    ...about,
    title: printable(titleOf(alert, receiver, context)),
    explanation: explain ? explained(alert, receiver, context) : [],
  };
}
