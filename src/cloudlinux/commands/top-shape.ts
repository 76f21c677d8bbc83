/**
 * The agent's sample of all tenants in the shape of cloudlinux-top:
 *
 *     {"result": "success", "timestamp": 1758700000.5, "mySqlGov": "error", "mySqlGovMode": "none",
 *      "users": [{"id": 1001, "username": "alice", "domain": "N/A", "reseller": "N/A",
 *                 "limit": {…}, "usage": {"cpu": {"all": 50}, "io": {"all": 0}, "iops": 0,
 *                 "mem": 258048, "pno": 1}}],
 *      "resellers": [{"id": 1000, "name": "acme", "limit": {…}, "usage": {…}}]}
 *
 * cpu is percent of one core, io bytes/s, mem bytes, pno processes and their threads, as their
 * limit counts them. A limit of 0 is none. Nothing counts the entries in use, so `usage` has no `ep`: CloudLinux leaves
 * out what is not measured, too, such as `mysql` in `cpu`, which is the CPU time of database servers.
 */
import type { LimitNumbers, TopResponse, TopRow } from '../../agent/api/api.ts';
import { accountOf, lveLimits } from '../core/lve-info.ts';
import { isOfReseller } from '../core/reseller-filter.ts';

interface TopCpu {
  /** The tenant's processes. */
  readonly all: number;
  /** Database servers; absent where it is not known. */
  readonly mysql?: number;
}

export interface TopSection {
  /** CPU time in percent of one core: of the tenant's processes in `all`, of database servers in `mysql` where it is known. */
  readonly cpu?: TopCpu;
  /** The limit on entries (concurrent requests). The usage never has it: nothing counts them. */
  readonly ep?: number;
  /** Disk traffic in bytes per second, in `all`. */
  readonly io?: { readonly all: number };
  /** Disk operations per second. */
  readonly iops?: number;
  /** Memory in bytes. */
  readonly mem?: number;
  /** Processes and their threads. */
  readonly pno?: number;
}

export interface TopUser {
  /** The tenant's uid. */
  readonly id: number;
  /** The account; `N/A` if the uid has none. */
  readonly username: string;
  /** The tenant's main domain; `N/A` if it is not known. */
  readonly domain: string;
  /** The tenant's reseller; `N/A` if it has none. */
  readonly reseller: string;
  /** The limits; 0 is none. */
  readonly limit: TopSection;
  /** The usage in the last tick. */
  readonly usage: TopSection;
}

interface TopReseller {
  /** The reseller's uid. */
  readonly id: number;
  /** The reseller's name. */
  readonly name: string;
  /** The limits; 0 is none. */
  readonly limit: TopSection;
  /** The usage of all its tenants in the last tick. */
  readonly usage: TopSection;
}

export interface Top {
  /** Always `success`. */
  readonly result: 'success';
  /** The time of the last tick, in seconds since 1970. */
  readonly timestamp: number;
  /** Whether the use of database servers is known; `error`: it is not. */
  readonly mySqlGov: 'enabled' | 'error';
  /** Always `none`. */
  readonly mySqlGovMode: 'none';
  /** The tenants. */
  readonly users: readonly TopUser[];
  /** The resellers. */
  readonly resellers: readonly TopReseller[];
}

/** The fields that can be ordered by and shown, and their names in the output. */
const topFields = {
  cpu: 'cpu',
  io: 'io',
  iops: 'iops',
  ep: 'ep',
  nproc: 'pno',
  pmem: 'mem',
} as const;
export type TopField = keyof typeof topFields;
/** A field by whose use tenants can be ordered. */
export type UsedField = Exclude<TopField, 'ep'>;
export const topFieldNames = Object.keys(topFields) as readonly TopField[];

export interface TopChoice {
  /** A part of the account's name. */
  readonly username?: string | undefined;
  readonly reseller?: string | undefined;
  /** A part of the main domain. */
  readonly domain?: string | undefined;
  readonly max: number;
  readonly orderBy: UsedField | 'mysql_cpu';
  readonly show: readonly TopField[];
  /** Whether database servers are left out. */
  readonly hidesDatabases: boolean;
}

