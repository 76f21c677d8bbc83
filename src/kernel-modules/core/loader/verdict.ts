/** What the loader would decide about a module. */
import type { TaintLetter } from '../kernel/taints.ts';
import type { LoaderErrno } from './errno.ts';

/** What `loaderVerdict` returns. A refused module may still taint the kernel. */
export interface Verdict {
  readonly result: 'load' | 'refuse';
  /** Name of the errno that init_module(2) would give. */
  readonly errno: LoaderErrno | undefined;
  /** Of the module, in the order of the bits: `POE`. Those of `openTaints` are among them. */
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
  /** What could not be judged because a fact is missing, and which: never guessed. */
  readonly unknown: readonly string[];
}

export interface Reason {
  /** A taint, or undefined for what is refused or only warned of. */
  readonly taint: TaintLetter | undefined;
  readonly reason: string;
  /** Why the loader refuses the module; undefined for a taint and for what is only warned of. */
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
