/**
 * The page that Prometheus reads: its text format 0.0.4, or OpenMetrics 1.0 for who asks for that.
 *
 *     # HELP bulkhead_tenant_cpu_seconds_total CPU time used.
 *     # TYPE bulkhead_tenant_cpu_seconds_total counter
 *     bulkhead_tenant_cpu_seconds_total{tenant="alice",uid="1001",package="basic"} 12.5
 *
 * Pure text, no client library: that holds an object a sample, and a page has tens of thousands.
 *
 * Invariants: each family has its HELP and TYPE once and its samples together; a family without
 * samples is left out; base units (seconds, bytes, cores); nobody's name can end a line or a label.
 * At most `tenantsMax` tenants have samples of their own, the largest users first; the others are
 * added up as `tenant="other"`, and resellers likewise.
 *
 * Families derive from two tables: `counterFamilies`, one row a counter, and the table of limits.
 */
import type { Counters, LimitKey, Severity } from '../../limits/limit.ts';
import { attributes, limits, noCounters, type KeyedAttribute } from '../../limits/limits.ts';
import type { QuantityKind } from '../../base/quantity.ts';
import type { Member } from '../../usage/member.ts';
import type { LimitNumbers, StatusResponse, Who } from '../api/api.ts';

export interface ExposedMember {
  readonly who: Who;
  /** As last read: sums since the cgroup was made. */
  readonly counters: Readonly<Counters>;
  readonly limits: LimitNumbers;
}

/** Faults since the agent started, or since they are remembered. */
export type FaultTotals = Readonly<
  Partial<Record<LimitKey, Readonly<Partial<Record<Severity, number>>>>>
>;

export interface Exposed {
  readonly members: ReadonlyMap<Member, ExposedMember>;
  readonly faults: ReadonlyMap<Member, FaultTotals>;
  readonly status: StatusResponse;
}

export type ExpositionFormat = 'text' | 'openmetrics';

export interface ExpositionOptions {
  readonly format?: ExpositionFormat;
  readonly tenantsMax?: number;
}

export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** OpenMetrics only for who prefers it, as Prometheus does: the first type that it lists. */
export function formatFor(accept: string | undefined): ExpositionFormat {
  const first = accept?.slice(0, 1024).split(',').map(parseRange).sort(byPreference)[0];
  return first?.type === 'application/openmetrics-text' ? 'openmetrics' : 'text';
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((each) => each.startsWith('q='))?.slice(2);
  return { type, quality: quality === undefined ? 1 : Number(quality) || 0 };
}

const byPreference = (a: MediaRange, b: MediaRange) => b.quality - a.quality;

interface Family {
  /** Without the prefix that says whose it is. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
}

interface CounterFamily extends Family {
  /** From the counter's unit to the base unit. */
  readonly scale: number;
  /** Sets apart the counters that share a family. */
  readonly label?: string;
  /** Only cgroup v2 counts it; a zero would say that nothing waited. */
  readonly onlyCgroup2?: boolean;
}

const counter = (name: string, help: string): CounterFamily => ({
  name: `${name}_total`,
  type: 'counter',
  help,
  scale: 1,
});
const gauge = (name: string, help: string): CounterFamily => ({
  name,
  type: 'gauge',
  help,
  scale: 1,
});
const seconds = (name: string, help: string): CounterFamily => ({
  ...counter(`${name}_seconds`, help),
  scale: 1e-6,
});
const waiting = (resource: string): CounterFamily => ({
  ...seconds('pressure_waiting', 'Time in which at least one thread waited for the resource.'),
  label: `resource="${resource}"`,
  onlyCgroup2: true,
});

const counterFamilies: Readonly<Record<keyof Counters, CounterFamily>> = {
  cpuMicroseconds: seconds('cpu', 'CPU time used.'),
  throttledPeriods: counter(
    'cpu_throttled_periods',
    'Tenths of a second in which it was stopped at its CPU limit.',
  ),
  throttledMicroseconds: seconds(
    'cpu_throttled',
    'Time that it stood still at its CPU limit, added up over the cores.',
  ),
  memoryBytes: gauge('memory_bytes', 'Memory in use, page cache included, as the limit counts it.'),
  memoryPeakBytes: gauge(
    'memory_peak_bytes',
    'The most memory in use at once within the last tick, page cache included.',
  ),
  cacheBytes: gauge(
    'memory_cache_bytes',
    'Page cache within the memory, most of which the kernel takes back when needed.',
  ),
  memoryHits: counter('memory_limit_hits', 'Allocations that ran into the memory limit.'),
  oomKills: counter('oom_kills', 'Processes that the kernel ended for want of memory.'),
  readBytes: counter('io_read_bytes', 'Bytes read from disks.'),
  writeBytes: counter('io_written_bytes', 'Bytes written to disks.'),
  reads: counter('io_reads', 'Read operations on disks.'),
  writes: counter('io_writes', 'Write operations on disks.'),
  processes: gauge('processes', 'Processes.'),
  threads: gauge('threads', 'Processes and their threads, as the limit counts them.'),
  threadsPeak: gauge(
    'threads_peak',
    'The most processes and threads at once within the last tick.',
  ),
  forksRefused: counter('forks_refused', 'Processes and threads that could not be started.'),
  cpuPressureMicroseconds: waiting('cpu'),
  memoryPressureMicroseconds: waiting('memory'),
  ioPressureMicroseconds: waiting('io'),
};
const counterRows = Object.entries(counterFamilies) as [keyof Counters, CounterFamily][];

