/**
 * An incident in plain English, one paragraph per entry: what happened, what was noticed, what was
 * running, what was killed, and what to do.
 *
 *     alice was throttled 37 times on 24 November 2026 between 14:02 and 14:09 (UTC), because it
 *     reached its CPU limit of 100% (cpu.limit, set in policy.xml:12).
 *
 * It states only what is known, and marks what is inferred. Names and command lines come from
 * tenants: control characters are escaped, and long ones are cut.
 */
import type { LimitKey, Severity } from '../limits/limit.ts';
import { limitAttribute } from '../limits/limits.ts';
import { quantityKinds, type QuantityKind } from '../base/quantity.ts';
import { growth, type Amounts } from './growth.ts';
import type { Incident, KilledProcess, ProcessEvidence, Snapshot } from './incident.ts';
import { isReseller, uidOf } from './member.ts';
import { printable } from '../base/printable.ts';
import { shortBytes } from '../base/bytes.ts';
import { count, listSome } from '../base/list.ts';
import { rough, times, wholeNumber } from './numbers.ts';

export interface ExplainOptions {
  /** Command lines instead of program names: only for root and the tenant. */
  readonly showCommands: boolean;
  /** Who reads it. Only an administrator can change limits. */
  readonly reader?: 'administrator' | 'reseller' | 'tenant';
  /** The time zone of the times in it, such as `Europe/Berlin`; default: `UTC`. */
  readonly timeZone?: string;
}

/** `name` is the account, or `uid 1001`. */
export function explainIncident(
  incident: Incident,
  evidence: readonly Snapshot[],
  name: string,
  options: ExplainOptions,
): string[] {
  const who = speakerOf(incident, name, options);
  const topic = topics[incident.limit] ?? otherTopic(incident.limit);
  const groups = topUsers(topic.resource, evidence, options.showCommands);
  return [
    whatHappened(incident, who, topic, options),
    noticed(incident, topic),
    whatRan(groups, topic, evidence),
    whoWasKilled(incident, evidence),
    cacheInIt(incident, evidence),
    aboveIt(incident, evidence),
    whatToDo(incident, who, topic, groups, options),
  ].filter((paragraph) => paragraph !== '');
}

/** `alice was throttled 3 times at its CPU limit`; also the subject of a mail. */
export function incidentTitle(
  incident: Incident,
  name: string,
  options: Pick<ExplainOptions, 'reader'> = {},
): string {
  const who = speakerOf(incident, name, options);
  const { noun } = topics[incident.limit] ?? otherTopic(incident.limit);
  return `${who.subject} ${happened(incident, who.plural)} at ${who.possessive} ${noun} limit`;
}

interface Speaker {
  readonly subject: string;
  /** The same at the start of a sentence; the name of an account is not capitalized. */
  readonly opening: string;
  readonly possessive: string;
  readonly plural: boolean;
  /** As the command line takes it. */
  readonly argument: string;
}

function speakerOf(
  { member }: Incident,
  name: string,
  { reader }: Pick<ExplainOptions, 'reader'>,
): Speaker {
  const shown = cut(name, 64);
  // A name that a shell would interpret, or that looks like a uid, is replaced by the uid.
  const argument = /^[A-Za-z_][A-Za-z0-9._-]{0,63}$/.test(name) ? name : String(uidOf(member));
  const plural = isReseller(member);
  const possessive = plural ? 'their' : 'its';
  const yours = reader === 'tenant' ? `your account ${shown}` : shown;
  const subject = plural ? `the tenants of ${shown} together` : yours;
  const opening = subject === shown ? shown : subject.charAt(0).toUpperCase() + subject.slice(1);
  return { subject, opening, possessive, plural, argument };
}

type Resource = 'cpu' | 'memory' | 'read' | 'write' | 'disk' | 'processes' | 'other';

interface Topic {
  readonly noun: string;
  readonly resource: Resource;
  readonly effect: Readonly<Partial<Record<Severity, string>>>;
  /** What to try before raising the limit. */
  readonly advice: string;
}

