/**
 * The metrics page for Prometheus: text format 0.0.4, or OpenMetrics 1.0 if the client prefers it.
 *
 *     # HELP bulkhead_tenant_cpu_seconds_total CPU time used.
 *     # TYPE bulkhead_tenant_cpu_seconds_total counter
 *     bulkhead_tenant_cpu_seconds_total{tenant="alice",uid="1001",package="basic"} 12.5
 *
 * Pure text, no client library: one would hold an object per sample, and a page has tens of thousands.
 *
 * Invariants: each family has its HELP and TYPE once and its samples together; a family without
 * samples is left out; base units (seconds, bytes, cores); no name can break out of a label or a line.
 * At most `tenantsMax` tenants have samples of their own, the heaviest users first; the others are
 * aggregated as `tenant="other"`, and resellers and sites likewise.
 *
 * Families are derived from two tables: `counterFamilies`, one row per counter, and the table of limits.
 */
import type { Counters, LimitKey, Severity } from '../../limits/limit.ts';
import { noCounters } from '../../limits/limits.ts';
import type { DiskUsage } from '../../host/disks/quotas.ts';
import type { HostFigures } from '../../host/host-figures.ts';
import type { Member } from '../../usage/member.ts';
import type { LimitNumbers, Who } from '../api/api.ts';
import type { MailCount } from '../api/usage-api.ts';
import type { FleetResponse } from '../api/fleet-api.ts';
import type { StatusResponse } from '../api/status-response.ts';
import type { DatabaseUse, NetworkUse, Protection } from '../part.ts';
import { agentSamples } from './agent-families.ts';
import type { ExpositionFormat } from './content-type.ts';
import { fleetSamples } from './fleet-families.ts';
import { hostSamples } from './host-families.ts';
import {
  counterRows,
  databaseFamilies,
  diskFamilies,
  faultFamily,
  faultRows,
  limitRows,
  mailFamily,
  mailResults,
  networkFamilies,
  webFamilies,
  type WebFigures,
} from './member-families.ts';
import { labelValue, Page, type Family } from './page.ts';
import { protectionSamples } from './protection-families.ts';

export interface ExposedMember {
  readonly who: Who;
  /** The counters as last read: totals since the cgroup was created; absent if it has no cgroup. */
  readonly counters?: Readonly<Counters>;
  readonly limits: LimitNumbers;
  /** The limits that are only observed; absent if limits are enforced. */
  readonly observed?: LimitNumbers;
  /** The count of mail; absent if it is not known: a zero would mean that there is none. */
  readonly mail?: MailCount;
  /** The disk usage; absent if it is not known. */
  readonly disk?: DiskUsage;
  /** The use of database servers; absent if none is asked. */
  readonly database?: DatabaseUse;
  /** The use of the network; absent if it is not counted. */
  readonly network?: NetworkUse;
  /** The bytes that web servers sent; absent if they are not known. */
  readonly sentByWeb?: WebFigures;
}

/** Faults since the agent started. */
export type FaultTotals = Readonly<
  Partial<Record<LimitKey, Readonly<Partial<Record<Severity, number>>>>>
>;

export interface Exposed {
  readonly members: ReadonlyMap<Member, ExposedMember>;
  readonly faults: ReadonlyMap<Member, FaultTotals>;
  readonly status: StatusResponse;
  readonly protections: readonly Protection[];
  /** Absent if no part keeps the host in a fleet. */
  readonly fleet?: FleetResponse | undefined;
  readonly host: HostFigures;
}

export interface ExpositionOptions {
  readonly format?: ExpositionFormat;
  readonly tenantsMax?: number;
}

