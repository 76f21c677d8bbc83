/** Guarantees that can never be used are refused; guarantees that the kernel cannot grant in full cause a warning. */
import { formatBytes, unlimited } from '../../../packages/base/quantity.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import type { DiagnosticSeverity } from '../diagnostic.ts';
import {
  isWritten,
  nameOf,
  originOf,
  type Chain,
  type Link,
  type Policy,
  type Reseller,
  type Site,
  type Tenant,
} from '../policy.ts';
import { sumOfLimit, withGuarantees, writtenGuarantees } from './guarantees.ts';

export type Warn = (
  chain: Chain,
  key: LimitKey,
  message: string,
  severity?: DiagnosticSeverity,
) => void;

export type Limited = Pick<Tenant | Reseller | Site, 'chain' | 'values'>;

const guaranteed = 'memory.guaranteed';
const limit = 'memory.limit';

const guaranteedIn = (values: LimitValues) => sumOfLimit(guaranteed, [{ values }]);

function limitIn(values: LimitValues): number {
  const value = values[limit] ?? unlimited;
  return value === unlimited ? Infinity : value;
}

/** Refuses a guarantee above the limit, at the nearer of the two. */
export function refuseGuaranteeAboveLimit({ chain, values }: Limited, warn: Warn): void {
  if (guaranteedIn(values) <= limitIn(values)) return;
  const [one, other] = [originOf(chain, guaranteed)?.link, originOf(chain, limit)?.link];
  if (one === undefined || other === undefined || !isWritten(one) || !isWritten(other)) return;
  const isLimitNearer = chain.indexOf(other) < chain.indexOf(one);
  const from = one === other ? '' : ` of ${describeLink(isLimitNearer ? one : other)}`;
  const [own, max] = [guaranteedIn(values), limitIn(values)].map(formatBytes);
  const message = isLimitNearer
    ? `The memory limit ${max} is below the guaranteed memory ${own}${from}, which could never be used; set "guaranteed" here, too, or raise "limit"`
    : `The guaranteed memory ${own} is above the memory limit ${max}${from} and could never be used; lower "guaranteed", or raise "limit"`;
  warn(chain, isLimitNearer ? limit : guaranteed, message, 'error');
}

const describeLink = ({ kind, name }: Link): string =>
  name === '' ? `the ${kind}` : `the ${kind} "${name}"`;

/** Warns if the kernel cannot grant all guarantees: cgroups above have less, or the host has. */
export function warnAboutGuarantees(
  policy: Policy,
  memoryBytes: number | undefined,
  warn: Warn,
): void {
  const inside = Map.groupBy(policy.tenants, ({ reseller }) => reseller);
  for (const each of policy.resellers) {
    const sum = sumOfLimit(guaranteed, inside.get(each.uid) ?? []);
    warnAboutSum(each, sum, `tenants of reseller ${nameOf(each)}`, warn);
  }
  for (const each of policy.tenants.filter(({ sites }) => sites.length > 0)) {
    const sum = sumOfLimit(guaranteed, each.sites.map(writtenGuarantees));
    warnAboutSum(each, sum, `sites of tenant ${nameOf(each)}`, warn);
  }
  if (memoryBytes !== undefined) warnAboutHost(policy, memoryBytes, warn);
}

/** Warns if an own guarantee, or else the limit, is below the sum inside. */
function warnAboutSum({ chain, values }: Limited, sum: number, inside: string, warn: Warn): void {
  const hasOwn = values[guaranteed] !== undefined;
  const bound = hasOwn ? guaranteedIn(values) : limitIn(values);
  if (sum <= bound) return;
  const name = hasOwn ? 'guaranteed memory' : 'memory limit';
  const message = `The ${inside} are guaranteed ${formatBytes(sum)} of memory together, above the ${name} ${formatBytes(bound)}: each is granted a part of that`;
  warn(chain, hasOwn ? guaranteed : limit, message);
}

function warnAboutHost(policy: Policy, memoryBytes: number, warn: Warn): void {
  const { tenants, resellers } = withGuarantees(policy);
  const alone = tenants.filter(({ reseller }) => reseller === undefined);
  const sum = sumOfLimit(guaranteed, [...alone, ...resellers]);
  if (sum <= memoryBytes) return;
  const owners: readonly Limited[] = [
    ...policy.tenants,
    ...policy.resellers,
    ...policy.tenants.flatMap(({ sites }) =>
      sites.map((each) => ({ ...each, ...writtenGuarantees(each) })),
    ),
  ];
  const largest = owners.reduce((a, b) =>
    guaranteedIn(a.values) >= guaranteedIn(b.values) ? a : b,
  );
  const message = `${formatBytes(sum)} of memory are guaranteed in all, and this host has ${formatBytes(memoryBytes)}; under pressure the kernel takes memory from guaranteed tenants, too; lower "guaranteed"`;
  warn(largest.chain, guaranteed, message);
}
