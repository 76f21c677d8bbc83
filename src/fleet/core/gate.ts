/**
 * The gate: whether a host stays on a release. The host judges itself, by what it has seen since the release was applied.
 *
 * Some findings fail at once; an agent that ends on a release is another one, which `started()` of `states.ts` counts.
 * The others are counts over the whole watch, compared with the whole of the same hours on earlier days. Counts only
 * grow, so the gate can be asked all the time: what fails early would fail at the end, and asking often makes no false
 * alarms. Pressure alone never fails: one tenant can cause it.
 *
 * Data that is missing never passes, and never fails either: it is "unclear". A kernel that has no measure of pressure
 * at all is another case, since it would never pass: then the verdict lists what it is without.
 */
import { count } from '../../../packages/base/list.ts';
import { rarityOf } from './rare.ts';
import type { Customers } from '../../agent/fleet/fleet-agent.ts';
import { tenantMember, type Member } from '../../usage/member.ts';
import type { HitHistory } from './hits.ts';

/** The number of tenants below which chance is not asked. */
export const sufferersMin = 3;
/** The number of customers who must be concerned, if the host has as many: one alone must not take releases back. */
export const customersMin = 3;
const namedMax = 5;
/** The number of runs of minutes under pressure below which chance is not asked. */
export const pressedMin = 3;
/** The part of the watch that must have been measured. */
const measuredPartMin = 0.9;

/** The findings since a release was applied. */
export interface Seen {
  /** The length of the watch, and how much of it is over. */
  readonly watchSeconds: number;
  readonly passedSeconds: number;
  /** The part of the passed time that ticks have covered. */
  readonly measuredSeconds: number;
  /** Whether the release has reached the kernel. */
  readonly isApplied: boolean;
  /** Problems of the apply that were not there before the release. */
  readonly problems: readonly string[];
  /** Values and cgroups that are not as they were applied. */
  readonly drift: readonly string[];
  /** Processes outside their cgroups that were not outside before, or why that is unknown. */
  readonly outside: readonly OutsideProcess[] | string;
  /** The limits that were hit, with the tenants that hit each: `hitKey` → `sufferer`. */
  readonly hits: ReadonlyMap<string, Member>;
  readonly customers: Customers;
  /** The days before; `unknown` if they could not be read. */
  readonly history: HitHistory | 'unknown';
  /** `absent`: the kernel has no measure of it. */
  readonly memory: Pressure | 'unknown' | 'absent';
  readonly io: Pressure | 'unknown' | 'absent';
}

export interface OutsideProcess {
  readonly pid: number;
  readonly uid: number;
  readonly reason: string;
}

/** Runs of minutes in which the host waited for a resource. */
export interface Pressure {
  readonly runs: number;
  /** The same for the same hours of earlier days. */
  readonly days: readonly number[];
}

export type Verdict =
  | { readonly kind: 'fail' | 'unclear'; readonly reasons: readonly string[] }
  /** `without`: what this kernel cannot measure. */
  | { readonly kind: 'pass'; readonly without: readonly string[] }
  | { readonly kind: 'watching' };

/** Returns the verdict so far. It is `watching`, or `fail`, until the watch is over. */
export function judge(seen: Seen): Verdict {
  const counts = countsOf(seen);
  const failures = [...seen.problems, ...seen.drift, ...counts.flatMap(({ fails }) => fails ?? [])];
  if (failures.length > 0) return { kind: 'fail', reasons: failures };
  if (seen.passedSeconds < seen.watchSeconds) return { kind: 'watching' };
  const doubts = [...unmeasured(seen), ...counts.flatMap(({ doubts }) => doubts ?? [])];
  if (doubts.length > 0) return { kind: 'unclear', reasons: doubts };
  const { memory, io } = seen;
  const without = Object.entries({ 'memory pressure': memory, 'I/O pressure': io });
  return { kind: 'pass', without: without.flatMap(([name, is]) => (is === 'absent' ? name : [])) };
}

interface Judged {
  readonly fails?: string;
  readonly doubts?: string;
}

const countsOf = (seen: Seen): readonly Judged[] => [
  judgeOutside(seen),
  judgeHits(seen),
  judgePressure('memory', seen.memory),
  judgePressure('I/O', seen.io),
];

function judgeOutside({ outside, customers }: Seen): Judged {
  if (typeof outside === 'string')
    return { doubts: `Processes outside their cgroups could not be counted: ${outside}` };
  if (outside.length === 0) return {};
  const processes = outside.map(
    ({ pid, uid, reason }) => `${pid} of ${customers.find(tenantMember(uid)).name}: ${reason}`,
  );
  const what = count(outside.length, 'process is', 'processes are');
  const text = `${what} outside the tenants' cgroups (${named(processes)})`;
  const tenants = outside.map(({ uid }) => tenantMember(uid));
  return byCustomers(text, tenants, customers);
}

/** Fails for many customers, and doubts for a few: people decide about these. */
function byCustomers(text: string, members: readonly Member[], customers: Customers): Judged {
  const concerned = new Set(members.map((each) => customers.find(each).customer)).size;
  if (concerned >= Math.min(customersMin, customers.count)) return { fails: text };
  return { doubts: `${text}; it concerns only ${count(concerned, 'customer')}` };
}

const named = (all: readonly string[]): string =>
  [...all.slice(0, namedMax), ...(all.length > namedMax ? ['…'] : [])].join(', ');

function judgeHits({ hits, history, customers }: Seen): Judged {
  const known = history === 'unknown' ? new Set<string>() : history.known;
  const fresh = [...hits].filter(([key]) => !known.has(key)).map(([, each]) => each);
  const who = [...new Set(fresh)];
  const sufferers = who.length;
  if (sufferers < sufferersMin) return {};
  const what = `${count(sufferers, 'tenant')} had processes killed or refused by a limit that`;
  if (history === 'unknown')
    return { doubts: `${what} they may not have hit before: the earlier days cannot be read` };
  const names = named(who.map((each) => customers.find(each).name));
  const text = `${what} they had not hit in the 7 days before (${names})`;
  const judged = judgeCount(text, sufferers, history.days);
  return judged.fails === undefined ? judged : byCustomers(judged.fails, who, customers);
}

function judgePressure(name: string, pressure: Seen['memory']): Judged {
  if (pressure === 'absent') return {};
  if (pressure === 'unknown') return { doubts: `The ${name} pressure of the host is unknown` };
  const { runs, days } = pressure;
  if (runs < pressedMin) return {};
  const text = `The host was under ${name} pressure ${runs} times`;
  const { fails, doubts = fails } = judgeCount(text, runs, days);
  // A backup, or one tenant, may be the reason: it counts if it goes on in each watch, and people decide then.
  return doubts === undefined ? {} : { doubts };
}

function judgeCount(text: string, found: number, days: readonly number[]): Judged {
  const most = Math.max(0, ...days);
  switch (rarityOf(found, days)) {
    case 'ordinary':
      return {};
    case 'rare':
      return {
        fails: `${text}; the same hours of ${count(days.length, 'day')} had at most ${most}`,
      };
    case 'unclear':
      return { doubts: `${text}, and only ${count(days.length, 'earlier day')} can be compared` };
  }
}

function unmeasured({ watchSeconds, measuredSeconds, isApplied }: Seen): readonly string[] {
  const measured = Math.floor(measuredSeconds);
  return [
    ...(isApplied ? [] : ['The policy with it could not be applied']),
    ...(measuredSeconds < measuredPartMin * watchSeconds
      ? [`Only ${measured} of ${watchSeconds} seconds were measured`]
      : []),
  ];
}
