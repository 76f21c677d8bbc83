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
  /** With the blank at its end, as the kernel compares it. */
  readonly vermagic: string | undefined;
  readonly config: KernelConfig;
  /** What the image itself exports. */
  readonly exports: ReadonlyMap<string, SymbolExport>;
  /** For people: `Module.symvers of /usr/src/…`. */
  readonly exportsFrom: string;
  /** Names in /sys/module of code that is built in; undefined where nothing is known of them. */
  readonly builtins?: Builtins | undefined;
  readonly settings: LoaderSettings;
}

export interface Builtins {
  readonly present: ReadonlySet<string>;
  /** Those that may be there as well, since code of that name is built in. */
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

/** What the host sets for the loader now: command line, sysctl, lockdown. */
export interface LoaderSettings {
  /** `module_blacklist=`. */
  readonly blacklist: readonly string[];
  /** `module.sig_enforce`. */
  readonly enforceSignatures: boolean;
  readonly lockdown: 'none' | 'integrity' | 'confidentiality';
  /** `kernel.modules_disabled`. */
  readonly modulesDisabled: boolean;
  /**
   * Whether a mitigation of Spectre v2 is active, so that a module without retpoline is warned of.
   */
  readonly spectreV2Mitigated: boolean;
}

/** What has been loaded so far; changes with each module. */
export interface LoaderState {
  /** Mask as in /proc/sys/kernel/tainted. */
  taint: number;
  /**
   * Bits of `taint` that are there only if no keyring holds the key of a module; none unless given.
   */
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

/** `6.12.118+deb13-amd64` is `[6, 12]`. */
export function versionOf(release: string): readonly [major: number, minor: number] {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return [Number(major), Number(minor)];
}
