/** Compares what hosts of a fleet had with what they will have: values, and how many tenants of the policy each reaches. */
import { comparePolicies } from '../../changes/compare.ts';
import { valueChanges, type ValueChange } from '../../changes/describe.ts';
import type { PolicyDocument } from '../../document.ts';
import { givenLimits, nameOf, originOf, type Policy, type Tenant } from '../../policy.ts';
import { largeChange } from '../large-change.ts';
import { resolveElsewhere } from './resolve-elsewhere.ts';
import { limitAttribute, attributes } from '../../../limits/limits.ts';
import type { LimitKey } from '../../../limits/limit.ts';

/** A value that changes on hosts. */
export interface FleetValueChange extends ValueChange {
  /** The number of hosts. */
  readonly hosts: number;
  /** The number of tenants that it reaches, of those that the fleet's policy names. */
  readonly tenants: number;
}

/** A change of one host that is so large that people must agree to it. */
export interface LargeHostChange {
  /** The host. */
  readonly host: string;
  /** The reasons why it is large, for people. */
  readonly reasons: readonly string[];
}

/** Adds up the changes of hosts. */
export class FleetChanges {
  readonly #changes = new Map<string, FleetValueChange>();
  readonly large: LargeHostChange[] = [];

  /** The changes, those of most tenants first. */
  get values(): readonly FleetValueChange[] {
    return [...this.#changes.values()].toSorted(
      (a, b) => b.tenants - a.tenants || b.hosts - a.hosts,
    );
  }

  /** Adds the change of hosts that have the same policy before, and the same one after. */
  add(hosts: readonly string[], before: PolicyDocument, after: PolicyDocument): void {
    const policies = { before: resolveElsewhere(before), after: resolveElsewhere(after) };
    for (const change of valueChanges(comparePolicies(before.root, after.root))) {
      const { kind, element, setting, from, to } = change;
      const key = JSON.stringify([kind, element, setting, from, to]);
      const known = this.#changes.get(key);
      const tenants = reachedBy(change, policies) * hosts.length;
      this.#changes.set(key, {
        ...change,
        hosts: (known?.hosts ?? 0) + hosts.length,
        tenants: (known?.tenants ?? 0) + tenants,
      });
    }
    const reasons = largeChange(policies.before, policies.after);
    if (reasons.length > 0) this.large.push(...hosts.map((host) => ({ host, reasons })));
  }
}

interface Policies {
  readonly before: Policy;
  readonly after: Policy;
}

function reachedBy(change: ValueChange, { before, after }: Policies): number {
  const { kind, accounts, setting, element } = change;
  if (accounts.length > 0 && element.startsWith('tenant ')) return 1;
  const key = setting as LimitKey | undefined;
  if (kind !== 'set' || key === undefined || !attributes.has(key)) return 0;
  const { fallback } = limitAttribute(key);
  const earlier = new Map(before.tenants.map((each) => [nameOf(each), each]));
  return after.tenants.filter((now) => {
    const old = earlier.get(nameOf(now));
    const isFrom = (tenant: Tenant | undefined) =>
      tenant !== undefined && isOf(tenant, key, element);
    const valueOf = (tenant: Tenant | undefined) =>
      tenant === undefined ? undefined : (givenLimits(tenant)[key] ?? fallback);
    return valueOf(old) !== valueOf(now) && (isFrom(now) || isFrom(old));
  }).length;
}

/** Whether the element sets this limit of a tenant. */
function isOf({ chain }: Tenant, key: LimitKey, element: string): boolean {
  const link = originOf(chain, key)?.link;
  if (link === undefined) return false;
  if (link.kind === 'defaults') return element === 'the defaults';
  return element === `package "${link.name}"`;
}
