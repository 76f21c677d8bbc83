/**
 * Edits of XML text that keep its layout: indentation, line ends, comments, quotes.
 *
 * Each function takes the text and an element of it, and returns the new text, in which old offsets are not valid.
 * Outside the edited place, every character stays.
 */
import type { XmlElement } from './xml.ts';

export interface TextLayout {
  readonly lineEnd: string;
  /** One step of indentation. */
  readonly step: string;
}

const defaultStep = '  ';
/** The number of elements inspected; the first ones of a file show how it is indented. */
const samplesMax = 500;

export function textLayoutOf(text: string, root: XmlElement): TextLayout {
  const newline = text.indexOf('\n');
  return { lineEnd: text[newline - 1] === '\r' ? '\r\n' : '\n', step: stepOf(text, root) };
}

/** Returns the most common difference between an element's indentation and its parent's. */
function stepOf(text: string, root: XmlElement): string {
  const counts = new Map<string, number>();
  const sample = root.children.slice(0, samplesMax);
  for (const element of [...sample, ...sample.flatMap((each) => each.children.slice(0, 8))]) {
    const own = indentOf(text, element);
    const above = element.parent && indentOf(text, element.parent);
    if (own === undefined || above === undefined || own === above) continue;
    if (!own.startsWith(above)) continue;
    const step = own.slice(above.length);
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  const [commonest] = [...counts].sort((a, b) => b[1] - a[1]);
  return commonest?.[0] ?? defaultStep;
}

/** Returns the white space before an element, if nothing else is before it on its line. */
function indentOf(text: string, element: XmlElement): string | undefined {
  const before = text.slice(lineStart(text, element.start), element.start);
  const indent = before.startsWith('\uFEFF') ? before.slice(1) : before;
  return isBlank(indent) ? indent : undefined;
}

export function setAttribute(
  text: string,
  element: XmlElement,
  name: string,
  value: string,
): string {
  const attribute = element.attributes.find((each) => each.name === name);
  if (attribute !== undefined) {
    const { start, end } = attribute.value;
    return splice(text, start, end, escapeAttribute(value));
  }
  const at = headEnd(element);
  return splice(text, at, at, `${attributeGap(text, element)}${name}="${escapeAttribute(value)}"`);
}

/** Returns the separator before a new attribute: a new line if the last one has its own. */
function attributeGap(text: string, element: XmlElement): string {
  const last = element.attributes.at(-1);
  if (last === undefined) return ' ';
  const gap = text.slice(tokenEndBefore(element, element.attributes.length - 1), last.start);
  return gap.includes('\n') ? gap : ' ';
}

export function removeAttribute(text: string, element: XmlElement, name: string): string {
  const index = element.attributes.findIndex((each) => each.name === name);
  const attribute = element.attributes[index];
  if (attribute === undefined) return text;
  return splice(text, tokenEndBefore(element, index), attribute.end, '');
}

/** Returns the end of the attribute before the one at `index`, or of the element's name. */
function tokenEndBefore(element: XmlElement, index: number): number {
  return element.attributes[index - 1]?.end ?? element.start + 1 + element.name.length;
}

/** Returns the offset after the last attribute of the start tag. */
const headEnd = (element: XmlElement) => tokenEndBefore(element, element.attributes.length);

/** The place of a new element. `after` is a child of `parent`; without it the new element comes first. */
export interface InsertPoint {
  readonly parent: XmlElement;
  readonly after: XmlElement | undefined;
  readonly blankLine: boolean;
}

/** Adds `child`, the text of an element in one line, indented like its siblings. */
export function insertChild(
  text: string,
  layout: TextLayout,
  place: InsertPoint,
  child: string,
): string {
  const { parent, after, blankLine } = place;
  const content = text.slice(parent.contentStart, parent.contentEnd);
  if (content.trim() === '') return fillEmpty(text, layout, parent, child);
  const at = after?.end ?? parent.contentStart;
  if (!content.includes('\n')) return splice(text, at, at, inlineGap(text, parent) + child);
  const outer = indentOf(text, parent) ?? '';
  const indent = siblingIndent(text, parent, after) ?? outer + layout.step;
  const from = afterTrailingComments(text, at, parent.contentEnd);
  const closing = isBlank(text.slice(from, parent.contentEnd)) ? layout.lineEnd + outer : '';
  const line = `${blankLine ? layout.lineEnd : ''}${layout.lineEnd}${indent}${child}`;
  return splice(text, from, from, line + closing);
}

function fillEmpty(text: string, layout: TextLayout, parent: XmlElement, child: string): string {
  const indent = indentOf(text, parent);
  const around =
    indent === undefined
      ? child
      : `${layout.lineEnd}${indent}${layout.step}${child}${layout.lineEnd}${indent}`;
  if (!parent.selfClosing) return splice(text, parent.contentStart, parent.contentEnd, around);
  return splice(text, headEnd(parent), parent.end, `>${around}</${parent.name}>`);
}

function siblingIndent(
  text: string,
  parent: XmlElement,
  after: XmlElement | undefined,
): string | undefined {
  const nearest = after && indentOf(text, after);
  if (nearest !== undefined) return nearest;
  for (const child of parent.children) {
    const indent = indentOf(text, child);
    if (indent !== undefined) return indent;
  }
  return undefined;
}

/** Returns the space between siblings on one line. */
function inlineGap(text: string, parent: XmlElement): string {
  const [first] = parent.children;
  const gap = first === undefined ? '' : text.slice(parent.contentStart, first.start);
  return isBlank(gap) ? gap : '';
}

/** Returns the offset after the comments that follow on the same line, if nothing else follows. */
function afterTrailingComments(text: string, from: number, end: number): number {
  let at = from;
  for (;;) {
    const next = skipBlanks(text, at);
    if (next >= end || text[next] === '\n' || text[next] === '\r') return at;
    if (!text.startsWith('<!--', next)) return from;
    at = text.indexOf('-->', next) + 3;
  }
}

/** Removes an element and the line that it leaves empty; a parent left empty becomes self-closing. */
export function removeElement(text: string, element: XmlElement): string {
  const { parent } = element;
  if (parent !== undefined && isOnlyContent(text, element, parent)) {
    return splice(text, headEnd(parent), parent.end, '/>');
  }
  const start = lineStart(text, element.start);
  const after = skipBlanks(text, element.end);
  const next = afterLineEnd(text, after);
  const isFirst = isBlank(text.slice(start, element.start));
  if (isFirst && next !== undefined) return splice(text, doubledBlank(text, start, next), next, '');
  if (isFirst) return splice(text, element.start, after, '');
  return splice(text, skipBlanksBack(text, element.start), element.end, '');
}

function isOnlyContent(text: string, element: XmlElement, parent: XmlElement): boolean {
  const before = text.slice(parent.contentStart, element.start);
  const after = text.slice(element.end, parent.contentEnd);
  return before.trim() === '' && after.trim() === '';
}

/** Returns the start of the lines to remove: includes a blank line before, if another one, or the end, follows. */
function doubledBlank(text: string, start: number, next: number): number {
  const previous = start === 0 ? 0 : lineStart(text, start - 1);
  if (start === 0 || text.slice(previous, start).trim() !== '') return start;
  const following = skipBlanks(text, next);
  const ends = text.startsWith('</', following) || afterLineEnd(text, following) !== undefined;
  return ends ? previous : start;
}

/** Replaces an element by its content. */
export function unwrapElement(text: string, element: XmlElement): string {
  const content = text.slice(element.contentStart, element.contentEnd).trim();
  return splice(text, element.start, element.end, content);
}

export function splice(text: string, start: number, end: number, middle: string): string {
  return text.slice(0, start) + middle + text.slice(end);
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Escapes a value for either kind of quotes. */
export function escapeAttribute(value: string): string {
  return value.replace(/[&<>"'\t\n\r]/g, (char) => escapes[char] ?? char);
}

const lineStart = (text: string, at: number) => (at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1);
const isBlank = (text: string) => /^[ \t]*$/.test(text);

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

function skipBlanksBack(text: string, from: number): number {
  let at = from;
  while (text[at - 1] === ' ' || text[at - 1] === '\t') at--;
  return at;
}

/** Returns the start of the next line, if this one ends at `at`. */
function afterLineEnd(text: string, at: number): number | undefined {
  if (text[at] === '\n') return at + 1;
  return text.startsWith('\r\n', at) ? at + 2 : undefined;
}
