/**
 * Resolves a tenant's sites: sites in the policy, and limits that its reseller and the tenant itself have set for
 * sites.
 */
import type { Quantity } from '../../../packages/base/quantity.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { Diagnostics, Located } from '../diagnostic.ts';
import type { PolicyDocument, SiteElement } from '../document.ts';
import {
  formatIdentity,
  linksTo,
  nameOf,
  originOf,
  delegatesOf,
  valuesOf,
  type Chain,
  type HostFacts,
  type Identity,
  type Link,
  type Reseller,
  type Site,
  type Tenant,
} from '../policy.ts';
import { checkSiteJails } from './site-jails.ts';
import type { OwnLimit, SiteLimits } from './site-limits.ts';

type Owner = Identity & Pick<Tenant, 'chain'>;

const none: Pick<Tenant, 'sites'> = { sites: [] };

export class SiteResolver {
  readonly #diagnostics: Diagnostics;
  readonly #set: HostFacts['siteLimits'];
  /** Tenants by the names of their sites. */
  readonly #owners = new Map<string, string>();

  constructor({ diagnostics }: PolicyDocument, { siteLimits }: HostFacts) {
    this.#diagnostics = diagnostics;
    this.#set = siteLimits;
  }

  resolve(
    elements: readonly SiteElement[],
    tenant: Owner,
    reseller: Reseller | undefined,
  ): Pick<Tenant, 'sites' | 'withdrawnSites'> {
    checkSiteJails(elements, tenant.account, this.#diagnostics);
    const given = this.#setFor(tenant, reseller);
    if (elements.length === 0 && given.length === 0) return none;
    const sites = new Map<string, Site>();
    for (const element of elements) {
      const name = element.name.value;
      if (sites.has(name)) {
        this.#diagnostics.error(element.name, `The site "${name}" is listed twice in its tenant`);
        continue;
      }
      this.#warnOfNamesake(element.name, formatIdentity(tenant));
      sites.set(name, siteOf(name, linksTo('site', element, name), given));
    }
    const setOnly = given.flatMap((each) =>
      [...each.sites.keys()].map((name) => ({ ...each, name })),
    );
    for (const { name, setter } of setOnly.filter(({ isAllowed }) => isAllowed))
      if (!sites.has(name)) sites.set(name, { ...siteOf(name, [], given), madeBy: setter });
    const withdrawn = new Set(setOnly.map(({ name }) => name).filter((name) => !sites.has(name)));
    const withdrawnSites = [...withdrawn].map((name) => siteOf(name, [], given));
    return { sites: [...sites.values()], ...(withdrawn.size > 0 && { withdrawnSites }) };
  }

  /** Returns the limits set for a tenant's sites outside the policy, in order of precedence. */
  #setFor(tenant: Owner, reseller: Reseller | undefined) {
    const set = this.#set?.get(tenant.uid);
    const given: Given[] = [];
    if (set === undefined) return given;
    const allowed = delegatesOf(tenant);
    // Limits that another reseller has set end with it.
    if (reseller !== undefined && set.reseller?.uid === reseller.uid)
      given.push({
        setter: 'reseller',
        by: `reseller ${nameOf(reseller)}`,
        isAllowed: allowed.includes('reseller'),
        sites: set.reseller.sites,
      });
    if (set.tenant !== undefined)
      given.push({
        setter: 'tenant',
        by: nameOf(tenant),
        isAllowed: allowed.includes('tenant'),
        sites: set.tenant,
      });
    return given;
  }

  /** Warns of a namesake. Uids distinguish the processes of both, but the name is one visitor's address. */
  #warnOfNamesake(name: Located<string>, tenant: string): void {
    const other = this.#owners.get(name.value);
    this.#owners.set(name.value, tenant);
    if (other === undefined) return;
    const message = `The site "${name.value}" of the tenant ${tenant} is one of ${other}, too`;
    this.#diagnostics.add('warning', name.start, message);
  }
}

interface Given extends Pick<OwnLimit, 'setter' | 'by'> {
  readonly isAllowed: boolean;
  readonly sites: SiteLimits;
}

/** Builds a site. Limits set outside the policy come after the policy's limits. */
function siteOf(name: string, written: Chain, given: readonly Given[]): Site {
  const chain = [...written];
  const own: OwnLimit[] = [];
  for (const { setter, by, isAllowed, sites } of given) {
    const set = sites.get(name);
    if (set === undefined) continue;
    for (const [key, value] of set) {
      const state = isAllowed ? stateBehind(chain, key) : 'withdrawn';
      own.push({ key, value, setter, by, state });
    }
    if (isAllowed) chain.push(setLink(setter, by, set));
  }
  return { name, chain, values: valuesOf(chain), ...(own.length > 0 && { own }) };
}

function stateBehind(chain: Chain, key: LimitKey): OwnLimit['state'] {
  const nearer = originOf(chain, key);
  if (nearer === undefined) return 'in force';
  return nearer.link.kind === 'site' ? 'overruled' : 'overruled by reseller';
}

/** Builds a link of which nothing is in the policy's text. */
const setLink = (
  setter: OwnLimit['setter'],
  name: string,
  set: ReadonlyMap<LimitKey, Quantity>,
): Link => ({
  kind: `set by ${setter}`,
  name,
  written: new Map([...set].map(([key, value]) => [key, { value, start: 0, end: 0 }])),
});