const unitSuffixes: Readonly<Record<QuantityKind, string>> = {
  cpu: '_cores',
  weight: '',
  bytes: '_bytes',
  bytesPerSecond: '_bytes_per_second',
  perSecond: '_per_second',
  count: '',
};

/** `memory.limit` → `limit_memory_bytes`, `io.reads` → `limit_io_reads_per_second`. */
function limitFamily({ key, kind, summary }: KeyedAttribute): Family {
  const stem = key.replace(/\.limit$/, '').replace('.', '_');
  return { name: `limit_${stem}${unitSuffixes[kind]}`, type: 'gauge', help: summary };
}
const limitRows = [...attributes.values()].map((each) => [each.key, limitFamily(each)] as const);

/** Every limit and severity that can strike, so that a counter starts at zero and not at its first fault. */
const faultRows: readonly (readonly [LimitKey, Severity, string])[] = [
  ...new Map(
    limits.flatMap((limit) =>
      limit.faults.map(({ attribute, severity }) => {
        const key: LimitKey = `${limit.name}.${attribute}`;
        const labels = `limit="${key}",severity="${severity}"`;
        return [labels, [key, severity, labels] as const] as const;
      }),
    ),
  ).values(),
];
const faultFamily: Family = {
  name: 'faults_total',
  type: 'counter',
  help: 'Times that a limit was hit, by limit and by what was noticed of it.',
};

/** The page, in pieces of some `chunkCharacters`. */
export function* exposition(
  { members, faults, status }: Exposed,
  { format = 'text', tenantsMax = 2000 }: ExpositionOptions = {},
): Generator<string, void, undefined> {
  const page = new Page(format);
  const cgroup2 = status.driver !== 'cgroup1';
  const folded = { tenant: 0, reseller: 0 };
  for (const kind of ['tenant', 'reseller'] as const) {
    const rows = shownOf(members, faults, kind, tenantsMax);
    folded[kind] = rows.folded;
    yield* counterSamples(page, kind, rows, cgroup2);
    yield* limitSamples(page, kind, rows);
    yield* faultSamples(page, kind, rows);
  }
  agentSamples(page, status, folded);
  if (format === 'openmetrics') page.text += '# EOF\n';
  yield page.take();
}

const chunkCharacters = 64 * 1024;

/** The text as it grows. */
class Page {
  text = '';
  readonly #format: ExpositionFormat;

  constructor(format: ExpositionFormat) {
    this.#format = format;
  }

  get full(): boolean {
    return this.text.length >= chunkCharacters;
  }

  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  head(name: string, type: Family['type'], help: string): void {
    // OpenMetrics names a counter's family without the suffix of its samples.
    const family = this.#format === 'openmetrics' ? name.replace(/_total$/, '') : name;
    this.text += `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n`;
  }

