/**
 * A tenant moves from one host of a fleet to another, as edits of fleet.xml. While it moves, both hosts have it: the
 * target gets its limits before the account exists, and the source keeps them until the account is gone.
 *
 *     <on host="web-017"><tenant user="alice" package="business"/></on>
 *     <on host="web-101"><tenant user="alice" package="business"/></on>    <!-- until the move ends: both -->
 */
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { LineIndex } from '../../diagnostic.ts';
import { rootOf } from '../../edit.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../../xml.ts';
import { escapeAttribute, insertChild, removeElement, textLayoutOf } from '../../xml-edit.ts';
import type { FleetPolicy } from '../fleet-policy.ts';

export interface TenantMove {
  /** The name of the account. */
  readonly tenant: string;
  readonly from: string;
  readonly to: string;
}

export interface EditedMove {
  readonly text: string;
  /** The package of the tenant; absent if its element names none. */
  readonly package?: string;
}

interface FoundTenant {
  readonly element: XmlElement;
  /** The reseller that it is inside. */
  readonly reseller?: string;
  /** The hosts of the element; undefined: all. */
  readonly hosts?: ReadonlySet<string>;
}

/** Returns the text in which the target has the tenant too. */
export function beginMove(
  text: string,
  fleet: FleetPolicy,
  move: TenantMove,
): Result<EditedMove, Cause> {
  const { tenant, from, to } = move;
  const source = ownElement(text, fleet, move);
  if (!source.ok) return source;
  const there = elementsOn(text, fleet, tenant, to)[0];
  if (there !== undefined)
    return fail({
      reason: `${to} has "${tenant}" already, by line ${lineOf(text, there.element)}`,
      hint: `if that is this move, end it with --finish once the account is gone from ${from}`,
    });
  const { element, reseller } = source.value;
  const copy = text.slice(element.start, element.end);
  if (reseller !== undefined && !hasReseller(text, fleet, to, reseller))
    return fail({
      reason: `"${tenant}" belongs to the reseller "${reseller}", which ${to} does not have`,
      hint: `write <reseller user="${reseller}"/> into <on host="${to}"> first`,
    });
  const name = xmlAttribute(element, 'package')?.value;
  const edited = withTenant(text, fleet, to, { copy, reseller });
  return ok({ text: edited, ...(name !== undefined && { package: name }) });
}

/** Returns the text in which only the target has the tenant. */
export function finishMove(
  text: string,
  fleet: FleetPolicy,
  move: TenantMove,
): Result<EditedMove, Cause> {
  const { tenant, to } = move;
  const source = ownElement(text, fleet, move);
  if (!source.ok) return source;
  if (elementsOn(text, fleet, tenant, to).length === 0)
    return fail({
      reason: `${to} does not have "${tenant}"`,
      hint: 'run the command without --finish first',
    });
  return ok({ text: removeElement(text, source.value.element) });
}

/** Finds the one element that only the source has. */
function ownElement(
  text: string,
  fleet: FleetPolicy,
  { tenant, from }: TenantMove,
): Result<FoundTenant, Cause> {
  const found = elementsOn(text, fleet, tenant, from);
  const [first] = found;
  if (first === undefined)
    return fail({
      reason: `fleet.xml has no <tenant user="${tenant}"> for ${from}`,
      hint: `if the host's own file has it, as panels and "bulkhead set" write it, the fleet has nothing to move: the panel sets it on the target, and "bulkhead history export" takes its history along`,
    });
  const lines = found.map(({ element }) => lineOf(text, element)).join(' and ');
  if (found.length > 1)
    return fail({
      reason: `fleet.xml has "${tenant}" for ${from} in lines ${lines}`,
      hint: `write it once, into <on host="${from}">`,
    });
  if (first.hosts?.size === 1) return ok(first);
  return fail({
    reason: `line ${lines} has "${tenant}" for ${first.hosts === undefined ? 'all hosts' : `${first.hosts.size} hosts`}, not for ${from} alone`,
    hint: `write it into <on host="${from}"> first`,
  });
}

/** Returns the tenant's elements that a host gets, in the order of the file. */
function elementsOn(
  text: string,
  fleet: FleetPolicy,
  tenant: string,
  host: string,
): readonly FoundTenant[] {
  const root = rootOf(text);
  return [
    ...elementsIn(root, tenant),
    ...childrenOf(root, 'on').flatMap((on, index) => {
      const hosts = fleet.layers[index]?.hosts;
      if (hosts?.has(host) !== true) return [];
      return elementsIn(on, tenant).map((each) => ({ ...each, hosts }));
    }),
  ];
}

function elementsIn(parent: XmlElement, tenant: string): readonly FoundTenant[] {
  const named = (each: XmlElement) => xmlAttribute(each, 'user')?.value === tenant;
  return [
    ...childrenOf(parent, 'tenant')
      .filter(named)
      .map((element) => ({ element })),
    ...childrenOf(parent, 'reseller').flatMap((reseller) => {
      const name = xmlAttribute(reseller, 'user')?.value ?? '';
      return childrenOf(reseller, 'tenant')
        .filter(named)
        .map((element) => ({ element, reseller: name }));
    }),
  ];
}

function hasReseller(text: string, fleet: FleetPolicy, host: string, name: string): boolean {
  const root = rootOf(text);
  const ons = childrenOf(root, 'on').filter((_, index) => fleet.layers[index]?.hosts.has(host));
  return [root, ...ons].some((each) => resellerIn(each, name) !== undefined);
}

const resellerIn = (parent: XmlElement, name: string): XmlElement | undefined =>
  childrenOf(parent, 'reseller').find((each) => xmlAttribute(each, 'user')?.value === name);

interface TenantCopy {
  readonly copy: string;
  readonly reseller: string | undefined;
}

/** Adds a tenant to the last <on> of this host alone, or to a new one at the end. */
function withTenant(
  text: string,
  fleet: FleetPolicy,
  host: string,
  { copy, reseller }: TenantCopy,
): string {
  const root = rootOf(text);
  const layout = textLayoutOf(text, root);
  const add = (parent: XmlElement, child: string) =>
    insertChild(text, layout, { parent, after: parent.children.at(-1), blankLine: false }, child);
  const own = childrenOf(root, 'on').findLast((_, index) => {
    const hosts = fleet.layers[index]?.hosts;
    return hosts?.size === 1 && hosts.has(host);
  });
  const above = reseller === undefined ? undefined : own && resellerIn(own, reseller);
  if (above !== undefined) return add(above, copy);
  const child =
    reseller === undefined
      ? copy
      : `<reseller user="${escapeAttribute(reseller)}">${copy}</reseller>`;
  if (own !== undefined) return add(own, child);
  const [outer, inner] = [layout.lineEnd + layout.step, layout.lineEnd + layout.step.repeat(2)];
  return add(root, `<on host="${escapeAttribute(host)}">${inner}${child}${outer}</on>`);
}

const lineOf = (text: string, { start }: XmlElement): number => new LineIndex(text).at(start).line;
