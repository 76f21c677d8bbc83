/**
 * The taints of a kernel. Source: Documentation/admin-guide/tainted-kernels.rst;
 * include/linux/panic.h.
 */

/**
 * Letter → bit in /proc/sys/kernel/tainted; letters that /sys/module/NAME/taint may have are
 * `perModule`.
 */
export const taintBits = {
  P: 0,
  F: 1,
  S: 2,
  R: 3,
  M: 4,
  B: 5,
  U: 6,
  D: 7,
  A: 8,
  W: 9,
  C: 10,
  I: 11,
  O: 12,
  E: 13,
  L: 14,
  K: 15,
  X: 16,
  T: 17,
  N: 18,
} as const;
export type TaintLetter = keyof typeof taintBits;

const taintLetters = Object.keys(taintBits) as readonly TaintLetter[];

export const taintMeanings = {
  P: 'a proprietary module was loaded',
  F: 'a module was loaded by force',
  S: 'the kernel runs on a processor outside its specification',
  R: 'a module was unloaded by force',
  M: 'the processor reported a machine check',
  B: 'a bad page was found',
  U: 'user space asked for the taint',
  D: 'the kernel died recently (oops or BUG)',
  A: 'an ACPI table was overridden',
  W: 'the kernel issued a warning',
  C: 'a staging driver was loaded',
  I: 'a workaround for a bug in firmware is in use',
  O: 'a module from outside the kernel tree was loaded',
  E: 'an unsigned module was loaded',
  L: 'a soft lockup occurred',
  K: 'the kernel was live patched',
  X: 'a taint that the distribution defines',
  T: 'the kernel was built with structure randomisation',
  N: 'an in-kernel test was run',
} as const satisfies Record<TaintLetter, string>;

export const taintMask = (letter: TaintLetter): number => 2 ** taintBits[letter];

/** Returns the letters of a mask in the order of the bits: `lettersOf(0x1001)` is `PO`. */
export function lettersOf(mask: number): string {
  return taintLetters.filter((letter) => Math.floor(mask / taintMask(letter)) % 2 === 1).join('');
}
