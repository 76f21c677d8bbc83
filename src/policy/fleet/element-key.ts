/** The names by which elements of two layers are matched: an element of a later layer changes the one with its key. */
import { elements } from '../vocabulary.ts';

/**
 * The attributes that name each element which may be there several times. `one of`: whichever it has. Two elements of one
 * layer with the same key are matched in their order.
 */
const keyAttributes: Readonly<Record<string, readonly string[]>> = {
  // The receivers of alerts, and what they are about.
  mail: ['to', 'address', 'limits'],
  webhook: ['to', 'url', 'limits'],
  digest: ['to', 'address'],
  plan: ['name', 'owner'],
  tenants: ['uids'],
  package: ['name'],
  reseller: ['user', 'uid'],
  tenant: ['user', 'uid'],
  site: ['name'],
  app: ['name'],
  env: ['name'],
  path: ['at'],
  refuse: ['address', 'ports', 'protocol'],
  allow: ['address', 'ports', 'protocol'],
  server: ['socket'],
  account: ['name'],
  deny: ['name'],
  group: ['name'],
};

/** Elements of a fleet that are not merged: each is one of its own. */
const unmerged: ReadonlySet<string> = new Set(['on', 'wave']);

/** Returns the attributes that name an element among its siblings; none if it can be there only once. */
export function keyAttributesOf(element: string): readonly string[] {
  if (elements[element]?.repeats !== true) return [];
  const attributes = keyAttributes[element];
  if (attributes === undefined && !unmerged.has(element))
    throw new Error(`No key for the element "${element}"`);
  return attributes ?? [];
}

/** Returns the key of an element, from the values of its attributes. */
export function elementKey(
  element: string,
  valueOf: (attribute: string) => string | undefined,
): string {
  const attributes = keyAttributesOf(element);
  if (attributes.length === 0) return element;
  const values = attributes.map((each) => {
    const value = valueOf(each);
    return value === undefined ? null : normal(element, each, value);
  });
  // Values may have any character.
  return element + JSON.stringify(values);
}

/** Attributes with lists, which are the same in any spacing. */
const lists: ReadonlySet<string> = new Set(['uids', 'limits', 'ports']);

function normal(element: string, attribute: string, value: string): string {
  if (lists.has(attribute))
    return value
      .trim()
      .split(/[\s,]+/)
      .join(' ');
  // Upper and lower case of a host name are the same.
  return element === 'site' ? value.toLowerCase() : value;
}