const slowDisk = {
  throttled:
    'Reading and writing files took longer, and so did pages and scripts that wait for files or a database. Nothing failed.',
};
const disk = (noun: string, resource: Resource, advice: string): Topic => ({
  noun,
  resource,
  effect: slowDisk,
  advice,
});
const lessReading =
  'Look for backups, scripts that search all files, and database queries without an index; data that is cached in memory need not be read again.';
const lessWriting =
  'Look for verbose logs, backups, and caches or sessions on disk that are rewritten with each request.';

const topics: Readonly<Partial<Record<LimitKey, Topic>>> = {
  'cpu.limit': {
    noun: 'CPU',
    resource: 'cpu',
    effect: {
      throttled:
        'Each time, its programs waited for the rest of a tenth of a second. Pages and scripts took longer; nothing failed.',
    },
    advice:
      'Look first at what used the most: a script stuck in a loop, a page that could be cached, a crawler that sends too many requests, a job that could run at night.',
  },
  'memory.limit': {
    noun: 'memory',
    resource: 'memory',
    effect: {
      throttled:
        'Its programs had to wait while the kernel reclaimed memory. Pages and scripts took longer; nothing was killed.',
      killed:
        'At the limit the kernel killed a process to free memory. Visitors may have seen an error from the web server, and a job that was running may be incomplete.',
    },
    advice:
      'Otherwise limit how many processes run at once (pm.max_children of php-fpm, the workers of the application), or how much memory each may use.',
  },
  'processes.limit': {
    noun: 'process',
    resource: 'processes',
    effect: {
      refused:
        'New processes and threads could not be started: visitors may have seen an error from the web server, and shells print "Resource temporarily unavailable". Processes that were running continued.',
    },
    advice:
      'Look for jobs that pile up because each starts before the previous one has finished, and for workers that never exit.',
  },
  'io.read': disk('disk reading', 'read', lessReading),
  'io.reads': disk('disk reading', 'read', lessReading),
  'io.write': disk('disk writing', 'write', lessWriting),
  'io.writes': disk('disk writing', 'write', lessWriting),
  'io.total': disk('disk', 'disk', lessReading),
  'io.operations': disk('disk', 'disk', lessReading),
};

/** For limits without a row above. */
const otherTopic = (limit: LimitKey): Topic => ({
  noun: limit.replace('.limit', '').replace('.', ' '),
  resource: 'other',
  effect: {
    throttled: 'Its programs took longer; nothing failed.',
    refused: 'A request to the kernel was refused, which its programs see as an error.',
    killed: 'One of its processes was killed.',
  },
  advice: '',
});

function whatHappened(
  incident: Incident,
  who: Speaker,
  topic: Topic,
  options: ExplainOptions,
): string {
  const { limit, value, from, inferred } = incident;
  const { reader = 'administrator' } = options;
  const place = from === '' || reader !== 'administrator' ? '' : `, set in ${cut(from, 200)}`;
  const facts = `because ${who.plural ? 'they' : 'it'} reached ${who.possessive} ${topic.noun} limit of ${cut(value, 64)} (${limit}${place})`;
  const sentence = `${who.opening} ${happened(incident, who.plural)} ${when(incident, options)}, ${facts}.`;
  return inferred ? `${sentence} ${inference}` : sentence;
}

const inference = 'The kernel does not count this: it is inferred from usage at the limit.';

/** An incident in which a process was killed has been throttled before; its faults are of both kinds. */
function happened({ limit, severity, faults }: Incident, plural: boolean): string {
  const be = plural ? 'were' : 'was';
  if (severity === 'throttled') return `${be} throttled ${times(faults)}`;
  if (severity === 'killed')
    return limit === 'memory.limit' ? 'ran out of memory' : `had processes killed`;
  // A process that was started before it was placed was not refused, but exceeds the limit.
  if (limit === 'processes.limit') return `had too many processes ${times(faults)}`;
  return `${be} refused a request ${times(faults)}`;
}

