/**
 * The options a kernel was built with, as far as its module loader depends on them.
 *
 *   CONFIG_MODVERSIONS=y
 *   # CONFIG_MODULE_SIG_FORCE is not set
 *
 * The text is in /boot/config-RELEASE, /proc/config.gz, or in the image between `IKCFG_ST` and
 * `IKCFG_ED`. Source: kernel/module/Kconfig, kernel/configs.c.
 */
import { machines } from '../elf/elf-format.ts';
import type { KernelConfig } from './kernel.ts';
import { ascii, findBytes } from './find-bytes.ts';

const options: Readonly<Record<keyof KernelConfig, readonly string[]>> = {
  modversions: ['MODVERSIONS'],
  forceLoad: ['MODULE_FORCE_LOAD'],
  signatures: ['MODULE_SIG'],
  signaturesForced: ['MODULE_SIG_FORCE'],
  livepatch: ['LIVEPATCH'],
  allowMissingNamespaces: ['MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS'],
  strictModuleRwx: ['STRICT_MODULE_RWX'],
  constructors: ['CONSTRUCTORS'],
  /** The option was renamed in Linux 6.9. */
  retpoline: ['MITIGATION_RETPOLINE', 'RETPOLINE'],
};

/** Parses the options; undefined if the text is not a kernel configuration. */
export function parseKernelConfig(text: string): KernelConfig | undefined {
  const set = new Set<string>();
  let lines = 0;
  for (const [, name = '', value] of text.matchAll(/^CONFIG_(\w+)=(.*)$/gm)) {
    lines += 1;
    if (value === 'y') set.add(name);
  }
  if (lines === 0) return undefined;
  const has = (option: keyof KernelConfig) => options[option].some((name) => set.has(name));
  return {
    modversions: has('modversions'),
    forceLoad: has('forceLoad'),
    signatures: has('signatures'),
    signaturesForced: has('signaturesForced'),
    livepatch: has('livepatch'),
    allowMissingNamespaces: has('allowMissingNamespaces'),
    strictModuleRwx: has('strictModuleRwx'),
    constructors: has('constructors'),
    retpoline: has('retpoline'),
  };
}

const architectures: readonly (readonly [option: string, machine: number])[] = [
  ['X86_64', machines.x8664],
  ['X86_32', machines.i386],
  ['ARM64', machines.arm64],
  ['ARM', machines.arm],
  ['PPC64', machines.ppc64],
  ['S390', machines.s390],
  ['RISCV', machines.riscv],
];

/** Returns the ELF machine of a kernel with this configuration. */
export function configuredMachine(text: string): number | undefined {
  const set = new Set(Array.from(text.matchAll(/^CONFIG_(\w+)=y$/gm), ([, name]) => name));
  return architectures.find(([option]) => set.has(option))?.[1];
}

/**
 * The options that Debian, Ubuntu and Fedora build with. They stand in for a configuration that
 * cannot be found, and a gap reports it.
 */
export const assumedConfig: KernelConfig = {
  modversions: true,
  forceLoad: true,
  signatures: true,
  signaturesForced: false,
  livepatch: true,
  allowMissingNamespaces: false,
  strictModuleRwx: true,
  constructors: false,
  retpoline: true,
};

const startMark = ascii('IKCFG_ST');
const endMark = ascii('IKCFG_ED');
const embeddedBytesMax = 1024 * 1024;
/** The most marks that are tried: the code that serves /proc/config.gz has some of its own. */
const marksMax = 16;

/** Returns the gzip'd configuration inside an unpacked kernel (CONFIG_IKCONFIG). */
export function embeddedConfig(kernel: Uint8Array): Uint8Array | undefined {
  let at = findBytes(kernel, startMark);
  for (let tried = 0; at >= 0 && tried < marksMax; tried++) {
    const start = at + startMark.length;
    if (kernel[start] === 0x1f && kernel[start + 1] === 0x8b) {
      const near = kernel.subarray(start, start + embeddedBytesMax);
      const size = findBytes(near, endMark);
      if (size > 0) return near.subarray(0, size);
    }
    at = findBytes(kernel, startMark, start);
  }
  return undefined;
}
