/** Sets and removes limits, and attributes such as the package, of one element in its text. */
import { limits } from '../../limits/limits.ts';
import type { Assignment } from '../assignment.ts';
import {
  escapeAttribute,
  insertChild,
  removeAttribute,
  removeElement,
  setAttribute,
  unwrapElement,
  type InsertPoint,
  type TextLayout,
} from '../xml-edit.ts';
import type { XmlElement } from '../xml.ts';

/** The element that assignments change, and its layout. */
export interface AssignmentPlace {
  /** Finds the element in a text that was edited since. */
  readonly find: (text: string) => XmlElement;
  readonly layout: TextLayout;
}

export const assignAll = (
  text: string,
  place: AssignmentPlace,
  assignments: readonly Assignment[],
): string => assignments.reduce((now, each) => assign(now, place, each), text);

function assign(text: string, place: AssignmentPlace, assignment: Assignment): string {
  const element = place.find(text);
  if (assignment.kind !== 'limit') return change(text, element, assignment.kind, assignment.value);
  const [limitName = '', attribute = ''] = assignment.key.split('.');
  const limit = element.children.find((each) => each.name === limitName);
  if (limit === undefined) {
    if (assignment.value === undefined) return text;
    const child = `<${limitName} ${attribute}="${escapeAttribute(assignment.value)}"/>`;
    return insertChild(text, place.layout, limitPlace(text, element, limitName), child);
  }
  const changed = change(text, limit, attribute, assignment.value);
  return assignment.value === undefined ? dropIfBare(changed, place, limitName) : changed;
}

function change(text: string, element: XmlElement, name: string, value: string | undefined) {
  return value === undefined
    ? removeAttribute(text, element, name)
    : setAttribute(text, element, name, value);
}

/** Removes a limit without attributes; comments inside it stay. */
function dropIfBare(text: string, { find }: AssignmentPlace, limitName: string): string {
  const limit = find(text).children.find((each) => each.name === limitName);
  if (limit === undefined || limit.attributes.length > 0) return text;
  const content = text.slice(limit.contentStart, limit.contentEnd);
  return content.trim() === '' ? removeElement(text, limit) : unwrapElement(text, limit);
}

const limitOrder = limits.map((limit) => limit.name);

/** Returns the place among the limits, in the order of the table, and before a reseller's tenants. */
function limitPlace(text: string, parent: XmlElement, limitName: string): InsertPoint {
  const present = parent.children.filter((each) => limitOrder.includes(each.name));
  const earlier = limitOrder.slice(0, limitOrder.indexOf(limitName));
  const after = present.findLast((each) => earlier.includes(each.name));
  const place = (element: XmlElement | undefined) => ({ parent, after: element, blankLine: false });
  const [first] = present;
  if (after !== undefined || first === undefined) return place(after);
  // As the first child it would come between a comment and the element it describes.
  const isPlain = text.slice(parent.contentStart, first.start).trim() === '';
  return place(isPlain ? undefined : present.at(-1));
}
