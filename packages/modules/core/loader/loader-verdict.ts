/**
 * The kernel loader's decision about a module, and its effects.
 *
 * Unknown facts about the kernel are never guessed: they go into `unknown`, and the rest is what is
 * certain without them. A module's own init function, which may fail as well, is not judged.
 */
import type { Kernel, LoadedModule, LoaderState } from '../kernel/kernel.ts';
import { lettersOf } from '../kernel/taints.ts';
import type { LoaderVerdict } from './verdict.ts';
import type { Candidate, LoaderOptions, UnreadableCandidate } from './candidate.ts';
import { loadedExports } from './export-index.ts';
import { newLoading, type LoadContext } from './loading.ts';
import type { LoaderErrno } from './errno.ts';
import { rulesOf } from './rules.ts';
import { decideSignature } from './signature-steps.ts';
import { modulesDisabledReason, stepsOf } from './steps.ts';

/** Returns the state of a kernel with that taint mask and no modules. */
export const newState = (taint = 0): LoaderState => ({
  taint,
  loaded: new Map(),
  logged: new Set(),
});

/** Unloads as rmmod does; taints and once-messages stay. Returns whether the module was loaded. */
export const unload = (state: LoaderState, name: string): boolean => state.loaded.delete(name);

/**
 * Judges a module and changes `state` as loading it would: taints, exports, messages printed once.
 */
export function loaderVerdict(
  candidate: Candidate,
  kernel: Kernel,
  state: LoaderState,
  options: LoaderOptions = {},
): LoaderVerdict {
  const exports = loadedExports(state);
  const context: LoadContext = {
    state,
    isLoaded: (name) => state.loaded.has(name),
    findExport: (name) => exports.get(name),
  };
  const { verdict, loaded } = judge(candidate, kernel, context, options);
  if (loaded !== undefined) state.loaded.set(loaded.name, loaded);
  return verdict;
}

/** Judges each in turn on the same kernel, as `insmod A; insmod B` would. */
export function predict(
  sequence: readonly Candidate[],
  kernel: Kernel,
  state: LoaderState = newState(),
  options: LoaderOptions = {},
): readonly LoaderVerdict[] {
  return sequence.map((each) => loaderVerdict(each, kernel, state, options));
}

interface Judged {
  readonly verdict: LoaderVerdict;
  /** The loaded module; undefined when it was refused. */
  readonly loaded: LoadedModule | undefined;
}

export function judge(
  candidate: Candidate,
  kernel: Kernel,
  context: LoadContext,
  options: LoaderOptions = {},
): Judged {
  if (!('module' in candidate)) {
    return { verdict: unreadable(candidate, kernel, context, options), loaded: undefined };
  }
  const loading = newLoading(candidate, kernel, context, options);
  let errno: LoaderErrno | undefined;
  for (const step of stepsOf(loading.rules)) {
    errno = step(loading);
    if (errno !== undefined) break;
  }
  const { taint, openTaint, messages, reasons, unknown, structName: name, module } = loading;
  return {
    verdict: {
      result: errno === undefined ? 'load' : 'refuse',
      errno,
      taints: lettersOf(taint),
      openTaints: lettersOf(openTaint),
      kernelTaint: context.state.taint,
      openKernelTaint: context.state.openTaint ?? 0,
      messages,
      reasons,
      unknown,
    },
    loaded: errno === undefined ? { name, taint, exports: module.exports } : undefined,
  };
}

const unsigned = { outcome: 'none', signer: undefined, trustedBy: undefined } as const;

/** Judges an unreadable file: the loader checks permission and signature before the file. */
function unreadable(
  { problem, signature = unsigned }: UnreadableCandidate,
  kernel: Kernel,
  { state }: LoadContext,
  options: LoaderOptions,
): LoaderVerdict {
  const refused = (
    errno: LoaderErrno,
    refuses: 'not allowed' | 'signature' | 'format',
    reason: string,
    messages: readonly string[] = [],
  ): LoaderVerdict => ({
    result: 'refuse',
    errno,
    taints: '',
    openTaints: '',
    kernelTaint: state.taint,
    openKernelTaint: state.openTaint ?? 0,
    messages,
    reasons: [{ taint: undefined, reason, refuses }],
    unknown: [],
  });
  if (kernel.settings.modulesDisabled)
    return refused('EPERM', 'not allowed', modulesDisabledReason);
  const decision = decideSignature(signature, undefined, kernel, options);
  if (decision.kind === 'refused')
    return refused(decision.errno, 'signature', decision.reason, decision.messages);
  const { kernelErrno = 'ENOEXEC', message, offset } = problem;
  const { kernelMessage: newLine, oldKernelMessage: oldLine = newLine } = problem;
  const line = rulesOf(kernel.release).checksStruct ? newLine : oldLine;
  const lines = line === undefined ? [] : [line];
  return refused(kernelErrno, 'format', `The file ${message} (at byte ${offset})`, lines);
}