/** The text that CloudLinux prints if there is no name. */
export const notKnown = 'N/A';

export type DomainOf = (row: TopRow) => string | undefined;

export function topOf({ at, rows }: TopResponse, choice: TopChoice, domainOf: DomainOf): Top {
  const users = rows
    .filter((row) => row.kind === 'tenant' && isAsked(row, choice, domainOf))
    .toSorted((a, b) => use(b, choice.orderBy) - use(a, choice.orderBy) || a.uid - b.uid)
    .slice(0, choice.max);
  const resellers = rows.filter(
    (row) => row.kind === 'reseller' && isOfReseller(choice.reseller, row.name),
  );
  return {
    result: 'success',
    timestamp: at / 1000,
    mySqlGov: rows.some(({ usage }) => usage.databaseCpu !== undefined) ? 'enabled' : 'error',
    mySqlGovMode: 'none',
    users: users.map((row) => ({
      id: row.uid,
      username: accountOf(row) ?? notKnown,
      domain: domainOf(row) ?? notKnown,
      reseller: row.reseller ?? notKnown,
      ...sections(row, choice),
    })),
    resellers: resellers.map((row) => ({
      id: row.uid,
      name: row.name,
      ...sections(row, choice),
    })),
  };
}

function isAsked(
  row: TopRow,
  { username, reseller, domain }: TopChoice,
  domainOf: DomainOf,
): boolean {
  if (domain !== undefined && !(domainOf(row) ?? '').includes(domain)) return false;
  if (username !== undefined && !(accountOf(row) ?? '').includes(username)) return false;
  return isOfReseller(reseller, row.reseller);
}

function sections(row: TopRow, { show, hidesDatabases }: TopChoice) {
  const [limit, usage] = [limitSection(row.limits), usageSection(row)];
  const used = hidesDatabases ? undefined : row.usage.databaseCpu;
  if (used === undefined) return { limit: shown(limit, show), usage: shown(usage, show) };
  const withDatabases = <Section extends TopSection>(section: Section, cores: number) => ({
    ...section,
    cpu: { all: section.cpu?.all ?? 0, mysql: rounded(cores * 100) },
  });
  return {
    limit: shown(withDatabases(limit, row.limits['database.cpu'] ?? 0), show),
    usage: shown(withDatabases(usage, used), show),
  };
}

/** The use of everything that is measured. */
type UsageSection = Required<Omit<TopSection, 'ep'>>;

function usageSection({ usage }: TopRow): UsageSection {
  return {
    cpu: { all: rounded(usage.cpu * 100) },
    io: { all: Math.round(usage.read + usage.write) },
    iops: rounded(usage.reads + usage.writes),
    mem: Math.round(usage.memory),
    pno: Math.round(usage.threads),
  };
}

function limitSection(numbers: LimitNumbers): Required<TopSection> {
  const limits = lveLimits(numbers);
  return {
    cpu: { all: rounded(limits.speed) },
    ep: limits.ep,
    io: { all: limits.ioBytesPerSecond },
    iops: limits.iops,
    mem: limits.memoryBytes,
    pno: limits.nproc,
  };
}

const rounded = (value: number) => Math.round(value * 100) / 100;

/** Returns the chosen fields, or all if none was chosen. */
function shown(section: TopSection, show: readonly TopField[]): TopSection {
  if (show.length === 0) return section;
  const names: readonly string[] = show.map((each) => topFields[each]);
  return Object.fromEntries(Object.entries(section).filter(([name]) => names.includes(name)));
}

function use(row: TopRow, field: TopChoice['orderBy']): number {
  if (field === 'mysql_cpu') return row.usage.databaseCpu ?? -1;
  const value = usageSection(row)[topFields[field]];
  return typeof value === 'number' ? value : value.all;
}
