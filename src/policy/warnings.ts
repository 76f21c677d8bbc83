/**
 * Warns of valid but probably unintended values. Each is reported once, at the value that causes
 * it, however many tenants inherit it.
 */
import { limitAttribute } from '../limits/limits.ts';
import type { LimitKey } from '../limits/limit.ts';
import { formatQuantity, unlimited, type Quantity } from '../../packages/base/quantity.ts';
import type { Diagnostics } from './diagnostic.ts';
import {
  refuseGuaranteeAboveLimit,
  warnAboutGuarantees,
  type Limited,
  type Warn,
} from './guarantees/check-guarantees.ts';
import { isWritten, nameOf, originOf, type Chain, type Policy } from './policy.ts';

const littleMemory = 64 * 2 ** 20;
/** Processes that a tenant needs besides the ones that serve its requests. */
const spareProcesses = 15;

interface WarningContext {
  /** Limits that no tenant has yet. */
  readonly unused: readonly Limited[];
  /** The memory of the host, if known. */
  readonly memoryBytes: number | undefined;
}

export function warnAbout(
  policy: Policy,
  { unused, memoryBytes }: WarningContext,
  diagnostics: Diagnostics,
): void {
  const said = new Set<string>();
  const warn: Warn = (chain, key, message, severity = 'warning') => {
    const origin = originOf(chain, key);
    // Limits of a tenant or a reseller are checked when they are set, and have no place in the
    // policy.
    if (origin === undefined || !isWritten(origin.link)) return;
    const { at } = origin;
    if (said.has(`${at.start} ${message}`)) return;
    said.add(`${at.start} ${message}`);
    diagnostics.add(severity, at.start, message);
  };
  const resellers = new Map(policy.resellers.map((each) => [each.uid, each]));
  const seen = new Set<Chain>();
  for (const tenant of policy.tenants) {
    const reseller = tenant.reseller === undefined ? undefined : resellers.get(tenant.reseller);
    if (reseller !== undefined) warnAbove(tenant, reseller, `reseller ${nameOf(reseller)}`, warn);
    for (const site of tenant.sites) {
      warnAbove(site, tenant, `tenant ${nameOf(tenant)}`, warn);
      warnAboutValues(site, warn);
    }
    if (seen.has(tenant.chain)) continue;
    seen.add(tenant.chain);
    warnAboutValues(tenant, warn);
  }
  for (const each of [...policy.resellers, ...unused]) warnAboutValues(each, warn);
  warnAboutGuarantees(policy, memoryBytes, warn);
}

const ioTotals = [
  ['io.total', 'io.read', 'io.write'],
  ['io.operations', 'io.reads', 'io.writes'],
] as const;

function warnAboutValues({ chain, values }: Limited, warn: Warn): void {
  const number = (key: LimitKey) => sizeOf(values[key]);
  const text = (key: LimitKey) => print(key, values[key]);
  if (number('memory.limit') < littleMemory) {
    warn(
      chain,
      'memory.limit',
      `A memory limit of ${text('memory.limit')} is very low; most programs need 64MiB`,
    );
  }
  if (number('memory.soft') > number('memory.limit') && values['memory.soft'] !== undefined) {
    warn(
      chain,
      'memory.soft',
      `The soft memory limit ${text('memory.soft')} is above the limit ${text('memory.limit')} and is never reached`,
    );
  }
  if (values['cpu.burst'] !== undefined && number('cpu.burst') > number('cpu.limit')) {
    warn(
      chain,
      'cpu.burst',
      `The burst ${text('cpu.burst')} is above the limit; the kernel grants no more than ${text('cpu.limit')}`,
    );
  }
  if (
    number('processes.limit') < number('entries.limit') + spareProcesses &&
    values['entries.limit'] !== undefined
  ) {
    warn(
      chain,
      'processes.limit',
      `${text('processes.limit')} processes are few for ${text('entries.limit')} entries; allow at least entries + ${spareProcesses}`,
    );
  }
  refuseGuaranteeAboveLimit({ chain, values }, warn);
  warnAboutTotals({ chain, values }, warn);
}

/** Warns about limits on reads or writes above the limit on both together. */
function warnAboutTotals({ chain, values }: Limited, warn: Warn): void {
  for (const [total, ...parts] of ioTotals) {
    for (const part of parts) {
      if (sizeOf(values[part]) === Infinity) continue;
      if (sizeOf(values[part]) <= sizeOf(values[total])) continue;
      warn(
        chain,
        part,
        `The ${part.replace('.', ' ')} ${print(part, values[part])} is never reached: ${total.replace('.', ' ')} allows ${print(total, values[total])} for reads and writes together`,
      );
    }
  }
}

function warnAbove(inner: Limited, outer: Limited, outerName: string, warn: Warn): void {
  for (const key of [
    'cpu.limit',
    'memory.limit',
    'io.read',
    'io.write',
    'io.total',
    'io.operations',
    'processes.limit',
    'entries.limit',
    'network.send',
    'network.receive',
    'network.connections',
    'database.cpu',
    'database.connections',
    'database.statement',
    'database.transaction',
  ] as const) {
    const bound = sizeOf(outer.values[key]);
    if (inner.values[key] === undefined || sizeOf(inner.values[key]) <= bound) continue;
    // With an inherited "unlimited", the outer limit simply applies.
    if (inner.values[key] === unlimited) continue;
    const own = print(key, inner.values[key]);
    const max = print(key, outer.values[key]);
    const message = `The ${key.replace('.', ' ')} ${own} is above the ${max} of ${outerName}, which takes precedence`;
    warn(inner.chain, key, message);
  }
}

const sizeOf = (value: Quantity | undefined): number =>
  value === undefined || value === unlimited ? Infinity : value;

function print(key: LimitKey, value: Quantity | undefined): string {
  return value === undefined ? unlimited : formatQuantity(limitAttribute(key).kind, value);
}
