/** The verdict of `loaderVerdict` on the same sequence of steps, and where the kernel differed. */
import { constants } from 'node:os';
import type { Kernel, LoaderState } from '../../packages/modules/core/kernel/kernel.ts';
import type { Candidate, LoaderOptions } from '../../packages/modules/core/loader/candidate.ts';
import {
  loaderVerdict,
  newState,
  unload,
} from '../../packages/modules/core/loader/loader-verdict.ts';
import { infoName } from '../../packages/modules/core/record/module.ts';
import { readModule } from '../../packages/modules/core/record/read-module.ts';
import { readSignature } from '../../packages/modules/core/record/signature.ts';
import { lettersOf } from '../../packages/modules/core/kernel/taints.ts';
import type { SignatureChecker } from '../../packages/modules/io/scan/signatures.ts';
import type { MadeStep } from './cases.ts';
import type { Command, LoadOutcome } from './oracle.ts';

/** The facts that the prediction is made from. */
export interface Knowledge {
  readonly kernel: Kernel;
  readonly checkSignature: SignatureChecker;
}

/** EKEYREJECTED and its like are not in Node's list. */
const moreErrnos: Readonly<Record<number, string>> = { 129: 'EKEYREJECTED' };
const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

export const predictedErrnoName = (error: number): string =>
  moreErrnos[error] ?? errnoNames.get(error) ?? `errno ${error}`;

export function candidateOf(
  file: string,
  bytes: Uint8Array,
  { checkSignature }: Knowledge,
): Candidate {
  const read = readModule(file, bytes);
  if (!read.ok) {
    const { elfBytes, signature } = readSignature(bytes);
    const checked = checkSignature(bytes, { bytes: elfBytes, signature });
    return { file, problem: read.error, signature: checked };
  }
  return { module: read.value, signature: checkSignature(bytes, read.value) };
}

const ignoreVersions = 1;
const ignoreVermagic = 2;
/** Addresses at the end of a line, which no prediction can know. */
const addresses = /, loc [0-9a-f]+, val [0-9a-f]+$/;
/** Lines that only the loader writes; modules write others while they start. */
export const loaderLine =
  /: (?:Unknown symbol|disagrees about version|no symbol version for|version magic|module (?:license|uses|using|verification|is from)|loading (?:out-of-tree|test)|exports duplicate symbol|tainting kernel)|^Loading of |^Module /;
const otherLoaderLine =
  /^(?:Disabling lock debugging|module: |[a-z0-9]+\/modules: )|please compile with/;
/** The names of the processes that load modules in the guest. */
const processes = { load: 'init', copy: 'init', insmod: 'busybox' } as const;

function optionsOf(command: Extract<Command, { readonly file: string }>): LoaderOptions {
  const flags = command.flags ?? 0;
  return {
    force: {
      modversions: (flags & ignoreVersions) !== 0,
      vermagic: (flags & ignoreVermagic) !== 0,
    },
    process: processes[command.do],
  };
}

/**
 * Compares a whole sequence, and returns one paragraph for each step that differs. `ownFailure` returns whether a
 * module failed in its own init function, which the loader does not decide.
 */
export function compareSequence(
  steps: readonly MadeStep[],
  outcomes: readonly LoadOutcome[],
  knowledge: Knowledge,
  ownFailure: (command: Command, outcome: LoadOutcome) => boolean = () => false,
): string[] {
  const state = newState();
  let { kernel } = knowledge;
  return steps.flatMap(({ command, bytes }, index) => {
    const outcome = outcomes[index]!;
    if (command.do === 'unload') {
      const known = unload(state, command.name);
      return known === (outcome.error === 0)
        ? []
        : [`${command.name}: unloading gave ${outcome.error}`];
    }
    if (command.do === 'write') {
      kernel = { ...kernel, settings: { ...kernel.settings, modulesDisabled: true } };
      return [];
    }
    const candidate = candidateOf(command.file, bytes!, knowledge);
    const verdict = loaderVerdict(candidate, kernel, state, optionsOf(command));
    const failed = verdict.result === 'load' && ownFailure(command, outcome);
    if (failed) unload(state, command.name);
    const predicted = {
      error: failed ? predictedErrnoName(outcome.error) : (verdict.errno ?? 'none'),
      taints: taintsNow(state, command.name),
      kernelTaint: verdict.kernelTaint,
      log: verdict.messages,
      unknown: verdict.unknown,
    };
    const observed = {
      error: outcome.error === 0 ? 'none' : predictedErrnoName(outcome.error),
      taints: outcome.taints,
      kernelTaint: outcome.kernelTaint,
      log: outcome.log
        .map((line) => line.replace(addresses, ''))
        .filter((line) => isOfLoad(line, candidate, verdict.messages)),
      // Whatever is unknown about this kernel is something that the reader should have found.
      unknown: verdict.unknown.filter((each) => each.includes('keyring')),
    };
    return describeDifference(
      `step ${index + 1} (${command.do} ${command.file})`,
      predicted,
      observed,
    );
  });
}

/**
 * Whether a line of the log belongs to the load: it names the module or is known. The rest of the kernel logs whenever
 * it likes.
 */
function isOfLoad(line: string, candidate: Candidate, predicted: readonly string[]): boolean {
  const { module } = 'module' in candidate ? candidate : {};
  const names = module === undefined ? [] : [infoName(module), module.structName];
  return (
    predicted.includes(line) ||
    names.some((name) => name !== undefined && line.startsWith(`${name}: `)) ||
    loaderLine.test(line) ||
    otherLoaderLine.test(line)
  );
}

function taintsNow(state: LoaderState, name: string): string | undefined {
  const loaded = state.loaded.get(name);
  return loaded === undefined ? undefined : lettersOf(loaded.taint);
}

type Facts = Readonly<Record<'error' | 'taints' | 'kernelTaint' | 'log' | 'unknown', unknown>>;

function describeDifference(what: string, predicted: Facts, observed: Facts): string[] {
  const keys = (Object.keys(predicted) as (keyof Facts)[]).filter(
    (key) => JSON.stringify(predicted[key]) !== JSON.stringify(observed[key]),
  );
  if (keys.length === 0) return [];
  const lines = keys.map(
    (key) =>
      `  ${key}: predicted ${JSON.stringify(predicted[key])}, the kernel ${JSON.stringify(observed[key])}`,
  );
  return [`${what}:\n${lines.join('\n')}`];
}
