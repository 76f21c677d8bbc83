/**
 * Edits of a policy in its text, at the parser's offsets: comments, order and layout stay.
 *
 * An edit consists of several small ones, each on a fresh parse of the text. The result is validated:
 * an edit that would introduce an error is refused as a whole. Existing errors do not matter, so that
 * a command can fix them.
 */
import type { Cause, Problem, ProblemOrCause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import type { Assignment, OwnAttribute } from './assignment.ts';
import {
  Diagnostics,
  LineIndex,
  formatDiagnostic,
  suggestion,
  type Diagnostic,
} from './diagnostic.ts';
import type { TenantName } from './document.ts';
import {
  escapeAttribute,
  insertChild,
  textLayoutOf,
  removeElement,
  type InsertPoint,
} from './xml-edit.ts';
import { limitAttribute } from '../limits/limits.ts';
import { assignAll } from './elements/assign.ts';
import { parsePolicy } from './parse.ts';
import { specOf } from './vocabulary.ts';
import { count } from '../../packages/base/list.ts';
import { childrenOf, parseXml, xmlAttribute, type XmlElement } from './xml.ts';

/** The element to edit. */
export type EditTarget =
  | { readonly kind: 'defaults' }
  | { readonly kind: 'package'; readonly name: string }
  | AccountTarget
  /** A site; its name is in lower case. */
  | { readonly kind: 'site'; readonly name: string; readonly tenant: AccountTarget };

export interface AccountTarget {
  readonly kind: 'tenant' | 'reseller';
  readonly name: TenantName;
  readonly alias?: TenantName;
}

type Edited = Result<string, readonly ProblemOrCause[]>;

/** Sets and removes limits, and the package; the element is created if there is none. */
export const setLimits = (
  text: string,
  target: EditTarget,
  assignments: readonly Assignment[],
): Edited => editChecked(text, (now) => withLimits(now, target, assignments));

/** Does the same as one of several edits that are checked together. */
export function withLimits(
  text: string,
  target: EditTarget,
  assignments: readonly Assignment[],
): Edited {
  const problem = assignmentProblem(text, target, assignments);
  if (problem !== undefined) return fail([problem]);
  const removesOnly = assignments.every((each) => each.value === undefined);
  const found = find(text, target);
  if (!found.ok) return found;
  if (found.value === undefined && removesOnly) return fail([absent(target)]);
  const start = found.value === undefined ? create(text, target) : text;
  const place = {
    find: (now: string) => mustFind(now, target),
    layout: textLayoutOf(start, rootOf(start)),
  };
  return ok(assignAll(start, place, assignments));
}

/** Adds a tenant to a reseller; one that is elsewhere must be removed there first. */
export function addTenant(text: string, reseller: EditTarget, tenant: AccountTarget): Edited {
  return editChecked(text, (now) => {
    const there = find(now, tenant);
    if (!there.ok) return there;
    const parent = find(now, reseller);
    if (!parent.ok) return parent;
    if (parent.value === undefined) return fail([absent(reseller)]);
    if (there.value !== undefined) {
      const where = there.value.parent === parent.value ? 'that reseller' : 'the policy';
      return fail([
        {
          reason: `${capital(formatTarget(tenant))} is already in ${where}, in line ${lineOf(now, there.value)}`,
        },
      ]);
    }
    const after = parent.value.children.at(-1);
    const place = { parent: parent.value, after, blankLine: false };
    return ok(insertChild(now, textLayoutOf(now, rootOf(now)), place, newElement(tenant)));
  });
}

interface RemoveOptions {
  readonly withTenants?: boolean;
}

/** Removes an element with its content; a package that is in use is refused. */
export const removeTarget = (text: string, target: EditTarget, options: RemoveOptions = {}) =>
  editChecked(text, (now) => withoutTarget(now, target, options));

/** Does the same as one of several edits that are checked together. */
export function withoutTarget(
  text: string,
  target: EditTarget,
  { withTenants = false }: RemoveOptions = {},
): Edited {
  const found = find(text, target);
  if (!found.ok) return found;
  if (found.value === undefined) return fail([absent(target)]);
  const problem = removalProblem(text, target, found.value, withTenants);
  return problem === undefined ? ok(removeElement(text, found.value)) : fail([problem]);
}

/** Edits a text that parses; an edit that would introduce an error is refused as a whole. */
export function editChecked(text: string, change: (text: string) => Edited): Edited {
  const before = parsePolicy('', text);
  if (before.document === undefined) {
    return fail(
      before.diagnostics.list.map((each) => ({
        reason: formatDiagnostic({ ...each, file: 'policy' }),
      })),
    );
  }
  const edited = change(text);
  if (!edited.ok) return edited;
  const errors = newErrors(before.diagnostics.list, parsePolicy('', edited.value).diagnostics.list);
  return errors.length > 0 ? fail(errors.map(({ message }) => ({ reason: message }))) : edited;
}

/** Returns errors of the new text that the old one did not have. */
export function newErrors(
  before: readonly Diagnostic[],
  after: readonly Diagnostic[],
): readonly Diagnostic[] {
  const isError = (each: Diagnostic) => each.severity === 'error';
  return newDiagnostics(before.filter(isError), after.filter(isError));
}

/** Returns diagnostics of the new text that the old one did not have. Positions move, so messages are counted. */
export function newDiagnostics(
  before: readonly Diagnostic[],
  after: readonly Diagnostic[],
): readonly Diagnostic[] {
  const known = new Map<string, number>();
  for (const { message } of before) known.set(message, (known.get(message) ?? 0) + 1);
  return after.filter(({ message }) => {
    const left = known.get(message) ?? 0;
    known.set(message, left - 1);
    return left <= 0;
  });
}

/** The text that was parsed last: one edit needs its root several times. */
let parsed: { readonly text: string; readonly root: XmlElement } | undefined;

/** Returns the root. The text is well-formed: it was parsed before, and edits keep it so. */
export function rootOf(text: string): XmlElement {
  if (parsed?.text === text) return parsed.root;
  const diagnostics = new Diagnostics('', text);
  const root = parseXml(text, diagnostics);
  if (root === undefined) throw new Error(`An edit broke the XML: ${diagnostics.list[0]?.message}`);
  parsed = { text, root };
  return root;
}

/** Finds the element of a target; none if the policy has none for it. */
export function find(
  text: string,
  target: EditTarget,
): Result<XmlElement | undefined, readonly Problem[]> {
  const found = candidates(text, target);
  if (!found.ok || found.value.length < 2) return found.ok ? ok(found.value[0]) : found;
  const lines = found.value.map((each) => lineOf(text, each)).join(' and ');
  return fail([
    {
      action: `edit ${formatTarget(target)}`,
      reason: `it is there ${found.value.length} times, in lines ${lines}`,
      hint: 'leave one of them',
    },
  ]);
}

function candidates(
  text: string,
  target: EditTarget,
): Result<readonly XmlElement[], readonly Problem[]> {
  const isTarget = (each: XmlElement) => each.name === target.kind && isNamed(each, target);
  const root = rootOf(text);
  if (target.kind === 'site') {
    const tenant = find(text, target.tenant);
    return tenant.ok ? ok((tenant.value?.children ?? []).filter(isTarget)) : tenant;
  }
  const resellers = target.kind === 'tenant' ? childrenOf(root, 'reseller') : [];
  return ok([root, ...resellers].flatMap((each) => each.children.filter(isTarget)));
}

function isNamed(element: XmlElement, target: EditTarget): boolean {
  const name = xmlAttribute(element, 'name')?.value;
  switch (target.kind) {
    case 'defaults':
      return true;
    case 'package':
      return name === target.name;
    case 'site':
      return name?.toLowerCase() === target.name;
    case 'tenant':
    case 'reseller':
      return [target.name, target.alias].some((each) => each !== undefined && isOf(element, each));
  }
}

function isOf(element: XmlElement, name: TenantName): boolean {
  if (name.kind === 'user') return xmlAttribute(element, 'user')?.value === name.user;
  const uid = xmlAttribute(element, 'uid')?.value;
  return uid !== undefined && /^\d+$/.test(uid) && Number(uid) === name.uid;
}

function mustFind(text: string, target: EditTarget): XmlElement {
  const found = find(text, target);
  if (!found.ok || found.value === undefined) throw new Error(`Lost ${formatTarget(target)}`);
  return found.value;
}

/** The default order of elements. */
const topOrder = ['host', 'tenants', 'defaults', 'package', 'reseller', 'tenant', 'symlinks'];

function create(text: string, target: EditTarget): string {
  if (target.kind === 'site') return createSite(text, target);
  const root = rootOf(text);
  const before = topOrder.slice(0, topOrder.indexOf(target.kind) + 1);
  const after = root.children.findLast((each) => before.includes(each.name));
  const place: InsertPoint = { parent: root, after, blankLine: hasBlankBefore(text, root, after) };
  return insertChild(text, textLayoutOf(text, root), place, newElement(target));
}

/** Creates a site after the limits of its tenant; creates the tenant if a range of uids makes it one. */
function createSite(text: string, target: Extract<EditTarget, { kind: 'site' }>): string {
  const now = isThere(text, target.tenant) ? text : create(text, target.tenant);
  const parent = mustFind(now, target.tenant);
  const place = { parent, after: parent.children.at(-1), blankLine: false };
  return insertChild(now, textLayoutOf(now, rootOf(now)), place, newElement(target));
}

function isThere(text: string, target: EditTarget): boolean {
  const found = find(text, target);
  return found.ok && found.value !== undefined;
}

/** Whether the element that the new one follows has an empty line before it. */
function hasBlankBefore(text: string, root: XmlElement, element: XmlElement | undefined): boolean {
  if (element === undefined) return false;
  const index = root.children.indexOf(element);
  const from = root.children[index - 1]?.end ?? root.contentStart;
  return /\n[ \t]*\r?\n/.test(text.slice(from, element.start));
}

function newElement(target: EditTarget): string {
  if (target.kind === 'defaults') return '<defaults/>';
  if (target.kind === 'package' || target.kind === 'site')
    return `<${target.kind} name="${escapeAttribute(target.name)}"/>`;
  const { name } = target;
  return name.kind === 'user'
    ? `<${target.kind} user="${escapeAttribute(name.user)}"/>`
    : `<${target.kind} uid="${name.uid}"/>`;
}

/** The elements that have each attribute besides limits. */
const holders: Readonly<Record<OwnAttribute, readonly EditTarget['kind'][]>> = {
  package: ['tenant', 'reseller'],
  may: ['reseller'],
  for: ['package'],
};

/** Returns why assignments cannot be made, whatever the element has. */
export const assignmentProblem = (
  text: string,
  target: EditTarget,
  assignments: readonly Assignment[],
): Cause | undefined => attributeProblem(target, assignments) ?? packageProblem(text, assignments);

function attributeProblem(
  target: EditTarget,
  assignments: readonly Assignment[],
): Cause | undefined {
  const { withoutLimits } = specOf(target.kind);
  for (const each of assignments) {
    const { kind } = each;
    if (kind === 'limit') {
      const { limit } = limitAttribute(each.key);
      const why = each.value === undefined ? undefined : withoutLimits?.[limit.name];
      if (why === undefined) continue;
      return { reason: `<${limit.name}> cannot be inside <${target.kind}>: ${why}` };
    }
    if (holders[kind].includes(target.kind)) continue;
    return {
      reason: `"${kind}" cannot be set for ${formatTarget(target)}`,
      hint: `it is for ${holders[kind].map((each) => `${each}s`).join(' and ')}`,
    };
  }
  return undefined;
}

function packageProblem(text: string, assignments: readonly Assignment[]): Cause | undefined {
  const assignment = assignments.find((each) => each.kind === 'package');
  if (assignment?.value === undefined) return undefined;
  // The policy of the host's fleet may have the package: whoever resolves both finds out.
  if (childrenOf(rootOf(text), 'fleet').length > 0) return undefined;
  const known = childrenOf(rootOf(text), 'package').map(
    (each) => xmlAttribute(each, 'name')?.value ?? '',
  );
  if (known.includes(assignment.value)) return undefined;
  return {
    reason: `There is no package "${assignment.value}"${suggestion(assignment.value, known)}`,
  };
}

function removalProblem(
  text: string,
  target: EditTarget,
  element: XmlElement,
  withTenants: boolean,
): Problem | undefined {
  const action = `remove ${formatTarget(target)}`;
  if (target.kind === 'package') {
    const users = usersOf(rootOf(text), target.name);
    const [first] = users;
    if (first === undefined) return undefined;
    const lines = users.slice(0, 5).map((each) => lineOf(text, each));
    const more = users.length > lines.length ? ', …' : '';
    const where = `${lines.length === 1 ? 'line' : 'lines'} ${lines.join(', ')}${more}`;
    return { action, reason: `it is inherited from in ${where}` };
  }
  const tenants = childrenOf(element, 'tenant').length;
  if (target.kind !== 'reseller' || tenants === 0 || withTenants) return undefined;
  return {
    action,
    reason: `it has ${count(tenants, 'tenant')}`,
    hint: 'pass --with-tenants to remove their elements, too',
  };
}

function usersOf(root: XmlElement, name: string): readonly XmlElement[] {
  return root.children
    .flatMap((each) => [each, ...each.children])
    .filter((each) => xmlAttribute(each, 'package')?.value === name);
}

const lineOf = (text: string, element: XmlElement) => new LineIndex(text).at(element.start).line;

const absent = (target: EditTarget): Cause => ({
  reason: `The policy has no element for ${formatTarget(target)}`,
});
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * Describes a target: `tenant "alice"`, `tenant uid 1001`, `package "business"`, `the defaults`, `site "a.example" of
 * tenant "alice"`.
 */
export function formatTarget(target: EditTarget): string {
  if (target.kind === 'defaults') return 'the defaults';
  if (target.kind === 'package') return `package "${target.name}"`;
  if (target.kind === 'site') return `site "${target.name}" of ${formatTarget(target.tenant)}`;
  const { name } = target;
  return `${target.kind} ${name.kind === 'user' ? `"${name.user}"` : `uid ${name.uid}`}`;
}