/** Returns the page, in chunks of about `chunkCharacters`. */
export function* exposition(
  { members, faults, status, protections, fleet, host }: Exposed,
  { format = 'text', tenantsMax = 2000 }: ExpositionOptions = {},
): Generator<string, void, undefined> {
  const page = new Page(format);
  const cgroup2 = status.driver !== 'cgroup1';
  const aggregated = { tenant: 0, reseller: 0, site: 0 };
  for (const kind of ['tenant', 'reseller', 'site'] as const) {
    const rows = shownOf(members, faults, kind, tenantsMax);
    aggregated[kind] = rows.aggregated;
    yield* counterSamples(page, kind, rows, cgroup2);
    yield* limitSamples(page, kind, rows);
    yield* faultSamples(page, kind, rows);
    yield* mailSamples(page, kind, rows);
    yield* valueSamples(page, kind, rows, diskFamilies, rows.disk);
    yield* valueSamples(page, kind, rows, databaseFamilies, rows.database);
    yield* valueSamples(page, kind, rows, networkFamilies, rows.network);
    yield* valueSamples(page, kind, rows, webFamilies, rows.sentByWeb);
  }
  agentSamples(page, status, aggregated);
  protectionSamples(page, protections);
  fleetSamples(page, fleet);
  hostSamples(page, host);
  if (format === 'openmetrics') page.text += '# EOF\n';
  yield page.take();
}

interface Shown {
  /** Labels without their braces. */
  readonly labels: readonly string[];
  readonly counters: readonly (Readonly<Counters> | undefined)[];
  /** The limits; undefined for the aggregate, which has none. */
  readonly limits: readonly (LimitNumbers | undefined)[];
  /** The limits that are only observed. */
  readonly observed: readonly (LimitNumbers | undefined)[];
  readonly faults: readonly (FaultTotals | undefined)[];
  readonly mail: readonly (MailCount | undefined)[];
  /** The disk usage; the aggregate has none. */
  readonly disk: readonly (DiskUsage | undefined)[];
  /** The use of database servers; the aggregate has none. */
  readonly database: readonly (DatabaseUse | undefined)[];
  /** The use of the network; the aggregate has none. */
  readonly network: readonly (NetworkUse | undefined)[];
  /** The bytes that web servers sent; the aggregate has none. */
  readonly sentByWeb: readonly (WebFigures | undefined)[];
  readonly aggregated: number;
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
  const counters: (Readonly<Counters> | undefined)[] = shown.map((each) => each.counters);
  const limits: (LimitNumbers | undefined)[] = shown.map((each) => each.limits);
  const totals = shown.map(({ who }) => faults.get(who.member));
  const mail = shown.map((each) => each.mail);
  if (rest.length > 0) {
    labels.push(`${kind}="other"`);
    counters.push(rest.some((each) => each.counters !== undefined) ? sumOf(rest) : undefined);
    limits.push(undefined);
    totals.push(sumOfFaults(rest.map(({ who }) => faults.get(who.member))));
    mail.push(sumOfMail(rest.flatMap((each) => each.mail ?? [])));
  }
  const observed = shown.map((each) => each.observed);
  const disk = shown.map((each) => each.disk);
  const database = shown.map((each) => each.database);
  const network = shown.map((each) => each.network);
  const sentByWeb = shown.map((each) => each.sentByWeb);
  return {
    labels,
    counters,
    limits,
    observed,
    faults: totals,
    mail,
    disk,
    database,
    network,
    sentByWeb,
    aggregated: rest.length,
  };
}

/**
 * Orders members by their share of what all have used together, mostly of totals since the cgroup was created, so that
 * the selection seldom changes.
 */
function largestFirst(
  all: readonly ExposedMember[],
  max: number,
): [readonly ExposedMember[], readonly ExposedMember[]] {
  const { cpuMicroseconds, memoryBytes, readBytes, writeBytes } = sumOf(all);
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  const scores = new Map(
    all.map((each) => {
      const own = each.counters ?? noCounters;
      const score =
        share(own.cpuMicroseconds, cpuMicroseconds) +
        share(own.memoryBytes, memoryBytes) +
        share(own.readBytes + own.writeBytes, readBytes + writeBytes);
      return [each, score];
    }),
  );
  const sorted = all.toSorted(
    (a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0) || a.who.uid - b.who.uid,
  );
  return [sorted.slice(0, max), sorted.slice(max)];
}