  /** A family of one sample. */
  single(
    name: string,
    type: Family['type'],
    help: string,
    value: number | undefined,
    labels = '',
  ): void {
    if (value === undefined) return;
    this.head(name, type, help);
    this.text += labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`;
  }

  /** One of several states of the agent: 1 for that which holds. */
  states(what: string, help: string, states: readonly string[], now: string): void {
    const name = `bulkhead_agent_${what}`;
    this.head(name, 'gauge', help);
    for (const state of states) this.text += `${name}{state="${state}"} ${Number(state === now)}\n`;
  }
}

interface Shown {
  /** Labels without their braces. */
  readonly labels: readonly string[];
  readonly counters: readonly Readonly<Counters>[];
  /** Undefined for the sum: of limits there is none. */
  readonly limits: readonly (LimitNumbers | undefined)[];
  readonly faults: readonly (FaultTotals | undefined)[];
  readonly folded: number;
}

type Kind = Who['kind'];

function shownOf(
  members: ReadonlyMap<Member, ExposedMember>,
  faults: ReadonlyMap<Member, FaultTotals>,
  kind: Kind,
  max: number,
): Shown {
  const all = [...members.values()].filter(({ who }) => who.kind === kind);
  const [shown, rest] = all.length > max ? largestFirst(all, max) : [all, []];
  const labels = shown.map(({ who }) => labelsOf(who));
  const counters = shown.map((each) => each.counters);
  const limits: (LimitNumbers | undefined)[] = shown.map((each) => each.limits);
  const totals = shown.map(({ who }) => faults.get(who.member));
  if (rest.length > 0) {
    labels.push(`${kind}="other"`);
    counters.push(sumOf(rest));
    limits.push(undefined);
    totals.push(sumOfFaults(rest.map(({ who }) => faults.get(who.member))));
  }
  return { labels, counters, limits, faults: totals, folded: rest.length };
}

/**
 * Largest by its shares of what all have used together: of sums since the cgroup was made, mostly,
 * so that who is shown seldom changes.
 */
function largestFirst(
  all: readonly ExposedMember[],
  max: number,
): [readonly ExposedMember[], readonly ExposedMember[]] {
  const { cpuMicroseconds, memoryBytes, readBytes, writeBytes } = sumOf(all);
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  const scores = new Map(
    all.map((each) => [
      each,
      share(each.counters.cpuMicroseconds, cpuMicroseconds) +
        share(each.counters.memoryBytes, memoryBytes) +
        share(each.counters.readBytes + each.counters.writeBytes, readBytes + writeBytes),
    ]),
  );
  const sorted = all.toSorted(
    (a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0) || a.who.uid - b.who.uid,
  );
  return [sorted.slice(0, max), sorted.slice(max)];
}

function sumOf(all: readonly ExposedMember[]): Counters {
  const sum = { ...noCounters };
  for (const { counters } of all) for (const [key] of counterRows) sum[key] += counters[key];
  return sum;
}

function sumOfFaults(all: readonly (FaultTotals | undefined)[]): FaultTotals {
  const sum: Partial<Record<LimitKey, Partial<Record<Severity, number>>>> = {};
  for (const [key, severity] of faultRows) {
    const count = all.reduce((total, each) => total + (each?.[key]?.[severity] ?? 0), 0);
    (sum[key] ??= {})[severity] = count;
  }
  return sum;
}

function labelsOf({ kind, name, uid, reseller, package: plan }: Who): string {
  const above = reseller === undefined ? '' : `,reseller="${labelValue(reseller)}"`;
  const inside = plan === undefined ? '' : `,package="${labelValue(plan)}"`;
  return `${kind}="${labelValue(name)}",uid="${uid}"${above}${inside}`;
}

/** The format escapes these three; a lone carriage return would confuse who reads the page by eye. */
function labelValue(text: string): string {
  return text.replace(/[\\"\n\r]/g, (char) => escapes[char] ?? '');
}
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '',
};

function* counterSamples(page: Page, kind: Kind, rows: Shown, cgroup2: boolean) {
  if (rows.labels.length === 0) return;
  let before = '';
  for (const [key, family] of counterRows) {
    if (family.onlyCgroup2 === true && !cgroup2) continue;
    const name = `bulkhead_${kind}_${family.name}`;
    if (name !== before) page.head(name, family.type, family.help);
    before = name;
    const label = family.label === undefined ? '} ' : `,${family.label}} `;
    for (const [index, labels] of rows.labels.entries()) {
      const value = (rows.counters[index] ?? noCounters)[key];
      page.text += `${name}{${labels}${label}${scaled(value, family.scale)}\n`;
      if (page.full) yield page.take();
    }
  }
}

/** Microseconds are whole, so division prints as few digits as are exact. */
const scaled = (value: number, scale: number) => (scale === 1 ? value : Math.round(value) / 1e6);

function* limitSamples(page: Page, kind: Kind, rows: Shown) {
  for (const [key, family] of limitRows) {
    const name = `bulkhead_${kind}_${family.name}`;
    let headed = false;
    for (const [index, labels] of rows.labels.entries()) {
      const value = rows.limits[index]?.[key];
      if (value === undefined) continue;
      if (!headed) page.head(name, family.type, family.help);
      headed = true;
      page.text += `${name}{${labels}} ${value}\n`;
      if (page.full) yield page.take();
    }
  }
}

function* faultSamples(page: Page, kind: Kind, rows: Shown) {
  const name = `bulkhead_${kind}_${faultFamily.name}`;
  let headed = false;
  for (const [key, severity, label] of faultRows) {
    for (const [index, labels] of rows.labels.entries()) {
      const known = rows.faults[index]?.[key]?.[severity];
      // What is not limited cannot strike; it has no zero.
      if (known === undefined && rows.limits[index]?.[key] === undefined) continue;
      if (!headed) page.head(name, faultFamily.type, faultFamily.help);
      headed = true;
      page.text += `${name}{${labels},${label}} ${known ?? 0}\n`;
      if (page.full) yield page.take();
    }
  }
}

interface AgentRow extends Family {
  readonly value: (status: StatusResponse) => number | undefined;
}

const agentGauge = (name: string, help: string, value: AgentRow['value']): AgentRow => ({
  name: `bulkhead_agent_${name}`,
  type: 'gauge',
  help,
  value,
});
const agentCounter = (name: string, help: string, value: AgentRow['value']): AgentRow => ({
  ...agentGauge(`${name}_total`, help, value),
  type: 'counter',
});
const inSeconds = (milliseconds: number | undefined) =>
  milliseconds === undefined ? undefined : milliseconds / 1000;

const outside = 'Processes of tenants outside their cgroups, at the last look at all.';
const agentRows: readonly AgentRow[] = [
  agentGauge('start_time_seconds', 'When the agent started.', (s) => s.startedAt / 1000),
  agentGauge('resident_memory_bytes', 'Memory of the agent.', (s) => s.memoryBytes),
  agentGauge('tenants', 'Tenants of the policy.', (s) => s.tenants),
  agentGauge('resellers', 'Resellers of the policy.', (s) => s.resellers),
  agentGauge('policy_since_seconds', 'Since when policy_state is so.', (s) =>
    inSeconds(s.policy.since),
  ),
  agentGauge('policy_problems', 'Problems of the policy file.', (s) => s.policy.problems.length),
  agentCounter('ticks', 'Looks at all tenants.', (s) => s.tick.ticks),
  agentCounter('faults', 'Times that any limit was hit.', (s) => s.tick.faults),
  agentGauge('tick_interval_seconds', 'Between two looks.', (s) => s.tick.intervalSeconds),
  agentGauge('tick_duration_seconds', 'What the last look took.', (s) => s.tick.tookSeconds),
  agentGauge('tick_time_seconds', 'When the last look ended.', (s) => inSeconds(s.tick.at)),
  agentCounter('placement_events', 'Reports of the kernel.', (s) => s.placement.events),
  agentCounter('placed', 'Processes moved to their tenant.', (s) => s.placement.placed),
  agentCounter('placement_overruns', 'Losses of reports.', (s) => s.placement.overruns),
  agentCounter('placement_restarts', 'New starts of placement.', (s) => s.placement.restarts),
  agentGauge('processes_outside', outside, ({ placement }) =>
    placement.outside.length === 0 && placement.unknown.length > 0
      ? undefined
      : placement.outside.length,
  ),
  agentGauge('processes_outside_unknown', 'Whether there may be more outside.', (s) =>
    Number(s.placement.unknown.length > 0),
  ),
  agentGauge('processes_looked_at_seconds', 'When all processes were looked at last.', (s) =>
    inSeconds(s.placement.scannedAt),
  ),
  agentGauge('history_on', 'Whether history is kept.', (s) => Number(s.history.state === 'on')),
  agentGauge('history_bytes', 'Space that the history takes.', (s) => s.history.bytes),
  agentGauge('history_oldest_seconds', 'When the history begins.', (s) =>
    inSeconds(s.history.oldest),
  ),
];

const policyStates = [
  'in force',
  'refused',
  'failed',
  'absent',
] as const satisfies readonly StatusResponse['policy']['state'][];
const placementStates = [
  'on',
  'starting',
  'off',
] as const satisfies readonly StatusResponse['placement']['state'][];

function agentSamples(page: Page, status: StatusResponse, folded: Record<Kind, number>): void {
  const { version, instance, driver } = status;
  const build = `version="${labelValue(version)}",driver="${labelValue(driver)}",tree="${labelValue(instance)}"`;
  page.single('bulkhead_build_info', 'gauge', 'Version, driver and tree; always 1.', 1, build);
  for (const { name, type, help, value } of agentRows) {
    page.single(name, type, help, value(status));
  }
  for (const kind of ['tenant', 'reseller'] as const) {
    const help = 'Members that have no samples of their own and are added up.';
    page.single(`bulkhead_agent_${kind}s_folded`, 'gauge', help, folded[kind]);
  }
  page.states('policy_state', 'What became of the policy file.', policyStates, status.policy.state);
  const placed = 'Whether processes are placed when their uid changes.';
  page.states('placement_state', placed, placementStates, status.placement.state);
}
