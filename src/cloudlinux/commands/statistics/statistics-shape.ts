/**
 * The use of tenants in a period, in the shape of cloudlinux-statistics. `usage`, `limits` and `faults` have the same
 * fields:
 *
 *     {"cpu": {"lve": 25.6}, "ep": {"lve": 20}, "io": {"lve": 5347.584}, "iops": {"lve": 0.121},
 *      "nproc": {"lve": 1}, "pmem": {"lve": 360448}, "vmem": {"lve": 0}}
 *
 * cpu is percent of one core, io bytes/s, pmem bytes; a limit of 0 is none. A field that is not measured is absent, as
 * CloudLinux leaves out `mysql` without its database governor: it is the CPU time of database servers, where that is
 * known.
 */
import type { UsageResponse } from '../../../agent/api/usage-api.ts';
import type { MainDomains } from '../../../cli/capability.ts';
import type { Period } from '../../../cli/shared/period.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { accountOf } from '../../core/lve-info.ts';
import {
  averageUse,
  databaseAverages,
  faultsOf,
  limitOf,
  lveKeys,
  lveUses,
  type LveKey,
  type LveUse,
} from '../../core/lve-usage.ts';
import { isOfReseller } from '../../core/reseller-filter.ts';
import { notKnown } from '../top-shape.ts';
import type { StatisticsChoice } from './statistics-choice.ts';

interface Share {
  /** The value for all processes of the tenant. */
  readonly lve: number;
}

interface CpuShare extends Share {
  /** The value for database servers; absent where it is not measured. */
  readonly mysql?: number;
}

export interface StatisticsSection {
  /** CPU time in percent of one core. */
  readonly cpu?: CpuShare;
  /** Entries: concurrent requests. The usage never has it, the faults only while they are counted. */
  readonly ep?: Share;
  /** Disk traffic in bytes per second. */
  readonly io?: Share;
  /** Disk operations per second. */
  readonly iops?: Share;
  /** Processes and their threads. */
  readonly nproc?: Share;
  /** Memory in bytes. */
  readonly pmem?: Share;
  /** Virtual memory: nothing limits it, so limit and faults are 0, and the usage does not have it. */
  readonly vmem?: Share;
}

interface Sections {
  /** The averages. */
  readonly usage: StatisticsSection;
  /** The limits; 0 is none. */
  readonly limits: StatisticsSection;
  /** The number of faults. */
  readonly faults: StatisticsSection;
}

export interface StatisticsUser extends Sections {
  /** The uid. */
  readonly id: number;
  /** The account; `N/A` if the uid has none. */
  readonly username: string;
  /** The main domain; `N/A` if it is not known. */
  readonly domain: string;
  /** The reseller; `N/A` if the tenant has none. */
  readonly reseller: string;
}

export interface StatisticsReseller extends Sections {
  /** The uid. */
  readonly id: number;
  /** The name. */
  readonly name: string;
}

export interface StatisticsPart extends Sections {
  /** The start, in seconds since 1970. */
  readonly from: number;
  /** The end, in seconds since 1970. */
  readonly to: number;
}

interface StatisticsHead {
  /** Seconds since 1970. */
  readonly timestamp: number;
  /** Whether the use of database servers is known; `error`: it is not. */
  readonly mySqlGov: 'enabled' | 'error';
  /** Always `success`. */
  readonly result: 'success';
}

export interface StatisticsSummary extends StatisticsHead {
  /** The resellers, each with the sum of its tenants. */
  readonly resellers: readonly StatisticsReseller[];
  /** The tenants. */
  readonly users: readonly StatisticsUser[];
}

export interface StatisticsDetails extends StatisticsHead {
  /** The parts of the period of one tenant. */
  readonly user: readonly StatisticsPart[];
}

const head = (now: number, uses: readonly LveUse[]): StatisticsHead => ({
  timestamp: Math.floor(now / 1000),
  mySqlGov: uses.some((use) => databaseAverages(use).cpu !== undefined) ? 'enabled' : 'error',
  result: 'success',
});

export function summaryOf(
  response: UsageResponse,
  choice: StatisticsChoice,
  domains: MainDomains,
  now: number,
): StatisticsSummary {
  const { reseller, keys } = choice;
  const asked = lveUses(response).filter(({ usage }) => isOfReseller(reseller, usage.reseller));
  const users = choice.choose(asked);
  const resellers = lveUses(response, 'reseller').filter(({ usage }) =>
    isOfReseller(reseller, usage.name),
  );
  return {
    resellers: resellers.map((use) => ({
      ...sectionsOf(use, keys),
      name: use.usage.name,
      id: use.usage.uid,
    })),
    ...head(now, asked),
    users: users.map((use) => ({
      username: accountOf(use.usage) ?? notKnown,
      domain: printable(domains.get(use.usage.uid) ?? notKnown),
      reseller: use.usage.reseller ?? notKnown,
      ...sectionsOf(use, keys),
      id: use.usage.uid,
    })),
  };
}

export const detailsOf = (
  parts: readonly (readonly [Period, LveUse])[],
  keys: readonly LveKey[],
  now: number,
): StatisticsDetails => ({
  ...head(
    now,
    parts.map(([, use]) => use),
  ),
  user: parts.map(([{ from, to }, use]) => ({
    ...sectionsOf(use, keys),
    from: Math.floor(from / 1000),
    to: Math.floor(to / 1000),
  })),
});

function sectionsOf(use: LveUse, keys: readonly LveKey[]): Sections {
  const { cpu, cpuLimit, faults } = databaseAverages(use);
  const section = (
    valueOf: (key: LveKey) => number | undefined,
    mysql: number | undefined,
  ): StatisticsSection =>
    Object.fromEntries(
      lveKeys
        .filter((key) => keys.includes(key))
        .flatMap((key) => {
          const value = valueOf(key);
          const databases = key === 'cpu' && mysql !== undefined && { mysql: rounded(mysql) };
          return value === undefined ? [] : [[key, { lve: rounded(value), ...databases }]];
        }),
    );
  const ifKnown = (value: number) => (cpu === undefined ? undefined : value);
  return {
    usage: section((key) => averageUse(key, use), cpu),
    limits: section((key) => limitOf(key, use), ifKnown(cpuLimit)),
    // Without a limit there are no faults.
    faults: section((key) => (key === 'vmem' ? 0 : faultsOf(key, use)), ifKnown(faults)),
  };
}

const rounded = (value: number) => Math.round(value * 1000) / 1000;
