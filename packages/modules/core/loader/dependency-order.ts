/**
 * A whole tree of modules, each judged as if it were loaded on a clean kernel after its
 * dependencies.
 *
 * A module is judged once, after the modules that export what it needs. A module that would be
 * refused is not there for others; if modules need each other, none can come first. The taint of a
 * verdict is the chain's: the modules tried before, and the module.
 */
import type { Kernel, LoadedModule } from '../kernel/kernel.ts';
import type { SymbolExport } from '../record/module.ts';
import type { LoaderVerdict } from './verdict.ts';
import { fileOf, type Candidate } from './candidate.ts';
import type { FoundExport } from './export-index.ts';
import { judge } from './loader-verdict.ts';
import type { LoadContext } from './loading.ts';

export type { Candidate } from './candidate.ts';

/** The exporter of a symbol, as an index into the given list. */
interface ExportedBy {
  readonly symbol: SymbolExport;
  readonly candidate: number;
  /** The next module that exports it too. */
  also: ExportedBy | undefined;
}

/** More modules than this that export one symbol are not considered. */
const alternativesMax = 8;

/** Indexes the exports of all candidates by name, in the order of the list. */
export function exportIndex(candidates: readonly Candidate[]): ReadonlyMap<string, ExportedBy> {
  const index = new Map<string, ExportedBy>();
  candidates.forEach((each, candidate) => {
    if (!('module' in each)) return;
    for (const symbol of each.module.exports) {
      const entry = { symbol, candidate, also: undefined };
      const first = index.get(symbol.name);
      if (first === undefined) index.set(symbol.name, entry);
      else append(first, entry);
    }
  });
  return index;
}

function append(first: ExportedBy, entry: ExportedBy): void {
  let last = first;
  for (let count = 1; last.also !== undefined; count++) {
    if (count === alternativesMax) return;
    last = last.also;
  }
  last.also = entry;
}

export function judgeTree(
  candidates: readonly Candidate[],
  kernel: Kernel,
): ReadonlyMap<string, LoaderVerdict> {
  const tree = new Tree(candidates, kernel);
  const verdicts = new Map<string, LoaderVerdict>();
  candidates.forEach((each, index) => {
    const file = fileOf(each);
    const verdict = tree.verdict(index);
    if (!verdicts.has(file)) verdicts.set(file, verdict);
  });
  return verdicts;
}

/** One module of the tree, from the moment that it is first met. */
interface Node {
  /** The exporters that it needs, one a symbol. */
  readonly needs: readonly ExportedBy[];
  /** The modules that are loaded before it, or were refused. */
  direct: ReadonlySet<number>;
  readonly logged: Set<string>;
  verdict: LoaderVerdict | undefined;
  loaded: LoadedModule | undefined;
}

class Tree {
  readonly #candidates: readonly Candidate[];
  readonly #kernel: Kernel;
  readonly #exports: ReadonlyMap<string, ExportedBy>;
  readonly #sharedNames: ReadonlySet<string>;
  readonly #nodes: (Node | undefined)[] = [];

  constructor(candidates: readonly Candidate[], kernel: Kernel) {
    this.#candidates = candidates;
    this.#kernel = kernel;
    this.#exports = exportIndex(candidates);
    this.#sharedNames = sharedNames(candidates);
  }

  /**
   * Judges a module after its dependencies. It uses a stack of its own, as a chain may be as long
   * as the list.
   */
  verdict(root: number): LoaderVerdict {
    const stack = [root];
    for (;;) {
      const index = stack.at(-1);
      if (index === undefined) break;
      const node = this.#nodes[index];
      if (node === undefined) {
        const met = this.#meet(index);
        for (const each of alternatives(met.needs))
          if (this.#nodes[each.candidate] === undefined) stack.push(each.candidate);
        continue;
      }
      if (node.verdict === undefined) this.#judge(index, node);
      stack.pop();
    }
    const verdict = this.#nodes[root]?.verdict;
    if (verdict === undefined) throw new Error(`module ${root} of the tree was not judged`);
    return verdict;
  }

  #meet(index: number): Node {
    const node: Node = {
      needs: this.#needsOf(index),
      direct: new Set(),
      logged: new Set(),
      verdict: undefined,
      loaded: undefined,
    };
    this.#nodes[index] = node;
    return node;
  }

  #needsOf(index: number): readonly ExportedBy[] {
    const candidate = this.#candidates[index];
    const needs: ExportedBy[] = [];
    if (candidate === undefined || !('module' in candidate)) return needs;
    for (const symbol of candidate.module.symbols) {
      if (symbol.kind !== 'import' || this.#kernel.exports.has(symbol.name)) continue;
      const found = this.#exports.get(symbol.name);
      if (found !== undefined) needs.push(found);
    }
    return needs;
  }

