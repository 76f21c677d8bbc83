/** The loader's decision about a module. */
import type { TaintLetter } from '../kernel/taints.ts';
import type { LoaderErrno } from './errno.ts';

/** The result of `loaderVerdict`. A refused module may still taint the kernel. */
export interface LoaderVerdict {
  /** Whether the module loads. */
  readonly result: 'load' | 'refuse';
  /** Name of the errno that init_module(2) would give. */
  readonly errno: LoaderErrno | undefined;
  /**
   * The module's taints in the order of the bits: `POE`. Letters of `openTaints` are among them.
   */
  readonly taints: string;
  /**
   * Letters of `taints` that a keyring may prevent: whether it holds a module's key cannot be seen.
   */
  readonly openTaints: string;
  /** The kernel's mask afterwards, as in /proc/sys/kernel/tainted. */
  readonly kernelTaint: number;
  /**
   * Bits of `kernelTaint` that are set only if no keyring holds the key of the module that set
   * them.
   */
  readonly openKernelTaint: number;
  /** The lines in the kernel's log, word for word, without time and facility. */
  readonly messages: readonly string[];
  /** The same in plain words, for people. */
  readonly reasons: readonly Reason[];
  /** Open questions, each with the missing fact: never guessed. */
  readonly unknown: readonly string[];
}

export interface Reason {
  /** A taint, or undefined for a refusal or a mere warning. */
  readonly taint: TaintLetter | undefined;
  readonly reason: string;
  /** The cause if the loader refuses the module; undefined for a taint or a mere warning. */
  readonly refuses?: RefusalCause;
}

const refusalCauses = [
  'not allowed',
  'signature',
  'format',
  'memory',
  'blacklist',
  'layout',
  'vermagic',
  'livepatch',
  'already loaded',
  'export',
  'symbol gone',
  'GPL-only',
  'proprietary',
  'CRC',
  'namespace',
] as const;
export type RefusalCause = (typeof refusalCauses)[number];
