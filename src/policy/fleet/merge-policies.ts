/**
 * Merges the roots of policies. A tenant is the same one wherever it is: a later layer that has it inside a reseller moves
 * it there, and one that has it outside says nothing about its reseller.
 */
import { mergeElements, type LayerElement } from './layer-tree.ts';

export function mergePolicies(below: LayerElement, above: LayerElement): LayerElement {
  const resellers = [below, above].flatMap(({ children }) => children.filter(isReseller));
  return resellers.length === 0
    ? mergeElements(below, above)
    : mergeElements(...alignTenants(below, above));
}

const isReseller = ({ name }: LayerElement) => name === 'reseller';
const isTenant = ({ name }: LayerElement) => name === 'tenant';

interface TenantPlace {
  readonly tenant: LayerElement;
  /** Absent outside resellers. */
  readonly reseller: LayerElement | undefined;
}

/** Returns both so that each tenant which both have has the same parent. */
function alignTenants(
  below: LayerElement,
  above: LayerElement,
): readonly [LayerElement, LayerElement] {
  const before = tenantsOf(below);
  const moved = new Set<LayerElement>();
  const kept = new Map<string, LayerElement[]>();
  const children: LayerElement[] = [];
  for (const each of above.children) {
    const there = isTenant(each) ? before.get(each.key)?.reseller : undefined;
    if (there !== undefined) listIn(kept, there.key).push(each);
    else if (isReseller(each)) children.push(withMoved(each, before, moved));
    else children.push(each);
  }
  for (const [key, tenants] of kept) addTo(children, key, tenants, below);
  return [moved.size === 0 ? below : withoutTenants(below, moved), { ...above, children }];
}

function listIn(lists: Map<string, LayerElement[]>, key: string): LayerElement[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

/** Returns the tenants, of which the first one with a key counts. */
function tenantsOf(root: LayerElement): ReadonlyMap<string, TenantPlace> {
  const places = new Map<string, TenantPlace>();
  const add = (tenant: LayerElement, reseller?: LayerElement) => {
    if (isTenant(tenant) && !places.has(tenant.key)) places.set(tenant.key, { tenant, reseller });
  };
  for (const each of root.children) {
    add(each);
    if (isReseller(each)) for (const tenant of each.children) add(tenant, each);
  }
  return places;
}

/** Returns a reseller of the later layer, with what the earlier one says of tenants that come to it. */
function withMoved(
  reseller: LayerElement,
  before: ReadonlyMap<string, TenantPlace>,
  moved: Set<LayerElement>,
): LayerElement {
  const children = reseller.children.map((each) => {
    const place = isTenant(each) ? before.get(each.key) : undefined;
    if (place === undefined || place.reseller?.key === reseller.key) return each;
    moved.add(place.tenant);
    return mergeElements(place.tenant, each);
  });
  return { ...reseller, children };
}

/** Adds tenants to a reseller of the later layer, which need not name that reseller. */
function addTo(
  children: LayerElement[],
  key: string,
  tenants: readonly LayerElement[],
  below: LayerElement,
): void {
  const at = children.findIndex((each) => each.key === key);
  const there = children[at];
  if (there !== undefined) {
    const known = new Set(there.children.map((each) => each.key));
    const added = tenants.filter((each) => !known.has(each.key));
    children[at] = { ...there, children: [...there.children, ...added] };
    return;
  }
  const reseller = below.children.find((each) => each.key === key);
  if (reseller !== undefined) children.push({ ...reseller, children: tenants });
}

function withoutTenants(root: LayerElement, moved: ReadonlySet<LayerElement>): LayerElement {
  const kept = (elements: readonly LayerElement[]) => elements.filter((each) => !moved.has(each));
  return {
    ...root,
    children: kept(root.children).map((each) =>
      isReseller(each) ? { ...each, children: kept(each.children) } : each,
    ),
  };
}
