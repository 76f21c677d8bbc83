/**
 * Elements of layers, and how a later layer changes an earlier one: attribute by attribute, elements matched by key.
 *
 * Trees are frozen and share what is equal, so that thousands of hosts can have a tree each.
 */
import { xmlAttribute, type XmlElement } from '../xml.ts';
import { elementKey } from './element-key.ts';

/** A place in the text of a layer. */
export interface Place {
  /** The number of the layer's file. */
  readonly file: number;
  readonly offset: number;
}

export interface LayerAttribute {
  readonly name: string;
  /** The value as it is written, with its quotes. */
  readonly quoted: string;
  readonly at: Place;
  readonly valueAt: Place;
}

export interface LayerElement {
  readonly name: string;
  /** The key among its siblings; the second one with the same has a number. */
  readonly key: string;
  /** The place in the last layer that has it. */
  readonly at: Place;
  readonly attributes: readonly LayerAttribute[];
  readonly children: readonly LayerElement[];
}

/** Returns the tree of an element of a file's text. `without`: the names of children of the root that are left out. */
export function layerTree(
  xml: XmlElement,
  text: string,
  file: number,
  without: readonly string[] = [],
): LayerElement {
  const place = (offset: number): Place => ({ file, offset });
  const children = xml.children.filter(({ name }) => !without.includes(name));
  return {
    name: xml.name,
    key: elementKey(xml.name, (name) => xmlAttribute(xml, name)?.value),
    at: place(xml.start),
    attributes: xml.attributes.map(({ name, start, value }) => ({
      name,
      quoted: text.slice(value.start - 1, value.end + 1),
      at: place(start),
      valueAt: place(value.start),
    })),
    children: numbered(children.map((each) => layerTree(each, text, file))),
  };
}

/** Makes keys unique, so that each element has at most one counterpart. */
function numbered(elements: readonly LayerElement[]): readonly LayerElement[] {
  const seen = new Map<string, number>();
  return elements.map((each) => {
    const times = (seen.get(each.key) ?? 0) + 1;
    seen.set(each.key, times);
    return times === 1 ? each : { ...each, key: `${each.key}\n#${times}` };
  });
}

/** Returns the element with what a later layer says of it. */
export function mergeElements(below: LayerElement, above: LayerElement): LayerElement {
  return {
    name: below.name,
    key: below.key,
    at: above.at,
    attributes: mergeAttributes(below.attributes, above.attributes),
    children: mergeChildren(below.children, above.children),
  };
}

function mergeAttributes(
  below: readonly LayerAttribute[],
  above: readonly LayerAttribute[],
): readonly LayerAttribute[] {
  if (above.length === 0) return below;
  const later = new Map(above.map((each) => [each.name, each]));
  const merged = below.map((each) => later.get(each.name) ?? each);
  const known = new Set(below.map(({ name }) => name));
  return [...merged, ...above.filter(({ name }) => !known.has(name))];
}

function mergeChildren(
  below: readonly LayerElement[],
  above: readonly LayerElement[],
): readonly LayerElement[] {
  if (above.length === 0) return below;
  const index = indexOf(below);
  const merged = [...below];
  for (const each of above) {
    const at = index.get(each.key);
    const there = at === undefined ? undefined : below[at];
    if (at === undefined || there === undefined) merged.push(each);
    else merged[at] = mergeElements(there, each);
  }
  return merged;
}

const indexes = new WeakMap<readonly LayerElement[], ReadonlyMap<string, number>>();

/** The positions of elements by key. They are kept, since each host's merge needs those of the common elements. */
function indexOf(elements: readonly LayerElement[]): ReadonlyMap<string, number> {
  const known = indexes.get(elements);
  if (known !== undefined) return known;
  const index = new Map(elements.map(({ key }, at) => [key, at]));
  indexes.set(elements, index);
  return index;
}
