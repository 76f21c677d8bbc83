/**
 * Layers of policies → one policy: a fleet's below, the host's own above. Later ones take precedence, attribute by
 * attribute; elements are matched by key (`element-key.ts`). Nothing can be removed by a later layer, only changed.
 */
import { LineIndex } from '../diagnostic.ts';
import type { PolicyDocument } from '../document.ts';
import { layerTree, type LayerElement } from './layer-tree.ts';
import { mergePolicies } from './merge-policies.ts';
import type { Sources } from './sources.ts';
import { sourcesOf, writeTree } from './write-tree.ts';

export interface MergedText {
  readonly text: string;
  readonly sources: Sources;
}

/** Merges policies without errors, the lowest first. The result names no host: nothing lies below it. */
export function layerDocuments(documents: readonly PolicyDocument[]): MergedText {
  const [lowest, ...later] = documents.map(({ root, text }, index) =>
    withoutHost(layerTree(root, text, index)),
  );
  if (lowest === undefined) throw new Error('There is no layer');
  const merged = later.reduce(mergePolicies, lowest);
  const files = documents.map(({ file, text }) => ({ file, lines: new LineIndex(text) }));
  return { text: writeTree(merged), sources: sourcesOf(merged, files) };
}

const keptOfFleet: readonly string[] = ['name', 'local'];

function withoutHost(root: LayerElement): LayerElement {
  const children = root.children.map((each) => {
    if (each.name !== 'fleet') return each;
    const attributes = each.attributes.filter(({ name }) => keptOfFleet.includes(name));
    return { ...each, attributes };
  });
  return { ...root, children };
}
