/**
 * Resolves the receiver of a rule's message: who gets it, and at which address.
 *
 *     administrator, no address        → mailbox root
 *     tenant, no address               → its address in the panel, or else the mailbox of the account, alice
 *     reseller, "%u@example.org"       → acme@example.org
 *
 * Account names are not trusted: one that could be more than a mailbox (an option of sendmail, a second address,
 * another line) gets no mail.
 */
import { severities } from '../../limits/limit.ts';
import { hostProtection, type AlertRule } from '../../policy/settings.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Incident } from '../../usage/incident.ts';
import { kindOf, type Member } from '../../usage/member.ts';
import { printable } from '../../../packages/base/printable.ts';

/** The facts about a member that messages need. */
export interface AlertWho {
  readonly member: Member;
  readonly uid: number;
  /** The display name: the account, or `uid 1001`. */
  readonly name: string;
  /** The account name on this host; absent for a uid without one. */
  readonly account: string | undefined;
  /** The address that the panel has for it. */
  readonly mail?: string | undefined;
  /** The account of a tenant's reseller. */
  readonly reseller: string | undefined;
  /** The address that the panel has for the tenant's reseller. */
  readonly resellerMail?: string | undefined;
  readonly package: string | undefined;
}

export interface AlertReceiver {
  readonly by: AlertRule['by'];
  /** The role of the reader, which decides the wording and what may be shown. */
  readonly to: AlertRule['to'];
  readonly address: string;
}

export const receiverKey = ({ by, to, address }: AlertReceiver) => `${by} ${to} ${address}`;

/** Describes a receiver; leaves out the query of a URL, which may contain secrets. */
export function formatReceiver({ by, address }: AlertReceiver): string {
  if (by === 'mail') return printable(address);
  const url = URL.parse(address);
  return url === null ? 'an invalid URL' : printable(`${url.origin}${cutPath(url.pathname)}`);
}

/** Cuts a path: chat services have the secret in it. */
const cutPath = (path: string) => (path.length > 12 ? `${path.slice(0, 12)}…` : path);

export function appliesTo(rule: AlertRule, { limit, severity, faults }: Incident): boolean {
  if (rule.limits.length > 0 && !rule.limits.includes(limit)) return false;
  if (severities.indexOf(severity) < severities.indexOf(rule.severity)) return false;
  return faults >= rule.faults;
}

/**
 * Whether the rule gets alarms about the host. Something that happened counts once it happened as often as an incident
 * needs faults.
 */
export const isForAlarms = (rule: AlertRule, times: number): boolean =>
  rule.to === 'administrator' &&
  (rule.limits.length === 0 || rule.limits.includes(hostProtection)) &&
  times >= rule.faults;

/** The part of a rule that decides who gets its messages. */
export type Addressing = Pick<AlertRule, 'to' | 'by' | 'address'>;

/** Returns the receiver; undefined if the rule has none for this member, an error if there is no safe address. */
export function receiverOf(
  rule: Addressing,
  who: AlertWho,
): Result<AlertReceiver | undefined, Problem> {
  if (rule.to === 'administrator') return fill(rule, 'root', who.account);
  const account = accountFor(rule.to, who);
  if (account === undefined) return ok(undefined);
  const isOwn = rule.to === 'tenant' || kindOf(who.member) === 'reseller';
  const stated = (isOwn ? who.mail : who.resellerMail) ?? '';
  return fill(rule, isMailAddress(stated) ? stated : account, account);
}

function accountFor(to: 'reseller' | 'tenant', who: AlertWho): string | undefined {
  if (to === 'tenant') return kindOf(who.member) === 'reseller' ? undefined : (who.account ?? '');
  return kindOf(who.member) === 'reseller' ? (who.account ?? '') : who.reseller;
}

function fill(
  { to, by, address }: Addressing,
  mailbox: string,
  account: string | undefined,
): Result<AlertReceiver | undefined, Problem> {
  const written = address ?? (by === 'mail' ? mailbox : undefined);
  if (written === undefined)
    return failed({ action: 'post an alert', reason: 'its rule has no URL' });
  if (written === '') return ok(undefined);
  if (!written.includes('%u')) return checked({ by, to, address: written });
  if (account === undefined || account === '') return ok(undefined);
  const part = by === 'webhook' ? encodeURIComponent(account.toWellFormed()) : account;
  if (by === 'mail' && !isMailbox(account)) return unsafe(account);
  return checked({ by, to, address: written.replaceAll('%u', () => part) });
}

function checked(receiver: AlertReceiver): Result<AlertReceiver, Problem> {
  const { by, address } = receiver;
  if (by === 'mail') return isMailAddress(address) ? ok(receiver) : unsafe(address);
  const url = URL.parse(address);
  if (url !== null && /^https?:$/.test(url.protocol)) return ok(receiver);
  return failed({ action: 'post an alert', reason: 'its URL is not one of http or https' });
}

const unsafe = (address: string) =>
  failed({
    action: 'mail an alert to',
    object: address.slice(0, 64),
    reason: 'it is not a plain mail address',
    hint: 'write another "address" in the rule',
  });

const isMailbox = (text: string) => /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$/.test(text);

export function isMailAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at === -1) return isMailbox(text);
  const local = text.slice(0, at);
  const domain = text.slice(at + 1);
  return (
    /^[A-Za-z0-9_][A-Za-z0-9._%+-]{0,63}$/.test(local) &&
    /^[A-Za-z0-9][A-Za-z0-9.-]{0,251}$/.test(domain)
  );
}