function noticed({ severity, faults, limit }: Incident, { effect }: Topic): string {
  const text = effect[severity] ?? otherTopic(limit).effect[severity] ?? '';
  if (severity !== 'killed') return text;
  return `${text} In total, it hit the limit or had a process killed ${times(faults)}.`;
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
    // One per zone that is asked for; a host has one.
    if (formats.size < 16) formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(at).map((each) => [each.type, each.value]));
  return {
    day: `${parts['day']} ${parts['month']} ${parts['year']}`,
    time: `${parts['hour']}:${parts['minute']}`,
  };
}

/** All processes of one program, or of one command line. */
interface Group {
  readonly title: string;
  processes: number;
  threads: number;
  /** Of the resource, in seconds, bytes, or threads. */
  amount: number;
  largest: number;
  youngestSeconds: number;
}

/** The maximum number named. */
const groupsMax = 3;

/** The heaviest users of a resource, heaviest first. */
function topUsers(
  resource: Resource,
  evidence: readonly Snapshot[],
  showCommands: boolean,
): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const [process, amount] of amounts(resource, evidence)) {
    const title = showCommands ? cut(process.command, 120) : cut(process.name, 32);
    const group = groups.get(title) ?? emptyGroup(title);
    groups.set(title, group);
    group.processes++;
    group.threads += process.threads;
    group.amount += amount;
    group.largest = Math.max(group.largest, amount);
    group.youngestSeconds = Math.min(group.youngestSeconds, process.ageSeconds ?? Infinity);
  }
  return [...groups.values()]
    .filter((each) => each.amount > 0)
    .sort((a, b) => b.amount - a.amount)
    .slice(0, groupsMax);
}

const emptyGroup = (title: string): Group => ({
  title,
  processes: 0,
  threads: 0,
  amount: 0,
  largest: 0,
  youngestSeconds: Infinity,
});

type Measure = (process: ProcessEvidence) => number | undefined;

const growing: Readonly<Partial<Record<Resource, Measure>>> = {
  cpu: ({ cpuSeconds }) => cpuSeconds,
  read: ({ readBytes }) => readBytes,
  write: ({ writeBytes }) => writeBytes,
  disk: ({ readBytes, writeBytes }) =>
    readBytes === undefined || writeBytes === undefined ? undefined : readBytes + writeBytes,
};

function amounts(resource: Resource, evidence: readonly Snapshot[]): Amounts {
  const grown = growing[resource];
  if (grown !== undefined) return growth(evidence, grown);
  if (resource === 'memory') return holdings(fullest(evidence, memoryOf), (one) => one.memoryBytes);
  if (resource !== 'processes') return [];
  return holdings(fullest(evidence, threadsOf), (each) => each.threads);
}

const holdings = (
  snapshot: Snapshot | undefined,
  measure: (process: ProcessEvidence) => number,
): Amounts => (snapshot?.processes ?? []).map((each) => [each, measure(each)] as const);

const memoryOf = ({ usage }: Snapshot) => usage.memory - usage.cache;
const threadsOf = ({ usage, processCount }: Snapshot) => Math.max(usage.threads, processCount);

function fullest(
  evidence: readonly Snapshot[],
  measure: (snapshot: Snapshot) => number,
): Snapshot | undefined {
  return evidence.reduce<Snapshot | undefined>(
    (max, each) => (max === undefined || measure(each) > measure(max) ? each : max),
    undefined,
  );
}

const amountTexts: Readonly<Record<Resource, (group: Group) => string>> = {
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
  groups: readonly Group[],
  { resource }: Topic,
  evidence: readonly Snapshot[],
): string {
  if (resource === 'other') return '';
  if (evidence.length === 0) return 'The processes running at the time were not recorded.';
  if (groups.length === 0) {
    return 'None of the recorded processes stands out; those that used the most had exited before they could be inspected.';
  }
  const list = groups.map((group) => {
    const facts = [amountTexts[resource](group), processCount(group.processes)];
    return `${group.title} (${facts.filter((each) => each !== '').join(', ')})`;
  });
  return `${leadIn(resource, evidence)}: ${list.join('; ')}.`;
}

const processCount = (number: number) => count(number, 'process', 'processes');

