/** An event in words: which process became a tenant's outside its cgroup, from where, and what would place it. */
import { printable } from '../../../packages/base/printable.ts';
import type { StrictEvent } from './strict-event.ts';

/** An event with the facts about the host when it was taken. */
export interface KnownEvent extends Omit<StrictEvent, 'nanoseconds' | 'cgroup'> {
  /** The tenant's account; absent if it has none in /etc/passwd. */
  readonly account?: string;
  /** The reason why it was outside, or what to do about it; absent for a module. */
  readonly advice?: string;
}

/** The facts that the advice depends on. */
export interface AdviceFacts {
  /** The reason why the PAM module failed for this very session. */
  readonly stepFailure?: string | undefined;
  /** Whether PAM runs the module on this host. */
  readonly stepIsOn: boolean;
  /** Whether the tenant has a systemd slice. */
  readonly isSlice: boolean;
}

/** Programs that open a PAM session, into which `bulkhead pam enable` puts the step. */
const sessions = /^(?:sshd(?:-session)?|su|sudo|cron|CRON|crond|atd|login)$/;
/** Programs that only change the uid. */
const changers =
  /^(?:runuser|setpriv|start-stop-daem(?:on)?|chpst|setuidgid|s6-setuidgid|gosu|su-exec|capsh)$/;

export function adviceOn(
  { command, what, unit, tenant, account, name }: KnownEvent,
  { stepFailure, stepIsOn, isSlice }: AdviceFacts,
): string | undefined {
  if (what === 'module') return undefined;
  if (stepFailure !== undefined) return stepFailure;
  if (what === 'setuid')
    return `"bulkhead exec" can start it, and "chmod u-s" takes the setuid bit from "${name}"`;
  if (sessions.test(command))
    return stepIsOn
      ? 'the PAM module did not place it; see journalctl -g pam_bulkhead'
      : '"bulkhead pam enable" places it';
  if (command.startsWith('php-fpm')) return '"bulkhead web fpm enable" places it';
  const who = account ?? String(tenant);
  // The name that systemd gives its process until the unit's own program starts.
  if (command.startsWith('(') && /\.(?:service|scope)$/.test(unit)) {
    if (/^user@\d+\.service$/.test(unit)) return `"systemctl mask ${unit}" keeps it from starting`;
    return isSlice
      ? `Slice=user-${tenant}.slice in ${unit} places it`
      : `ExecStart=bulkhead exec ${who} -- … in ${unit}, without User=, places it`;
  }
  const instead = changers.test(command) ? `, instead of ${command},` : '';
  return `"bulkhead exec ${who} -- …"${instead} places it`;
}

/**
 * Describes an event:
 *
 *     cron (pid 12, cron.service) was refused uid 1001 (alice): it is outside that tenant's cgroup; "bulkhead pam enable" places it
 */
export function strictEventText(event: KnownEvent): string {
  const { what, passed, advice } = event;
  const end = advice === undefined ? '' : `; ${advice}`;
  const refused = passed ? 'would be refused' : 'was refused';
  return printable(`${callerOf(event)} ${refused} ${objectOf(event)}${outside[what]}${end}`);
}

const outside = {
  uid: ": it is outside that tenant's cgroup",
  setuid: ": it is outside that tenant's cgroup",
  module: '',
} as const;

const callerOf = ({ command, pid, unit }: KnownEvent) =>
  `${command} (pid ${pid}${unit === '' ? '' : `, ${unit}`})`;

function objectOf({ what, to, tenant, account, name }: KnownEvent): string {
  const owner = `uid ${tenant}${account === undefined ? '' : ` (${account})`}`;
  if (what === 'module') return `the kernel module "${name}", asked for by ${owner}`;
  const whose = to === tenant ? owner : `uid ${to}, a subordinate uid of ${owner}`;
  return what === 'uid' ? whose : `to run "${name}" with effective ${whose}`;
}

/** Groups events with the same text, the latest last: the last of each, and how many there are. */
export function groupEvents<T extends KnownEvent>(
  events: readonly T[],
): readonly { readonly last: T; readonly times: number }[] {
  const groups = new Map<string, { last: T; times: number }>();
  for (const event of events) {
    const { command, to, tenant, what, passed, name, advice } = event;
    // A scope of each session, and a transient unit, have a number of their own.
    const unit = event.unit.replaceAll(/\d+/g, '#');
    const key = JSON.stringify([command, to, tenant, what, passed, name, advice, unit]);
    const times = (groups.get(key)?.times ?? 0) + 1;
    groups.delete(key);
    groups.set(key, { last: event, times });
  }
  return [...groups.values()];
}
