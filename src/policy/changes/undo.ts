/**
 * Undoes an earlier change in the text of now, which others may have edited since: comments, layout and later changes
 * stay. If something that the change had set has another value now, nothing is undone.
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { Diagnostics } from '../diagnostic.ts';
import { rootOf } from '../edit.ts';
import {
  insertChild,
  removeAttribute,
  removeElement,
  setAttribute,
  textLayoutOf,
} from '../xml-edit.ts';
import { parseXml, xmlAttribute, type XmlElement } from '../xml.ts';
import {
  comparePolicies,
  fingerprint,
  keyOf,
  type ElementPath,
  type PolicyChange,
} from './compare.ts';
import { describeChange, valueChanges } from './describe.ts';

/** More would take minutes: elements are added and removed one by one, and each value is looked up. */
const elementsMax = 500;
const valuesMax = 5_000;

interface ChangedTexts {
  readonly before: string;
  readonly after: string;
}

const severalNow = 'there are several such elements now';

type Edited = Result<string, Cause>;
type SetChange = PolicyChange & { readonly kind: 'set' };

/** Returns the text without the change from `before` to `after`. The errors are conflicts. */
export function undoChange(now: string, texts: ChangedTexts): Result<string, readonly Cause[]> {
  const undone = undoParts(now, texts);
  if (!undone.ok) return undone;
  const { text, conflicts } = undone.value;
  return conflicts.length === 0 ? ok(text) : fail(conflicts);
}

export interface UndoneInPart {
  readonly text: string;
  /** Why the rest of the change stays. */
  readonly conflicts: readonly Cause[];
  /** Whether its parts could be looked for; otherwise nobody knows whether the text has any of them. */
  readonly isCompared: boolean;
}

/** Does the same for what nobody has changed since; later changes stay. */
export function undoInPart(now: string, texts: ChangedTexts): UndoneInPart {
  const undone = undoParts(now, texts);
  return undone.ok ? undone.value : { text: now, conflicts: undone.error, isCompared: false };
}

function undoParts(now: string, texts: ChangedTexts): Result<UndoneInPart, readonly Cause[]> {
  const roots = [texts.before, texts.after, now].map((text) =>
    parseXml(text, new Diagnostics('', text)),
  );
  const [before, after, present] = roots;
  if (before === undefined || after === undefined || present === undefined)
    return fail([{ reason: 'one of the texts is not XML, so only the last change can be undone' }]);
  const changes = comparePolicies(before, after);
  if (changes.length === 0)
    return fail([
      { reason: 'it changed only comments and layout, which only the last change gives back' },
    ]);
  const sets = changes.filter((each) => each.kind === 'set');
  if (sets.length > valuesMax || changes.length - sets.length > elementsMax)
    return fail([
      {
        reason: `it changed too much: the maximum is ${elementsMax} elements and ${valuesMax} values`,
      },
    ]);
  const undone = undoSets(now, present, sets);
  const conflicts = [...undone.conflicts];
  let { text } = undone;
  for (const change of changes.toReversed()) {
    if (change.kind === 'set') continue;
    const edited = undoOne(text, change, texts.before);
    if (edited.ok) text = edited.value;
    else conflicts.push(edited.error);
  }
  return ok({ text, conflicts, isCompared: true });
}

function undoOne(text: string, change: Exclude<PolicyChange, SetChange>, before: string): Edited {
  switch (change.kind) {
    case 'added':
      return undoAdded(text, change);
    case 'removed':
      return undoRemoved(text, change, before);
    case 'order':
      return conflict(change, 'the order of elements cannot be changed back');
  }
}

/**
 * Undoes all changes of attributes at once, from the end of the text to its start, where the offsets of what is still to
 * be edited stay. An attribute is added at the end of its start tag, so before the others of its element.
 */
