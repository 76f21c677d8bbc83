/**
 * All modules of a kernel, loaded one after another, each after the modules whose exports it uses.
 */
import type { KernelModule } from '../../packages/modules/core/record/module.ts';
import { importsOf } from '../../packages/modules/core/record/module.ts';
import type { LoaderState } from '../../packages/modules/core/kernel/kernel.ts';
import {
  loaderVerdict,
  newState,
  unload,
} from '../../packages/modules/core/loader/loader-verdict.ts';
import { lettersOf } from '../../packages/modules/core/kernel/taints.ts';
import type { LoadOutcome } from './oracle.ts';
import { candidateOf, predictedErrnoName, loaderLine, type Knowledge } from './prediction.ts';

interface TreeModule {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly module: KernelModule;
}

/** Sorts modules with providers first; otherwise in the given order. */
export function inLoadOrder(modules: readonly TreeModule[]): TreeModule[] {
  const providers = new Map<string, TreeModule>();
  for (const each of modules) {
    for (const { name } of each.module.exports) if (!providers.has(name)) providers.set(name, each);
  }
  const ordered = new Set<TreeModule>();
  const entered = new Set<TreeModule>();
  const visit = (each: TreeModule) => {
    if (entered.has(each)) return;
    entered.add(each);
    for (const { name } of importsOf(each.module)) {
      const provider = providers.get(name);
      if (provider !== undefined) visit(provider);
    }
    ordered.add(each);
  };
  for (const each of modules) visit(each);
  return [...ordered];
}

interface TreeComparison {
  readonly loaded: number;
  /**
   * The number of modules that the loader refused, as predicted: a module that they need had
   * failed.
   */
  readonly refused: number;
  /** Modules that passed the loader and failed in their own init function: errno → how many. */
  readonly ownFailures: ReadonlyMap<string, number>;
  readonly differences: readonly string[];
}

/** Compares loads in this order on a kernel that has loaded nothing. */
export function compareTree(
  modules: readonly TreeModule[],
  outcomes: readonly LoadOutcome[],
  knowledge: Knowledge,
): TreeComparison {
  const state = newState();
  const ownFailures = new Map<string, number>();
  const differences: string[] = [];
  let [loaded, refused] = [0, 0];
  for (const [index, each] of modules.entries()) {
    const outcome = outcomes[index]!;
    const candidate = candidateOf(each.file, each.bytes, knowledge);
    const verdict = loaderVerdict(candidate, knowledge.kernel, state, { process: 'init' });
    const logged = outcome.log.filter((line) => loaderLine.test(line));
    const failsItself = verdict.result === 'load' && outcome.error !== 0 && logged.length === 0;
    if (failsItself) {
      unload(state, each.module.structName ?? '');
      const name = predictedErrnoName(outcome.error);
      ownFailures.set(name, (ownFailures.get(name) ?? 0) + 1);
    } else if (verdict.result === 'load') loaded++;
    else refused++;
    const predicted = [
      failsItself ? outcome.error : (verdict.errno ?? 0),
      taintsOf(state, each.module),
      verdict.kernelTaint,
      ...verdict.messages,
    ];
    const observed = [
      failsItself || outcome.error === 0 ? outcome.error : predictedErrnoName(outcome.error),
      outcome.taints,
      outcome.kernelTaint,
      ...logged,
    ];
    if (JSON.stringify(predicted) !== JSON.stringify(observed)) {
      differences.push(
        `${each.file}: predicted ${JSON.stringify(predicted)}, the kernel ${JSON.stringify(observed)}`,
      );
    }
  }
  return { loaded, refused, ownFailures, differences };
}

function taintsOf(state: LoaderState, module: KernelModule): string | undefined {
  const found = state.loaded.get(module.structName ?? '');
  return found === undefined ? undefined : lettersOf(found.taint);
}
