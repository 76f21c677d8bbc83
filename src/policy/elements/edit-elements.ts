/**
 * Edits of settings in a policy's text: elements such as `<placement strict="watch"/>` or the jail of the defaults.
 * Comments, order and layout stay.
 */
import type { ProblemOrCause } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { editChecked, rootOf } from '../edit.ts';
import { parsePolicy } from '../parse.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import {
  escapeAttribute,
  insertChild,
  setAttribute,
  textLayoutOf,
  type TextLayout,
} from '../xml-edit.ts';

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

/** A tenant, which a policy may name by either. */
export interface TenantAccount {
  readonly user: string;
  readonly uid: number;
}

/**
 * Sets an element with one attribute for each of these tenants, in one edit, since there may be thousands. Those that the
 * policy does not name yet are added.
 */
export function setForTenants(
  text: string,
  accounts: readonly TenantAccount[],
  { name }: Pick<ElementName, 'name'>,
  attribute: readonly [name: string, value: string],
): Result<string, readonly ProblemOrCause[]> {
  return editChecked(text, (now) => {
    const root = rootOf(now);
    const layout = textLayoutOf(now, root);
    const child = `<${name}${words(Object.fromEntries([attribute]))}/>`;
    const named = namedTenants(root);
    const elementOf = ({ user, uid }: TenantAccount) => named.get(user) ?? named.get(uid);
    const added = accounts.filter((each) => elementOf(each) === undefined);
    let result = addTenants(now, root, layout, added, child);
    // From the last to the first: an edit moves only what is behind it.
    const there = accounts.flatMap((each) => elementOf(each) ?? []);
    for (const tenant of there.toSorted((a, b) => b.start - a.start)) {
      const old = childrenOf(tenant, name)[0];
      const place = { parent: tenant, after: tenant.children.at(-1), blankLine: false };
      result =
        old === undefined
          ? insertChild(result, layout, place, child)
          : setAttribute(result, old, ...attribute);
    }
    return ok(result);
  });
}

/** Returns the elements of tenants by the account's name or the uid, whichever the policy has; also those of resellers. */
export function namedTenants(root: XmlElement): ReadonlyMap<string | number, XmlElement> {
  const named = new Map<string | number, XmlElement>();
  for (const parent of [root, ...childrenOf(root, 'reseller')])
    for (const tenant of childrenOf(parent, 'tenant')) {
      const user = xmlAttribute(tenant, 'user')?.value;
      const uid = xmlAttribute(tenant, 'uid')?.value;
      if (user !== undefined) named.set(user, tenant);
      if (uid !== undefined) named.set(Number(uid), tenant);
    }
  return named;
}

function addTenants(
  text: string,
  root: XmlElement,
  layout: TextLayout,
  accounts: readonly TenantAccount[],
  child: string,
): string {
  if (accounts.length === 0) return text;
  const elements = accounts.map(({ user }) => `<tenant${words({ user })}>${child}</tenant>`);
  const place = { parent: root, after: root.children.at(-1), blankLine: false };
  return insertChild(text, layout, place, elements.join(layout.lineEnd + layout.step));
}

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
