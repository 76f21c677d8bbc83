/**
 * One module on its way through the loader: the input of the steps, and their effects.
 */
import type { Kernel } from '../kernel/kernel.ts';
import {
  infoName,
  missingName,
  type KernelModule,
  type SignatureCheck,
  type SymbolExport,
} from '../record/module.ts';
import { taintMask, type TaintLetter } from '../kernel/taints.ts';
import type { Reason, RefusalCause } from './verdict.ts';
import type { LoaderOptions } from './candidate.ts';
import type { FoundExport } from './export-index.ts';
import { rulesOf, type Rules } from './rules.ts';
import type { LoaderErrno } from './errno.ts';

/** The running kernel as the module meets it. */
export interface LoadContext {
  /** Taint mask and once-messages, which loading changes. */
  readonly state: { taint: number; openTaint?: number; readonly logged: Set<string> };
  isLoaded(structName: string): boolean;
  /** Finds an export among the loaded modules, whatever the license. */
  findExport(name: string): FoundExport | undefined;
  /** Returns why no module exports a symbol, if that is known: a sentence. */
  whyAbsent?(name: string): string | undefined;
}

export interface ModuleLoading {
  readonly module: KernelModule;
  readonly signature: SignatureCheck;
  readonly kernel: Kernel;
  readonly rules: Rules;
  readonly options: LoaderOptions;
  readonly context: LoadContext;
  /**
   * The name in `.modinfo`, for early messages and the blacklist; later steps use the name in
   * `struct module`.
   */
  readonly infoName: string;
  readonly structName: string;
  /** Whether `__versions` is used: it exists and modversions are not overridden. */
  readonly hasVersions: boolean;
  /** The extended versions, if they are used; `__versions` is then ignored. */
  readonly extendedVersions: KernelModule['extendedVersions'];
  /** Whether the module is signed; set by the signature step. */
  signed: boolean;
  /** The module's own taint mask. */
  taint: number;
  /** Bits of it that a keyring may prevent. */
  openTaint: number;
  readonly messages: string[];
  readonly reasons: Reason[];
  readonly unknown: string[];
}

export function newLoading(
  {
    module: given,
    signature,
  }: { readonly module: KernelModule; readonly signature: SignatureCheck },
  kernel: Kernel,
  context: LoadContext,
  options: LoaderOptions,
): ModuleLoading {
  const rules = rulesOf(kernel.release);
  const module = seenBy(rules, given);
  const name = infoName(module);
  const ignoresVersions = options.force?.modversions === true;
  return {
    module,
    signature,
    kernel,
    rules,
    options,
    context,
    infoName: name ?? missingName,
    structName: module.structName ?? name ?? missingName,
    hasVersions: module.hasVersions && !ignoresVersions,
    extendedVersions:
      rules.extendedVersions && !ignoresVersions ? module.extendedVersions : undefined,
    signed: false,
    taint: 0,
    openTaint: 0,
    messages: [],
    reasons: [],
    unknown: [],
  };
}

/** Returns the module without the parts that this kernel does not find in it. */
function seenBy({ checksStruct, exportFlags }: Rules, module: KernelModule): KernelModule {
  const { exportTables, exports } = module;
  const flags = exportTables?.flags === true;
  return {
    ...module,
    modinfo: checksStruct || module.modinfoLoaded !== false ? module.modinfo : [],
    // Without flags all exports are in tables that mean nothing, or the module is refused.
    exports: exportFlags === flags ? exports : exportFlags ? [] : exports.map(withoutFlag),
  };
}

const withoutFlag = (each: SymbolExport): SymbolExport => ({ ...each, gplOnly: false });

/** One decision of the loader; returns the errno when it ends the load. */
export type LoaderStep = (loading: ModuleLoading) => LoaderErrno | undefined;

