/**
 * An incident in plain English, one paragraph per entry: what happened, its effects, the running processes, the killed
 * ones, and what to do.
 *
 *     alice was throttled 37 times on 24 November 2026 between 14:02 and 14:09 (UTC), because it
 *     reached its CPU limit of 100% (cpu.limit, set in policy.xml:12).
 *
 * It states only known facts, and marks inferred ones. Names and command lines come from tenants: control characters
 * are escaped, and long ones are cut.
 */
import type { LimitKey } from '../limits/limit.ts';
import { attributes, limitAttribute } from '../limits/limits.ts';
import { quantityKinds } from '../../packages/base/quantity.ts';
import { otherTopic, topics, type Resource, type Topic } from './causes/incident-topics.ts';
import { sharedText } from './causes/servers-part.ts';
import {
  cut,
  fullest,
  servedRequests,
  threadsOf,
  topUsers,
  type ProcessGroup,
} from './causes/top-users.ts';
import type { Incident, KilledProcess, Snapshot } from './incident.ts';
import { kindOf, uidOf } from './member.ts';
import { shortBytes } from '../../packages/base/bytes.ts';
import { count, listSome } from '../../packages/base/list.ts';
import type { IncidentKinds } from './incident-kinds.ts';
import { higherValue } from './higher-value.ts';
import { rough, times, wholeNumber } from './numbers.ts';

export interface ExplainOptions {
  readonly kinds: IncidentKinds;
  /** Whether to show command lines instead of program names: only for root and the tenant. */
  readonly showCommands: boolean;
  /** The reader. Only an administrator can change limits. */
  readonly reader?: 'administrator' | 'reseller' | 'tenant';
  /** The time zone of its times, such as `Europe/Berlin`; default: `UTC`. */
  readonly timeZone?: string;
}

/** Explains an incident. `name` is the account, or `uid 1001`. */
export function explainIncident(
  incident: Incident,
  evidence: readonly Snapshot[],
  name: string,
  options: ExplainOptions,
): string[] {
  const who = speakerOf(incident, name, options);
  const { kinds, showCommands } = options;
  const kind = kinds.get(incident.limit);
  const items = kinds.itemsOf(incident, evidence);
  const topic = topicOf(incident, kinds);
  const groups = topUsers(topic.resource, evidence, showCommands);
  return [
    whatHappened(incident, who, options, items),
    kind?.effect?.(items) ?? noticed(incident, topic),
    sharedText(incident, evidence, who.possessive),
    whatRan(groups, topic, evidence, incident),
    servedRequests(evidence, showCommands),
    items.length === 0 ? '' : (kind?.evidence?.describe(items, showCommands) ?? ''),
    whoWasKilled(incident, evidence),
    cacheInIt(incident, evidence),
    aboveIt(incident, evidence),
    whatToDo(incident, who, topic, groups, options),
  ].filter((paragraph) => paragraph !== '');
}

/** Returns a title: `alice was throttled 3 times at its CPU limit`; also the subject of a mail. */
export function incidentTitle(
  incident: Incident,
  name: string,
  options: Pick<ExplainOptions, 'kinds' | 'reader'>,
): string {
  const { kinds } = options;
  const who = speakerOf(incident, name, options);
  const what = `${who.subject} ${happened(incident, who.plural, kinds)}`;
  if (incident.severity === 'observed')
    return `${what} ${who.possessive} ${topicOf(incident, kinds).noun} limit, which is only observed`;
  if (kinds.withoutLimit(incident.limit) !== undefined) return what;
  return `${what} at ${who.possessive} ${topicOf(incident, kinds).noun} limit`;
}

/** Returns the texts about the limit that was hit, and its resource. */
export const topicOf = ({ limit }: Pick<Incident, 'limit'>, kinds: IncidentKinds): Topic =>
  kinds.get(limit)?.topic ?? topics[limit] ?? otherTopic(limit);

interface Speaker {
  readonly subject: string;
  /** The same at the start of a sentence; an account name is not capitalized. */
  readonly opening: string;
  readonly possessive: string;
  readonly plural: boolean;
  /** The form that the command line takes. */
  readonly argument: string;
}