  #judge(index: number, node: Node): void {
    const candidate = this.#candidates[index];
    if (candidate === undefined) return;
    node.direct = this.#chain(index, node.needs);
    let [taint, certain] = [0, 0];
    for (const each of node.direct) {
      const before = this.#nodes[each];
      const { kernelTaint = 0, openKernelTaint = 0 } = before?.verdict ?? {};
      taint |= kernelTaint;
      certain |= kernelTaint & ~openKernelTaint;
      for (const key of before?.logged ?? []) node.logged.add(key);
    }
    const state = { taint, openTaint: taint & ~certain, logged: node.logged };
    const { verdict, loaded } = judge(candidate, this.#kernel, this.#context(index, node, state));
    node.verdict = verdict;
    node.loaded = loaded;
  }

  /** Returns for each symbol the first module that loads, else the first that was tried. */
  #chain(index: number, needs: readonly ExportedBy[]): ReadonlySet<number> {
    const chain = new Set<number>();
    for (const need of needs) {
      if (chain.has(need.candidate)) continue;
      const provider = this.#firstLoaded(need, index) ?? need;
      if (provider.candidate !== index) chain.add(provider.candidate);
    }
    return chain;
  }

  #firstLoaded(first: ExportedBy, index: number): ExportedBy | undefined {
    for (const each of alternatives([first])) {
      if (each.candidate === index || this.#nodes[each.candidate]?.loaded === undefined) continue;
      if (!this.#sameName(each.candidate, index)) return each;
    }
    return undefined;
  }

  #sameName(one: number, other: number): boolean {
    const name = structNameOf(this.#candidates[one]);
    return name !== undefined && name === structNameOf(this.#candidates[other]);
  }

  #context(index: number, node: Node, state: LoadContext['state']): LoadContext {
    let closure: ReadonlySet<number> | undefined;
    const isBefore = (candidate: number): boolean => {
      if (node.direct.has(candidate)) return true;
      closure ??= this.#closure(node);
      return closure.has(candidate);
    };
    return {
      state,
      isLoaded: (name) => {
        if (!this.#sharedNames.has(name)) return false;
        closure ??= this.#closure(node);
        return [...closure].some((each) => this.#nodes[each]?.loaded?.name === name);
      },
      findExport: (name) => this.#findExport(name, index, isBefore),
      whyAbsent: (name) => this.#whyAbsent(name),
    };
  }

  #findExport(
    name: string,
    index: number,
    isBefore: (candidate: number) => boolean,
  ): FoundExport | undefined {
    for (let each = this.#exports.get(name); each !== undefined; each = each.also) {
      if (each.candidate === index) continue;
      const owner = this.#nodes[each.candidate]?.loaded;
      if (owner !== undefined && isBefore(each.candidate)) return { symbol: each.symbol, owner };
    }
    return undefined;
  }

  /** Returns everything that is loaded before a module. */
  #closure(node: Node): ReadonlySet<number> {
    const closure = new Set<number>(node.direct);
    for (const each of closure)
      for (const before of this.#nodes[each]?.direct ?? []) closure.add(before);
    return closure;
  }

  #whyAbsent(name: string): string | undefined {
    const provider = this.#exports.get(name);
    if (provider === undefined) return undefined;
    const file = fileOf(this.#candidates[provider.candidate] ?? { file: '', problem: noProblem });
    const verdict = this.#nodes[provider.candidate]?.verdict;
    return verdict === undefined
      ? `"${file}", which exports "${name}", needs this module in turn`
      : `"${file}", which exports "${name}", is refused itself (${verdict.errno ?? 'it does not load first'})`;
  }
}

const noProblem = { message: '', offset: 0 };

function* alternatives(needs: readonly ExportedBy[]): Generator<ExportedBy> {
  for (const need of needs)
    for (let each: ExportedBy | undefined = need; each !== undefined; each = each.also) yield each;
}

const structNameOf = (candidate: Candidate | undefined): string | undefined =>
  candidate !== undefined && 'module' in candidate ? candidate.module.structName : undefined;

/**
 * Returns names that several modules have: only those can meet a loaded module of the same name.
 */
function sharedNames(candidates: readonly Candidate[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const each of candidates) {
    const name = structNameOf(each);
    if (name === undefined) continue;
    if (seen.has(name)) shared.add(name);
    seen.add(name);
  }
  return shared;
}
