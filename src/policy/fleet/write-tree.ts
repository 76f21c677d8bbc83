/** A tree of layers → the text of a policy, and the place that each part comes from. */
import type { LineIndex } from '../diagnostic.ts';
import type { LayerElement, Place } from './layer-tree.ts';
import type { Sources } from './sources.ts';

/** The texts of elements, by depth: a tenant's children can be at two. */
const textsByDepth: WeakMap<LayerElement, string>[] = [];

/** Writes the text. What many trees share is written once. */
export function writeTree(element: LayerElement, depth = 0): string {
  const texts = (textsByDepth[depth] ??= new WeakMap<LayerElement, string>());
  const known = texts.get(element);
  if (known !== undefined) return known;
  const indent = '  '.repeat(depth);
  const start = `${indent}<${element.name}${element.attributes.map(({ name, quoted }) => ` ${name}=${quoted}`).join('')}`;
  const children = element.children.map((each) => writeTree(each, depth + 1));
  const text =
    children.length === 0
      ? `${start}/>\n`
      : `${start}>\n${children.join('')}${indent}</${element.name}>\n`;
  texts.set(element, text);
  return text;
}

/** A file of a layer. `lines` are the lines of its text. */
export interface LayerFile {
  readonly file: string;
  readonly lines: LineIndex;
}

/** Returns the places of the parts of the text that `writeTree` makes of the same tree. */
export function sourcesOf(root: LayerElement, files: readonly LayerFile[]): Sources {
  const parts: number[] = [];
  const add = (offset: number, { file, offset: there }: Place) => {
    const at = files[file]?.lines.at(there);
    if (at !== undefined) parts.push(offset, file, at.line, at.column);
  };
  const visit = (element: LayerElement, start: number, depth: number): void => {
    const indent = 2 * depth;
    let at = start + indent;
    add(at, element.at);
    at += 1 + element.name.length;
    for (const { name, quoted, at: place, valueAt } of element.attributes) {
      add(at + 1, place);
      add(at + 1 + name.length + 2, valueAt);
      at += 1 + name.length + 1 + quoted.length;
    }
    at += 2;
    for (const each of element.children) {
      visit(each, at, depth + 1);
      at += writeTree(each, depth + 1).length;
    }
  };
  visit(root, 0, 0);
  return { files: files.map(({ file }) => file), parts };
}