function undoSets(
  now: string,
  root: XmlElement,
  changes: readonly SetChange[],
): { readonly text: string; readonly conflicts: readonly Cause[] } {
  const conflicts: Cause[] = [];
  const edited = new Map<XmlElement, Set<string>>();
  const edits = changes.flatMap((change) => {
    const found = setTarget(root, change);
    if (!found.ok) conflicts.push(found.error);
    if (!found.ok || found.value === undefined) return [];
    const element = found.value;
    const attributes = edited.get(element) ?? new Set();
    if (attributes.has(change.attribute)) {
      conflicts.push(causeOfConflict(change, severalNow));
      return [];
    }
    edited.set(element, attributes.add(change.attribute));
    return [{ change, element }];
  });
  const offset = ({ change, element }: (typeof edits)[number]) =>
    element.attributes.find(({ name }) => name === change.attribute)?.start ?? element.contentStart;
  let text = now;
  for (const { change, element } of edits.toSorted((a, b) => offset(b) - offset(a))) {
    const { attribute, from } = change;
    text =
      from === undefined
        ? removeAttribute(text, element, attribute)
        : setAttribute(text, element, attribute, from);
  }
  return { text, conflicts };
}

/** Returns the element to edit; none if the attribute has its former value. */
function setTarget(root: XmlElement, change: SetChange): Result<XmlElement | undefined, Cause> {
  const found = findPath(root, change.path);
  if (!found.ok) return conflict(change, found.error);
  const value = xmlAttribute(found.value, change.attribute)?.value;
  if (value === change.from) return ok(undefined);
  if (value === change.to) return found;
  return conflict(change, value === undefined ? 'it is not set now' : `it is "${value}" now`);
}

function undoAdded(text: string, change: PolicyChange & { readonly kind: 'added' }): Edited {
  const parent = findPath(rootOf(text), change.path.slice(0, -1));
  // What is in an element that somebody removed is removed as well.
  if (!parent.ok) return ok(text);
  const found = findChild(parent.value, change.element);
  if (found === undefined) return ok(text);
  if (found === 'several' || fingerprint(found) !== fingerprint(change.element))
    return conflict(change, 'it was changed since');
  return ok(removeElement(text, found));
}

function undoRemoved(
  text: string,
  change: PolicyChange & { readonly kind: 'removed' },
  before: string,
): Edited {
  const { element, path } = change;
  const parent = findPath(rootOf(text), path.slice(0, -1));
  if (!parent.ok) return conflict(change, parent.error);
  const sameMax = (element.parent?.children ?? []).filter((each) => keyOf(each) === keyOf(element));
  const same = parent.value.children.filter((each) => keyOf(each) === keyOf(element));
  if (same.some((each) => fingerprint(each) === fingerprint(element)) && sameMax.length === 1)
    return ok(text);
  if (same.length >= sameMax.length) return conflict(change, 'there is another one now');
  const place = {
    parent: parent.value,
    after: siblingBefore(parent.value, element),
    blankLine: hasBlankBefore(before, element),
  };
  const child = before.slice(element.start, element.end);
  return ok(insertChild(text, textLayoutOf(text, rootOf(text)), place, child));
}

/** Returns the nearest element before the removed one that is there now. */
function siblingBefore(parent: XmlElement, element: XmlElement): XmlElement | undefined {
  const siblings = element.parent?.children ?? [];
  for (const sibling of siblings.slice(0, siblings.indexOf(element)).toReversed()) {
    const found = findChild(parent, sibling);
    if (found !== undefined && found !== 'several') return found;
  }
  return undefined;
}

const hasBlankBefore = (text: string, { start }: XmlElement): boolean =>
  /\n[ \t]*\r?\n[ \t]*$/.test(text.slice(Math.max(0, start - 200), start));

function findPath(root: XmlElement, path: ElementPath): Result<XmlElement, string> {
  let element = root;
  for (const step of path) {
    const found = findChild(element, step);
    if (found === undefined) return fail('the element is no longer there');
    if (found === 'several') return fail(severalNow);
    element = found;
  }
  return ok(element);
}

/** Finds the child of the same name; among several unnamed ones, an equal one. */
function findChild(parent: XmlElement, wanted: XmlElement): XmlElement | 'several' | undefined {
  const key = keyOf(wanted);
  const found = parent.children.filter((each) => keyOf(each) === key);
  if (found.length <= 1) return found[0];
  const print = fingerprint(wanted);
  return found.find((each) => fingerprint(each) === print) ?? 'several';
}

const conflict = (change: PolicyChange, reason: string): Result<never, Cause> =>
  fail(causeOfConflict(change, reason));

function causeOfConflict(change: PolicyChange, reason: string): Cause {
  const [first] = valueChanges([change]);
  const what = first === undefined ? 'a change' : `"${describeChange(first)}"`;
  return { reason: `${what} cannot be undone: ${reason}` };
}