function speakerOf(
  { member }: Incident,
  name: string,
  { reader }: Pick<ExplainOptions, 'reader'>,
): Speaker {
  const shown = cut(name, 64);
  // A name that a shell would interpret, or that looks like a uid, is replaced by the uid.
  const kind = kindOf(member);
  const isPlain = /^[A-Za-z_][A-Za-z0-9._-]{0,63}(\/[a-z0-9._-]{1,253})?$/.test(name);
  const argument = isPlain ? name : kind === 'site' ? member.slice(1) : String(uidOf(member));
  const plural = kind === 'reseller';
  const possessive = plural ? 'their' : 'its';
  const own = kind === 'site' ? 'your site' : 'your account';
  const yours = reader === 'tenant' ? `${own} ${shown}` : shown;
  const subject = plural ? `the tenants of ${shown} together` : yours;
  const opening = subject === shown ? shown : subject.charAt(0).toUpperCase() + subject.slice(1);
  return { subject, opening, possessive, plural, argument };
}

function whatHappened(
  incident: Incident,
  who: Speaker,
  options: ExplainOptions,
  items: readonly object[],
): string {
  const { limit, value, from, inferred } = incident;
  const { kinds, reader = 'administrator' } = options;
  if (incident.severity === 'observed') return wouldHaveHit(incident, who, options);
  const what = `${who.opening} ${happened(incident, who.plural, kinds, items)} ${when(incident, options)}`;
  const without = kinds.withoutLimit(limit);
  if (without !== undefined) return `${what}, ${without.because}.`;
  const place = from === '' || reader !== 'administrator' ? '' : `, set in ${cut(from, 200)}`;
  const facts = `because ${who.plural ? 'they' : 'it'} reached ${who.possessive} ${topicOf(incident, kinds).noun} limit of ${cut(value, 64)} (${limit}${place})`;
  const sentence = `${what}, ${facts}.`;
  return inferred ? `${sentence} ${inference}` : sentence;
}

/** Describes usage above a limit that is only observed. */
function wouldHaveHit(incident: Incident, who: Speaker, options: ExplainOptions): string {
  const { limit, value, from, faults } = incident;
  const { kinds, reader = 'administrator' } = options;
  const { noun } = topicOf(incident, kinds);
  const place = from === '' || reader !== 'administrator' ? '' : `, written in ${cut(from, 200)}`;
  const subject = `${who.opening} used more than ${who.possessive} ${noun} limit of ${cut(value, 64)} (${limit}${place})`;
  return `${subject} ${when(incident, options)}, in ${count(faults, 'sample')}. The policy only observes limits, so nothing held it back.`;
}

const inference = 'The kernel does not count this: it is inferred from usage at the limit.';

/**
 * Describes what happened. In an incident with a killed process, usage was throttled before; its faults are of both
 * kinds.
 */
function happened(
  incident: Incident,
  plural: boolean,
  kinds: IncidentKinds,
  items: readonly object[] = [],
): string {
  const { limit, severity, faults } = incident;
  if (severity === 'observed') return 'went above';
  const be = plural ? 'were' : 'was';
  const ofKind = kinds.get(limit)?.happened?.(incident, items);
  if (ofKind !== undefined) return ofKind;
  if (severity === 'throttled') return `${be} throttled ${times(faults)}`;
  if (severity === 'killed') {
    const { killed } = topics[limit] ?? {};
    if (killed !== undefined) return `had ${killed} ${times(faults)}`;
    return limit === 'memory.limit' ? 'ran out of memory' : `had processes killed`;
  }
  // A process that started before it was placed was not refused, but exceeds the limit.
  if (limit === 'processes.limit') return `had too many processes ${times(faults)}`;
  return `${be} refused a request ${times(faults)}`;
}

function noticed({ severity, faults, limit }: Incident, { effect }: Topic): string {
  if (severity === 'observed') return effect.observed ?? enforcedEffect(limit);
  const text = effect[severity] ?? otherTopic(limit).effect[severity] ?? '';
  if (severity !== 'killed' || !isKilledByKernel(limit)) return text;
  return `${text} In total, it hit the limit or had a process killed ${times(faults)}.`;
}

/** Describes the effect that the limit would have had. */
function enforcedEffect(limit: LimitKey): string {
  const enforced = 'If the limit were enforced,';
  if (limit === 'memory.limit') return `${enforced} the kernel would have killed a process.`;
  if (limit === 'processes.limit')
    return `${enforced} the kernel would have refused new processes.`;
  return `${enforced} its programs would have waited, and used no more.`;
}

