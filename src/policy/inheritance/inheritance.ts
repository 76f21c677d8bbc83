/** The limits that a tenant has by itself, its package, the package of its reseller, and the defaults. */
import type { LimitValues } from '../../limits/limit.ts';
import type { InheritedBlock, PackageElement, TenantElement } from '../document.ts';
import { lowerOf } from './lower-limits.ts';
import { linksTo, valuesOf, type Chain } from '../policy.ts';

export interface Inherited {
  readonly chain: Chain;
  readonly values: LimitValues;
}

/** The package that a tenant would have without the one that a plan gave it last. */
export interface Without {
  readonly package: PackageElement | undefined;
}

export class Inheritance {
  readonly #defaults: Chain;
  /** Tenants that inherit the same and set nothing themselves share one set of values. */
  readonly #shared = new Map<string, Inherited>();

  constructor(defaults: Chain) {
    this.#defaults = defaults;
  }

  /** Returns the limits; with `without`, none is higher than it would be with that package. */
  of(
    tenant: TenantElement | undefined,
    own: PackageElement | undefined,
    reseller: PackageElement | undefined,
    without?: Without,
  ): Inherited {
    const alone = tenant === undefined || setsNothing(tenant);
    const lower = without === undefined ? '' : `\n${without.package?.name.value}`;
    const key = `${own?.name.value}\n${reseller?.name.value}${lower}`;
    const known = alone ? this.#shared.get(key) : undefined;
    if (known !== undefined) return known;
    const chainOf = (element: PackageElement | undefined): Chain => [
      ...linksTo('tenant', alone ? undefined : tenant),
      ...linksTo('package', element, element?.name.value),
      ...linksTo(
        'reseller package',
        reseller === element ? undefined : reseller,
        reseller?.name.value,
      ),
      ...this.#defaults,
    ];
    const chain = without ? lowerOf(chainOf(own), chainOf(without.package)) : chainOf(own);
    const inherited = { chain, values: valuesOf(chain) };
    if (alone) this.#shared.set(key, inherited);
    return inherited;
  }
}

const setsNothing = ({ values, ...parts }: InheritedBlock) =>
  values.size === 0 &&
  [
    parts.jail,
    parts.reach,
    parts.listen,
    parts.siteLimits,
    parts.ownApps,
    parts.databaseInstance,
    parts.databaseCounts,
  ].every((each) => each === undefined);