/** Refuses the module: the log line, if any, and the reason for people. */
export function refuseModule(
  loading: ModuleLoading,
  errno: LoaderErrno,
  refuses: RefusalCause,
  reason: string,
  message?: string,
): LoaderErrno {
  if (message !== undefined) loading.messages.push(message);
  loading.reasons.push({ taint: undefined, reason, refuses });
  return errno;
}

const has = (mask: number, letter: TaintLetter): boolean =>
  Math.floor(mask / taintMask(letter)) % 2 === 1;

const withoutTaint = (mask: number, letter: TaintLetter): number =>
  has(mask, letter) ? mask - taintMask(letter) : mask;

const withTaint = (mask: number, letter: TaintLetter): number =>
  has(mask, letter) ? mask : mask + taintMask(letter);

export const kernelHasTaint = (loading: ModuleLoading, letter: TaintLetter): boolean =>
  has(loading.context.state.taint, letter);

export const moduleHasTaint = (loading: ModuleLoading, letter: TaintLetter): boolean =>
  has(loading.taint, letter);

/** Taints after which the kernel no longer trusts its own lock checking, and has logged it. */
const lockTaints = ['P', 'F', 'R', 'M', 'B', 'D', 'A'] as const satisfies readonly TaintLetter[];

/**
 * Taints the kernel. Source: kernel/panic.c, `add_taint`; of the loader's taints only P and F are
 * `LOCKDEP_NOW_UNRELIABLE`.
 */
export function taintKernel(loading: ModuleLoading, letter: TaintLetter): void {
  const { state } = loading.context;
  const ends = letter === 'P' || letter === 'F';
  if (ends && !lockTaints.some((each) => has(state.taint, each)))
    loading.messages.push('Disabling lock debugging due to kernel taint');
  state.taint = withTaint(state.taint, letter);
  state.openTaint = withoutTaint(state.openTaint ?? 0, letter);
}

export function taintModule(loading: ModuleLoading, letter: TaintLetter): void {
  loading.taint = withTaint(loading.taint, letter);
}

/** Taints kernel and module, with the reason for people: `add_taint_module`. */
export function addTaint(loading: ModuleLoading, letter: TaintLetter, reason: string): void {
  taintKernel(loading, letter);
  taintModule(loading, letter);
  loading.reasons.push({ taint: letter, reason });
}

/**
 * Adds a taint that a keyring may prevent. If the kernel has it already, that one stays as certain
 * as it was.
 */
export function addOpenTaint(loading: ModuleLoading, letter: TaintLetter, reason: string): void {
  const { state } = loading.context;
  const isCertain = has(state.taint, letter) && !has(state.openTaint ?? 0, letter);
  addTaint(loading, letter, reason);
  loading.openTaint = withTaint(loading.openTaint, letter);
  if (!isCertain) state.openTaint = withTaint(state.openTaint ?? 0, letter);
}

/** Logs once until the next boot: `pr_notice_once`. */
export function logOnce(loading: ModuleLoading, key: string, message: string): void {
  const { logged } = loading.context.state;
  if (logged.has(key)) return;
  logged.add(key);
  loading.messages.push(message);
}

/**
 * Taints F and goes on, where the kernel was built for that: `try_to_force_load`. Source:
 * kernel/module/main.c. Returns whether the load goes on.
 */
export function forceLoad(loading: ModuleLoading, message: string, reason: string): boolean {
  if (!loading.kernel.config.forceLoad) return false;
  if (!kernelHasTaint(loading, 'F'))
    loading.messages.push(`${loading.structName}: ${message}: kernel tainted.`);
  taintKernel(loading, 'F');
  if (!moduleHasTaint(loading, 'F')) loading.reasons.push({ taint: 'F', reason });
  taintModule(loading, 'F');
  return true;
}

/**
 * Whether the exports are known: a kernel without a single export is one whose exports could not be
 * read.
 */
export const exportsKnown = (kernel: Kernel): boolean => kernel.exports.size > 0;