function when({ begin, end }: Incident, { timeZone = 'UTC' }: ExplainOptions): string {
  const from = moment(begin, timeZone);
  const to = moment(end, timeZone);
  const zone = `(${timeZone})`;
  if (from.day !== to.day) {
    return `between ${from.day} ${from.time} and ${to.day} ${to.time} ${zone}`;
  }
  if (from.time === to.time) return `on ${from.day} at ${from.time} ${zone}`;
  return `on ${from.day} between ${from.time} and ${to.time} ${zone}`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function moment(at: number, timeZone: string): { day: string; time: string } {
  if (!Number.isFinite(at) || Math.abs(at) > 8.64e15) return { day: 'an unknown day', time: '' };
  let format = formats.get(timeZone);
  if (format === undefined) {
    const [dateStyle, timeStyle] = ['long', 'short'] as const;
    format = new Intl.DateTimeFormat('en-GB', { dateStyle, timeStyle, timeZone });
    // One per requested time zone; a host has one.
    if (formats.size < 16) formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(at).map((each) => [each.type, each.value]));
  return {
    day: `${parts['day']} ${parts['month']} ${parts['year']}`,
    time: `${parts['hour']}:${parts['minute']}`,
  };
}

const amountTexts: Readonly<Record<Resource, (group: ProcessGroup) => string>> = {
  cpu: ({ amount }) => `${rough(amount)} s of CPU time`,
  memory: ({ amount }) => shortBytes(amount),
  read: ({ amount }) => `${shortBytes(amount)} read`,
  write: ({ amount }) => `${shortBytes(amount)} written`,
  disk: ({ amount }) => `${shortBytes(amount)} read and written`,
  processes: ({ amount, processes }) =>
    amount > processes ? `${wholeNumber(amount)} threads` : '',
  other: () => '',
};

function whatRan(
  groups: readonly ProcessGroup[],
  { resource }: Topic,
  evidence: readonly Snapshot[],
  { severity }: Incident,
): string {
  if (resource === 'other') return '';
  if (evidence.length === 0) return 'The processes running at the time were not recorded.';
  if (groups.length === 0) {
    // The next part names the killed process.
    if (severity === 'killed' && killedIn(evidence).length > 0) return '';
    return 'None of the recorded processes stands out; those that used the most had exited before they could be inspected.';
  }
  const list = groups.map((group) => {
    const facts = [amountTexts[resource](group), processCount(group.processes)];
    return `${group.title} (${facts.filter((each) => each !== '').join(', ')})`;
  });
  return `${leadIn(resource, evidence, severity)}: ${list.join('; ')}.`;
}

const processCount = (number: number) => count(number, 'process', 'processes');

function leadIn(
  resource: Resource,
  evidence: readonly Snapshot[],
  severity: Incident['severity'],
): string {
  // A snapshot is taken after the kill.
  if (resource === 'memory')
    return severity === 'killed'
      ? 'Of those that were left, most memory was used by'
      : 'Most memory was used by';
  if (resource === 'processes') return 'Running at the peak';
  return evidence.length === 1
    ? 'The heaviest users since they were started'
    : `The heaviest users, according to ${evidence.length} snapshots`;
}

/** Whether it was a process: a limit that another program enforces ends something else. */
const isKilledByKernel = (limit: LimitKey) => topics[limit]?.killed === undefined;

const killedMax = 5;

function whoWasKilled({ limit, severity }: Incident, evidence: readonly Snapshot[]): string {
  if (severity !== 'killed' || !isKilledByKernel(limit)) return '';
  const all = killedIn(evidence);
  if (all.length === 0)
    return 'It is unknown which process was killed; the kernel log may have it.';
  const named = all.map(({ name, pid, memoryBytes }) => {
    const used = memoryBytes === undefined ? '' : `, which used ${shortBytes(memoryBytes)}`;
    return `${cut(name, 32)} (process ${pid}${used})`;
  });
  return `The kernel killed ${listSome(named, killedMax)}.`;
}

function killedIn(evidence: readonly Snapshot[]): readonly KilledProcess[] {
  const known = new Map<number, KilledProcess>();
  for (const { killed = [] } of evidence) for (const each of killed) known.set(each.pid, each);
  return [...known.values()];
}

/** Describes memory at the kill. The samples are from after the kill; the peak is the kernel's own, if it has one. */
function memoryAtKill({ value }: Incident, evidence: readonly Snapshot[]): string {
  const limit = quantityKinds.bytes.parse(value);
  const peak = Math.max(
    0,
    ...evidence.map(({ usage }) => Math.max(usage.memoryPeak, usage.memory)),
  );
  if (!(peak > 0)) return '';
  // The kernel only kills at the limit.
  if (limit.ok && peak < 0.9 * limit.value)
    return `The most that was recorded is ${shortBytes(peak)}; how much it was at the kill is unknown, since this kernel has no peak of it, or it was just before the cgroup was read for the first time.`;
  const after = Math.min(...evidence.map(({ usage }) => usage.memory));
  const since = after < 0.9 * peak ? `, and fell to ${shortBytes(after)} after the kill` : '';
  return `The memory in use peaked at ${shortBytes(peak)}${since}. The kernel reclaims page cache before it kills: the programs themselves needed the memory.`;
}

function cacheInIt(incident: Incident, evidence: readonly Snapshot[]): string {
  const { limit, severity } = incident;
  if (limit === 'memory.limit' && severity === 'killed') return memoryAtKill(incident, evidence);
  const max = fullest(evidence, ({ usage }) => usage.memory);
  if (limit !== 'memory.limit' || max === undefined || !(max.usage.memory > 0)) return '';
  const { memory, cache } = max.usage;
  if (cache < memory / 10) {
    return `Hardly any of the ${shortBytes(memory)} in use was page cache: the programs themselves needed the memory.`;
  }
  return `Of the ${shortBytes(memory)} in use, ${shortBytes(cache)} was page cache, which the kernel reclaims before it kills anything.`;
}

/** Describes excess. Evidence recorded by an older version has no peaks. */
function aboveIt({ limit, value, severity }: Incident, evidence: readonly Snapshot[]): string {
  if (limit !== 'processes.limit' || severity === 'observed') return '';
  const parsed = quantityKinds[limitAttribute(limit).kind].parse(value);
  const max = Math.max(0, ...evidence.map((each) => each.usage.threadsPeak || threadsOf(each)));
  if (!parsed.ok || max <= parsed.value) return '';
  return `There were ${max} processes and threads at once, more than the limit: processes started before they were moved into the cgroup count but were not refused, and no more can be started until there are fewer.`;
}

function whatToDo(
  incident: Incident,
  who: Speaker,
  topic: Topic,
  groups: readonly ProcessGroup[],
  { kinds, reader = 'administrator' }: ExplainOptions,
): string {
  const parts = [
    suspicion(topic.resource, groups),
    topic.advice,
    reader === 'administrator' ? adviceOf(incident, who, kinds) : '',
    raise(incident, who, reader),
  ];
  return parts.filter((each) => each !== '').join(' ');
}

/** Returns the capability's advice about a tenant: a reseller's tenants together have none. */
function adviceOf(incident: Incident, { argument }: Speaker, kinds: IncidentKinds): string {
  if (kindOf(incident.member) === 'reseller') return '';
  const tenant = argument.split('/')[0] ?? argument;
  return kinds.get(incident.limit)?.advice?.(incident, tenant) ?? '';
}

/** Returns a hint from the processes themselves. */
function suspicion(resource: Resource, groups: readonly ProcessGroup[]): string {
  const [first] = groups;
  if (first === undefined) return '';
  const all = groups.reduce((sum, each) => sum + each.amount, 0);
  const max = first.amount > 0.6 * all;
  if (resource === 'processes' && max && first.processes >= 10) {
    const young = first.youngestSeconds < 60 ? ', and the youngest is less than a minute old' : '';
    return `Most of them are ${first.title}${young}: check whether it restarts itself in a loop.`;
  }
  if (resource !== 'memory' || !max) return '';
  if (first.largest > 0.6 * all)
    return `A single process of ${first.title} used most of it: look there first.`;
  return first.processes >= 5
    ? `There are ${first.processes} processes of ${first.title}, with ${shortBytes(first.amount / first.processes)} each: running fewer at once would need less.`
    : '';
}

function raise(
  { limit, value, member }: Incident,
  { argument }: Speaker,
  reader: NonNullable<ExplainOptions['reader']>,
): string {
  const attribute = attributes.get(limit);
  const higher = attribute && higherValue(attribute.kind, value);
  if (higher === undefined) return '';
  if (reader !== 'administrator') {
    return `If it needs more, ask the administrator of this server for a higher limit, for example ${higher}.`;
  }
  const verb = kindOf(member) === 'reseller' ? 'reseller set' : 'set';
  const shown = higher.includes(' ') ? `"${higher}"` : higher;
  return `If it needs more, raise the limit: bulkhead ${verb} ${argument} ${limit.replace(/\.limit$/, '')}=${shown}`;
}
