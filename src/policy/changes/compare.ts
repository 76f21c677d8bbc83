/**
 * Compares two policies: which elements were added or removed, and which attributes have other values. Comments and
 * layout do not count.
 *
 * Elements are paired by name and by the attribute that names them (`<tenant user="alice">`), so an element that only
 * moved within its parent is the same one. Unnamed elements are paired if they are equal, the others in their order.
 */
import { xmlAttribute, type XmlElement } from '../xml.ts';

/** The elements from below the root to the changed one; all but a removed one are in the new tree. */
export type ElementPath = readonly XmlElement[];

export type PolicyChange =
  | {
      readonly kind: 'set';
      /** Empty for an attribute of the root. */
      readonly path: ElementPath;
      readonly attribute: string;
      /** Absent: it was not written, or is no longer. */
      readonly from?: string;
      readonly to?: string;
    }
  | { readonly kind: 'added'; readonly path: ElementPath; readonly element: XmlElement }
  | { readonly kind: 'removed'; readonly path: ElementPath; readonly element: XmlElement }
  /** The children of the last element have another order. */
  | { readonly kind: 'order'; readonly path: ElementPath };

/** Returns the attributes that name an element among its siblings. */
export const namingAttributes = (element: XmlElement): readonly string[] =>
  element.name === 'path' ? ['at'] : ['user', 'uid', 'name'];

/** Lists the changes from one policy to another, given their roots. */
export function comparePolicies(before: XmlElement, after: XmlElement): readonly PolicyChange[] {
  const changes: PolicyChange[] = [];
  compareElements(before, after, [], changes);
  return changes;
}

function compareElements(
  before: XmlElement,
  after: XmlElement,
  path: ElementPath,
  changes: PolicyChange[],
): void {
  const names = new Set([...before.attributes, ...after.attributes].map(({ name }) => name));
  for (const attribute of names) {
    const from = xmlAttribute(before, attribute)?.value;
    const to = xmlAttribute(after, attribute)?.value;
    if (from === to) continue;
    changes.push({
      kind: 'set',
      path,
      attribute,
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    });
  }
  const pairs = pairChildren(before.children, after.children);
  for (const { old, now } of pairs) {
    if (old !== undefined && now !== undefined) compareElements(old, now, [...path, now], changes);
    else if (old !== undefined)
      changes.push({ kind: 'removed', path: [...path, old], element: old });
    else if (now !== undefined) changes.push({ kind: 'added', path: [...path, now], element: now });
  }
  if (isReordered(pairs, before, after)) changes.push({ kind: 'order', path });
}

interface Pair {
  readonly old?: XmlElement;
  readonly now?: XmlElement;
}

function pairChildren(
  before: readonly XmlElement[],
  after: readonly XmlElement[],
): readonly Pair[] {
  const groups = new Map<string, { readonly old: XmlElement[]; readonly now: XmlElement[] }>();
  const groupOf = (element: XmlElement) => {
    const key = keyOf(element);
    const group = groups.get(key) ?? { old: [], now: [] };
    groups.set(key, group);
    return group;
  };
  for (const each of before) groupOf(each).old.push(each);
  for (const each of after) groupOf(each).now.push(each);
  return [...groups.values()].flatMap(({ old, now }) => pairAlike(old, now));
}

/** Pairs elements of one key: equal ones first, then the rest in their order. */
function pairAlike(old: readonly XmlElement[], now: readonly XmlElement[]): readonly Pair[] {
  if (old.length <= 1 && now.length <= 1) return [pairOf(old[0], now[0])];
  const free = new Map<string, XmlElement[]>();
  // From the last to the first, so that `pop` returns the first: `shift` takes time for each element that remains.
  for (const each of now.toReversed()) {
    const print = fingerprint(each);
    const same = free.get(print);
    if (same === undefined) free.set(print, [each]);
    else same.push(each);
  }
  const pairs: Pair[] = [];
  const rest: XmlElement[] = [];
  const used = new Set<XmlElement>();
  for (const each of old) {
    const equal = free.get(fingerprint(each))?.pop();
    if (equal === undefined) rest.push(each);
    else {
      used.add(equal);
      pairs.push({ old: each, now: equal });
    }
  }
  const others = now.filter((each) => !used.has(each));
  const length = Math.max(rest.length, others.length);
  for (let at = 0; at < length; at++) pairs.push(pairOf(rest[at], others[at]));
  return pairs;
}

const pairOf = (old: XmlElement | undefined, now: XmlElement | undefined): Pair => ({
  ...(old && { old }),
  ...(now && { now }),
});

/** Whether the elements that stayed have another order. */
function isReordered(pairs: readonly Pair[], before: XmlElement, after: XmlElement): boolean {
  const numbers = new Map(after.children.map((each, index) => [each, index]));
  const newOf = new Map(pairs.flatMap(({ old, now }) => (old && now ? [[old, now] as const] : [])));
  let last = -1;
  for (const each of before.children) {
    const now = newOf.get(each);
    const number = (now && numbers.get(now)) ?? last;
    if (number < last) return true;
    last = number;
  }
  return false;
}

/** Returns what siblings of the same name are told apart by. */
export function keyOf(element: XmlElement): string {
  const [naming] = namingAttributes(element).flatMap((name) => {
    const value = xmlAttribute(element, name)?.value;
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return naming === undefined ? element.name : `${element.name} ${naming}`;
}

/** Returns a text that is the same for elements that mean the same. The order of attributes does not count. */
export function fingerprint(element: XmlElement): string {
  const attributes = element.attributes
    .map(({ name, value }) => [name, value.value] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([element.name, attributes, element.children.map(fingerprint)]);
}
