/** The policy of a fleet → the plain policy of each host. Hosts with the same layers share the work and the text. */
import { parsePolicy, type ParsedPolicy } from '../parse.ts';
import type { AlertWords } from '../settings.ts';
import type { FleetPolicy } from './fleet-policy.ts';
import type { LayerElement } from './layer-tree.ts';
import { mergePolicies } from './merge-policies.ts';
import { sourcesOf, writeTree } from './write-tree.ts';

/** The hosts whose layers begin with the same ones. */
interface Step {
  readonly below: Step | undefined;
  /** The number of the layer. */
  readonly layer: number;
  readonly next: Map<number, Step>;
  /** The number of hosts; what only one host has is not kept. */
  hosts: number;
  tree?: LayerElement;
  text?: string;
}

const newStep = (below: Step | undefined, layer: number): Step => ({
  below,
  layer,
  next: new Map(),
  hosts: 0,
});

export class FleetRenderer {
  readonly #fleet: FleetPolicy;
  readonly #last = new Map<string, Step>();

  constructor(fleet: FleetPolicy) {
    this.#fleet = fleet;
    const base = newStep(undefined, -1);
    for (const { name } of fleet.hosts) this.#last.set(name, base);
    base.hosts = fleet.hosts.length;
    for (const [layer, { hosts }] of fleet.layers.entries())
      for (const host of hosts) this.#step(host, layer);
  }

  #step(host: string, layer: number): void {
    const below = this.#last.get(host);
    if (below === undefined) return;
    const step = below.next.get(layer) ?? newStep(below, layer);
    below.next.set(layer, step);
    step.hosts++;
    this.#last.set(host, step);
  }

  /** Returns the hosts that have the same layers, in the order of the fleet. */
  groups(): readonly (readonly string[])[] {
    const groups = Map.groupBy(this.#fleet.hosts, ({ name }) => this.#last.get(name));
    return [...groups.values()].map((hosts) => hosts.map(({ name }) => name));
  }

  /** Returns the plain policy of a host, which is what is hashed; undefined if the fleet has no such host. */
  textOf(host: string): string | undefined {
    const step = this.#last.get(host);
    if (step === undefined) return undefined;
    const text = step.text ?? writeTree(this.#treeOf(step));
    if (step.hosts > 1) step.text = text;
    return text;
  }

  /** Parses the policy of a host; `file` and lines of its diagnostics are the fleet's. */
  parsed(host: string, words: AlertWords): ParsedPolicy | undefined {
    const step = this.#last.get(host);
    if (step === undefined) return undefined;
    const { file } = this.#fleet;
    const tree = this.#treeOf(step);
    const sources = sourcesOf(tree, [file]);
    const text = writeTree(tree);
    const { document, diagnostics } = parsePolicy(file.file, text, words, sources);
    const merged = { ownText: text, sources };
    return { document: document && { ...document, merged }, diagnostics };
  }

  #treeOf(step: Step): LayerElement {
    if (step.tree !== undefined) return step.tree;
    const { below, layer } = step;
    const above = this.#fleet.layers[layer];
    if (below === undefined || above === undefined) return this.#fleet.base;
    const tree = mergePolicies(this.#treeOf(below), above.tree);
    if (step.hosts > 1) step.tree = tree;
    return tree;
  }
}
