/**
 * A kernel as its module loader sees itself: what it exports, how it was configured, and the rules
 * of its release. `loaderVerdict` judges a module against it.
 */
import type { SymbolExport } from '../record/module.ts';

export interface Kernel {
  /** `uname -r`. */
  readonly release: string;
  /** ELF machine. */
  readonly machine: number;
  /** `sizeof(struct module)`, undefined when no module of this kernel could be found. */
  readonly structBytes: number | undefined;
  /** The vermagic with the blank at its end, as the kernel compares it. */
  readonly vermagic: string | undefined;
  readonly config: KernelConfig;
  /** The exports of the image itself. */
  readonly exports: ReadonlyMap<string, SymbolExport>;
  /** The source of the exports, for people: `Module.symvers of /usr/src/…`. */
  readonly exportsFrom: string;
  /** Built-in names in /sys/module; undefined if they are not known. */
  readonly builtins?: Builtins | undefined;
  readonly settings: LoaderSettings;
}

export interface Builtins {
  readonly present: ReadonlySet<string>;
  /** Names that may be there as well, since code of that name is built in. */
  readonly possible: ReadonlySet<string>;
}

/** The options of the build that the loader's rules depend on. */
export interface KernelConfig {
  readonly modversions: boolean;
  readonly forceLoad: boolean;
  readonly signatures: boolean;
  readonly signaturesForced: boolean;
  readonly livepatch: boolean;
  readonly allowMissingNamespaces: boolean;
  readonly strictModuleRwx: boolean;
  readonly constructors: boolean;
  /** `CONFIG_MITIGATION_RETPOLINE`. */
  readonly retpoline: boolean;
}

/** The host's current settings for the loader: command line, sysctl, lockdown. */
export interface LoaderSettings {
  /** `module_blacklist=`. */
  readonly blacklist: readonly string[];
  /** `module.sig_enforce`. */
  readonly enforceSignatures: boolean;
  readonly lockdown: 'none' | 'integrity' | 'confidentiality';
  /** `kernel.modules_disabled`. */
  readonly modulesDisabled: boolean;
  /**
   * Whether a Spectre v2 mitigation is active, so that the kernel warns of a module without
   * retpoline.
   */
  readonly spectreV2Mitigated: boolean;
}

/** The modules loaded so far; changes with each module. */
export interface LoaderState {
  /** Mask as in /proc/sys/kernel/tainted. */
  taint: number;
  /** Bits of `taint` that are set only if no keyring holds a module's key; none unless given. */
  openTaint?: number;
  readonly loaded: Map<string, LoadedModule>;
  /** Messages that the kernel prints only once and has printed. */
  readonly logged: Set<string>;
}

export interface LoadedModule {
  readonly name: string;
  /** Mask of taint bits, as in /sys/module/NAME/taint. */
  readonly taint: number;
  readonly exports: readonly SymbolExport[];
}

/** Returns major and minor: `6.12.118+deb13-amd64` is `[6, 12]`. */
export function kernelVersionOf(release: string): readonly [major: number, minor: number] {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return [Number(major), Number(minor)];
}