function leadIn(resource: Resource, evidence: readonly Snapshot[]): string {
  if (resource === 'memory') return 'Most memory was used by';
  if (resource === 'processes') return 'Running at the peak';
  return evidence.length === 1
    ? 'The heaviest users since they were started'
    : `The heaviest users, according to ${evidence.length} snapshots`;
}

const killedMax = 5;

function whoWasKilled({ severity }: Incident, evidence: readonly Snapshot[]): string {
  if (severity !== 'killed') return '';
  const known = new Map<number, KilledProcess>();
  for (const { killed = [] } of evidence) for (const each of killed) known.set(each.pid, each);
  if (known.size === 0)
    return 'It is unknown which process was killed; the kernel log may have it.';
  const all = [...known.values()];
  const named = all.map(({ name, pid }) => `${cut(name, 32)} (process ${pid})`);
  return `The kernel killed ${listSome(named, killedMax)}.`;
}

function cacheInIt({ limit }: Incident, evidence: readonly Snapshot[]): string {
  const max = fullest(evidence, ({ usage }) => usage.memory);
  if (limit !== 'memory.limit' || max === undefined || !(max.usage.memory > 0)) return '';
  const { memory, cache } = max.usage;
  if (cache < memory / 10) {
    return `Hardly any of the ${shortBytes(memory)} in use was page cache: the programs themselves needed the memory.`;
  }
  return `Of the ${shortBytes(memory)} in use, ${shortBytes(cache)} was page cache, which the kernel reclaims before it kills anything.`;
}

/** Evidence recorded by an older version has no peaks. */
function aboveIt({ limit, value }: Incident, evidence: readonly Snapshot[]): string {
  if (limit !== 'processes.limit') return '';
  const parsed = quantityKinds[limitAttribute(limit).kind].parse(value);
  const max = Math.max(0, ...evidence.map((each) => each.usage.threadsPeak || threadsOf(each)));
  if (!parsed.ok || max <= parsed.value) return '';
  return `There were ${max} processes and threads at once, more than the limit: processes started before they were moved into the cgroup count but were not refused, and no more can be started until there are fewer.`;
}

function whatToDo(
  incident: Incident,
  who: Speaker,
  topic: Topic,
  groups: readonly Group[],
  { reader = 'administrator' }: ExplainOptions,
): string {
  const parts = [suspicion(topic.resource, groups), topic.advice, raise(incident, who, reader)];
  return parts.filter((each) => each !== '').join(' ');
}

/** A hint from the processes themselves. */
function suspicion(resource: Resource, groups: readonly Group[]): string {
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
  const higher = higherValue(limitAttribute(limit).kind, value);
  if (higher === undefined) return '';
  if (reader !== 'administrator') {
    return `If it needs more, ask the administrator of this server for a higher limit, for example ${higher}.`;
  }
  const verb = isReseller(member) ? 'reseller set' : 'set';
  const shown = higher.includes(' ') ? `"${higher}"` : higher;
  return `If it needs more, raise the limit: bulkhead ${verb} ${argument} ${limit.replace(/\.limit$/, '')}=${shown}`;
}

/** One and a half times the limit, rounded up to a value that a person would write. */
function higherValue(kind: QuantityKind, text: string): string | undefined {
  const parsed = quantityKinds[kind].parse(text);
  if (!parsed.ok || parsed.value <= 0) return undefined;
  const wanted = parsed.value * 1.5;
  const step = stepOf(kind, wanted);
  const higher = Math.ceil(wanted / step - 1e-9) * step;
  return quantityKinds[kind].print(kind === 'cpu' ? Number(higher.toFixed(6)) : higher);
}

function stepOf(kind: QuantityKind, value: number): number {
  if (kind === 'cpu') return value > 1 ? 0.1 : 0.01;
  if (kind !== 'bytes' && kind !== 'bytesPerSecond') return value > 100 ? 10 : 1;
  return [2 ** 30, 2 ** 28, 2 ** 20, 2 ** 10].find((step) => value >= 8 * step) ?? 1;
}

function cut(text: string, max: number): string {
  const safe = printable(text.slice(0, max));
  return text.length > max ? `${safe}…` : safe;
}
