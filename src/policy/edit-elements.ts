/**
 * Edits of settings in a policy's text: elements such as `<placement strict="watch"/>` or the jail of the defaults.
 * Comments, order and layout stay.
 */
import type { ProblemOrCause } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { editChecked, rootOf } from './edit.ts';
import { parsePolicy } from './parse.ts';
import { childrenOf, xmlAttribute, type XmlElement } from './xml.ts';
import { escapeAttribute, insertChild, setAttribute, textLayoutOf } from './xml-edit.ts';

/** An element among its siblings. Those that may be there several times are named by one attribute. */
export interface ElementName {
  readonly name: string;
  readonly named?: { readonly attribute: string; readonly value: string };
}

export type Attributes = Readonly<Record<string, string>>;

/**
 * Sets attributes of the element at the end of the path, which begins below the root. Elements that are missing on the
 * way are created, as the last child of their parent.
 */
export function setElement(
  text: string,
  path: readonly ElementName[],
  attributes: Attributes,
): Result<string, readonly ProblemOrCause[]> {
  return editChecked(text, (now) => {
    let result = now;
    for (let depth = 1; depth <= path.length; depth++) {
      const above = find(result, path.slice(0, depth - 1));
      const wanted = path[depth - 1];
      if (above === undefined || wanted === undefined) throw new Error('Lost an element');
      const isLast = depth === path.length;
      if (childOf(above, wanted) === undefined)
        result = insert(result, above, wanted, isLast ? attributes : {});
      else if (isLast) result = setAttributes(result, path, attributes);
    }
    return ok(result);
  });
}

/**
 * Sets an element of each of these tenants. Those that the policy does not name yet are added in one edit, since there may
 * be thousands.
 */
export function setForTenants(
  text: string,
  users: readonly string[],
  { name }: Pick<ElementName, 'name'>,
  attributes: Attributes,
): Result<string, readonly ProblemOrCause[]> {
  const paths = tenantPaths(rootOf(text));
  const added = users.filter((each) => !paths.has(each));
  let edited = addTenants(text, added, `<${name}${words(attributes)}/>`);
  for (const user of users) {
    const path = paths.get(user);
    if (!edited.ok) return edited;
    if (path !== undefined) edited = setElement(edited.value, [...path, { name }], attributes);
  }
  return edited;
}

/** Returns the path to the element of each tenant that the policy names by its account, also below a reseller. */
function tenantPaths(root: XmlElement): ReadonlyMap<string, readonly ElementName[]> {
  const paths = new Map<string, readonly ElementName[]>();
  const add = (parent: XmlElement, above: readonly ElementName[]) => {
    for (const tenant of childrenOf(parent, 'tenant')) {
      const value = xmlAttribute(tenant, 'user')?.value;
      if (value === undefined) continue;
      paths.set(value, [...above, { name: 'tenant', named: { attribute: 'user', value } }]);
    }
  };
  add(root, []);
  for (const reseller of childrenOf(root, 'reseller'))
    for (const attribute of ['user', 'uid']) {
      const value = xmlAttribute(reseller, attribute)?.value;
      if (value !== undefined) add(reseller, [{ name: 'reseller', named: { attribute, value } }]);
    }
  return paths;
}

const addTenants = (text: string, users: readonly string[], child: string) =>
  editChecked(text, (now) => {
    if (users.length === 0) return ok(now);
    const root = rootOf(now);
    const layout = textLayoutOf(now, root);
    const elements = users.map((user) => `<tenant${words({ user })}>${child}</tenant>`);
    const place = { parent: root, after: root.children.at(-1), blankLine: false };
    return ok(insertChild(now, layout, place, elements.join(layout.lineEnd + layout.step)));
  });

const words = (attributes: Attributes): string =>
  Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escapeAttribute(value)}"`)
    .join('');

/** Sets one attribute after the other, each in a fresh parse. */
function setAttributes(text: string, path: readonly ElementName[], attributes: Attributes): string {
  let result = text;
  for (const [name, value] of Object.entries(attributes)) {
    const element = find(result, path);
    if (element !== undefined) result = setAttribute(result, element, name, value);
  }
  return result;
}

function insert(
  text: string,
  parent: XmlElement,
  { name, named }: ElementName,
  attributes: Attributes,
): string {
  const all = named === undefined ? attributes : { [named.attribute]: named.value, ...attributes };
  const place = { parent, after: parent.children.at(-1), blankLine: false };
  return insertChild(text, textLayoutOf(text, rootOf(text)), place, `<${name}${words(all)}/>`);
}

/** Whether the text has the element; false if it does not parse. */
export const hasElement = (text: string, path: readonly ElementName[]): boolean =>
  parsePolicy('', text).document !== undefined && find(text, path) !== undefined;

/** Returns the element at the end of the path; the root for an empty one. */
function find(text: string, path: readonly ElementName[]): XmlElement | undefined {
  let element: XmlElement | undefined = rootOf(text);
  for (const each of path) element = element && childOf(element, each);
  return element;
}

const childOf = (parent: XmlElement, { name, named }: ElementName): XmlElement | undefined =>
  childrenOf(parent, name).find(
    (each) => named === undefined || xmlAttribute(each, named.attribute)?.value === named.value,
  );