function sumOf(all: readonly ExposedMember[]): Counters {
  const sum = { ...noCounters };
  for (const { counters } of all) for (const [key] of counterRows) sum[key] += counters?.[key] ?? 0;
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

function sumOfMail(all: readonly MailCount[]): MailCount | undefined {
  if (all.length === 0) return undefined;
  const accepted = all.reduce((total, each) => total + each.accepted, 0);
  const known = all.flatMap(({ refused }) => refused ?? []);
  const refused = known.reduce((total, each) => total + each, 0);
  return { accepted, ...(known.length === 0 ? {} : { refused }) };
}

function labelsOf({ kind, name, uid, reseller, site, tenant, package: plan }: Who): string {
  const above = reseller === undefined ? '' : `,reseller="${labelValue(reseller)}"`;
  const inside = plan === undefined ? '' : `,package="${labelValue(plan)}"`;
  const own =
    site === undefined || tenant === undefined
      ? `${kind}="${labelValue(name)}"`
      : `site="${labelValue(site)}",tenant="${labelValue(tenant)}"`;
  return `${own},uid="${uid}"${above}${inside}`;
}

function* counterSamples(page: Page, kind: Kind, rows: Shown, cgroup2: boolean) {
  if (rows.labels.length === 0) return;
  let before = '';
  for (const [key, family] of counterRows) {
    if (family.onlyCgroup2 === true && !cgroup2) continue;
    const name = `bulkhead_${kind}_${family.name}`;
    const label = family.label === undefined ? '} ' : `,${family.label}} `;
    for (const [index, labels] of rows.labels.entries()) {
      const value = rows.counters[index]?.[key];
      if (value === undefined) continue;
      if (name !== before) page.head(name, family.type, family.help);
      before = name;
      page.text += `${name}{${labels}${label}${scaled(value, family.scale)}\n`;
      if (page.full) yield page.take();
    }
  }
}

/** Scales a value. Microseconds are whole numbers, so the quotient prints with as few digits as are exact. */
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
      page.text += `${name}{${labels}} ${value / family.perUnit}\n`;
      if (page.full) yield page.take();
    }
  }
}

function* faultSamples(page: Page, kind: Kind, rows: Shown) {
  const name = `bulkhead_${kind}_${faultFamily.name}`;
  let headed = false;
  for (const [key, severity, label] of faultRows) {
    const given = severity === 'observed' ? rows.observed : rows.limits;
    for (const [index, labels] of rows.labels.entries()) {
      const known = rows.faults[index]?.[key]?.[severity];
      // A limit that is not set cannot be hit, so it has no zero.
      if (known === undefined && given[index]?.[key] === undefined) continue;
      if (!headed) page.head(name, faultFamily.type, faultFamily.help);
      headed = true;
      page.text += `${name}{${labels},${label}} ${known ?? 0}\n`;
      if (page.full) yield page.take();
    }
  }
}

function* mailSamples(page: Page, kind: Kind, rows: Shown) {
  const name = `bulkhead_${kind}_${mailFamily.name}`;
  let headed = false;
  for (const [index, labels] of rows.labels.entries()) {
    const mail = rows.mail[index];
    if (mail === undefined) continue;
    if (!headed) page.head(name, mailFamily.type, mailFamily.help);
    headed = true;
    for (const each of mailResults)
      if (mail[each] !== undefined)
        page.text += `${name}{${labels},result="${each}"} ${mail[each]}\n`;
    if (page.full) yield page.take();
  }
}

/** The values of one kind, of members that have them. */
function* valueSamples<Name extends string>(
  page: Page,
  kind: Kind,
  { labels }: Shown,
  families: readonly (readonly [Family, Name])[],
  values: readonly (Readonly<Partial<Record<Name, number>>> | undefined)[],
) {
  for (const [family, key] of families) {
    const name = `bulkhead_${kind}_${family.name}`;
    let headed = false;
    for (const [index, own] of labels.entries()) {
      const value = values[index]?.[key];
      if (value === undefined) continue;
      if (!headed) page.head(name, family.type, family.help);
      headed = true;
      page.text += `${name}{${own}} ${value}\n`;
      if (page.full) yield page.take();
    }
  }
}
