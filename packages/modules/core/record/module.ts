/**
 * A kernel module as data: its claims about itself, and everything that the kernel's loader checks.
 *
 * Plain and without bytes, so that it can be kept in a cache and passed between threads.
 * `readModule` makes it; `loaderVerdict` and `trustLevelOf` judge it.
 */

import type { Releases } from '../kernel/releases.ts';

/**
 * One entry of `.modinfo`; `tag` is empty for a string without `=`, which the build never writes.
 */
export interface ModinfoEntry {
  readonly tag: string;
  readonly value: string;
}

/** The symbols that the loader resolves, in the order of the symbol table. */
export type SymbolToResolve =
  | ImportedSymbol
  /** A COMMON symbol (`-fcommon`), or one whose section index is outside the section table. */
  | {
      readonly kind: 'common' | 'bad section';
      readonly name: string;
      /** The symbol's section index, and the highest that exists: the kernel's message has both. */
      readonly section?: number;
      readonly sectionMax?: number;
    };

export interface ImportedSymbol {
  readonly kind: 'import';
  readonly name: string;
  readonly weak: boolean;
  /** The CRC in `__versions`; undefined when that has no entry for it. */
  readonly crc: number | undefined;
  /** The CRC in the extended table, in the same way. */
  readonly extendedCrc?: number | undefined;
}

export interface SymbolExport {
  readonly name: string;
  readonly gplOnly: boolean;
  readonly namespace: string | undefined;
  /** The CRC; undefined where the exporter was built without versions. */
  readonly crc: number | undefined;
}

/**
 * A flaw in the object file that stops the loader of some kernels; listed in the loader's order.
 */
export interface LoaderDefect extends Releases {
  /** Steps of `load_module()` that depend only on the file. */
  readonly step:
    | 'elf header'
    | 'sections'
    | 'modinfo'
    | 'struct module'
    | 'symbol table'
    | 'extended versions'
    | 'processor'
    | 'write and execute'
    | 'memory'
    | 'constructors'
    | 'relocations'
    | 'sections in sysfs';
  readonly errno: 'ENOEXEC' | 'EINVAL' | 'ENOMEM' | 'EEXIST';
  /** The line in the kernel's log, or undefined if the kernel logs nothing. */
  readonly message: string | undefined;
  /** The reason, for people. */
  readonly why: string;
}

/** The part behind the ELF file: `~Module signature appended~`. Source: kernel/module/signing.c. */
export type AppendedSignature =
  | {
      readonly kind: 'malformed';
      readonly why: string;
      readonly offset: number;
      /** The line in the kernel's log, if it logs one. */
      readonly message?: string;
    }
  /** A type that is not PKCS#7. */
  | { readonly kind: 'unsupported'; readonly why: string }
  | { readonly kind: 'pkcs7'; readonly signers: readonly Signer[] };

export interface Signer {
  /** The issuer as in the certificate, `CN=…, O=…`; empty when only the key id is given. */
  readonly issuer: string;
  /**
   * The serial number in hexadecimal, lower case, without leading zeros; undefined when `keyId`
   * names the key.
   */
  readonly serial: string | undefined;
  readonly keyId: string | undefined;
  /** `sha256`, or the object identifier when it is unknown. */
  readonly digest: string;
  /** `ecdsa`, `rsa`, or the object identifier. */
  readonly algorithm: string;
  readonly signature: Uint8Array;
  /**
   * DER of the signed attributes as they are hashed (SET OF); undefined when the file itself is
   * signed.
   */
  readonly signedAttributes: Uint8Array | undefined;
}

/** The result of checking the signature with the certificates at hand. */
export interface SignatureCheck {
  readonly outcome: 'none' | 'good' | 'unknown key' | 'unsupported' | 'bad' | 'malformed';
  /** Subject of the certificate that verified it. */
  readonly signer: string | undefined;
  /** The source of that certificate: the kernel image, or the administrator. */
  readonly trustedBy: 'kernel' | 'given' | undefined;
  /**
   * The issuer that the signature claims, if its certificate is not known; anybody can write that.
   */
  readonly claimedIssuer?: string;
}

export interface KernelModule {
  /** The file as the caller named it. */
  readonly file: string;
  /** Bytes of the object file only, without anything appended. */
  readonly bytes: number;
  readonly bits: 32 | 64;
  readonly bigEndian: boolean;
  readonly type: number;
  readonly machine: number;
  readonly modinfo: readonly ModinfoEntry[];
  /**
   * Whether `.modinfo` is marked to be loaded (ALLOC): kernels before 6.4 do not see it otherwise.
   */
  readonly modinfoLoaded?: boolean;
  /** `name` inside `.gnu.linkonce.this_module`. */
  readonly structName: string | undefined;
  /** Size of `.gnu.linkonce.this_module`: `sizeof(struct module)` of its kernel. */
  readonly structBytes: number | undefined;
  /** Whether that section is marked to be loaded (ALLOC); false as well when there is none. */
  readonly structLoaded?: boolean;
  /** Bytes of it that are neither name nor zero, before relocation: the build leaves none. */
  readonly structExtraBytes: number;
  readonly symbols: readonly SymbolToResolve[];
  /** Whether there is a `__versions` section that the loader uses (ALLOC). */
  readonly hasVersions: boolean;
  /** The CRC of `module_layout` in it. */
  readonly layoutCrc: number | undefined;
  /** The same in the extended table, which counts from 6.14 on; undefined when there is none. */
  readonly extendedVersions?: { readonly layoutCrc: number | undefined } | undefined;
  readonly exports: readonly SymbolExport[];
  /** Whether a non-empty `__ksymtab*` lacks its `__kcrctab*`. */
  readonly exportsLackCrcs: boolean;
  /** The form of the export tables; if absent, the form of kernels before 7.2. */
  readonly exportTables?: ExportTables;
  /** Bytes of `.data..percpu`. */
  readonly percpuBytes?: number;
  readonly defects: readonly LoaderDefect[];
  readonly signature: AppendedSignature | undefined;
  /** GNU build id, hexadecimal. */
  readonly buildId: string | undefined;
  readonly observations: Observations;
}

/** The export tables that are there. */
export interface ExportTables {
  /** Whether there is a `__ksymtab` that is not empty. */
  readonly symbols: boolean;
  /**
   * Whether there is a `__kflagstab`: from 7.2 on it marks the GPL-only exports, and
   * `__ksymtab_gpl` means nothing.
   */
  readonly flags: boolean;
  readonly gplSymbols: boolean;
  readonly gplCrcs: boolean;
}

/** Measurements that `trustLevelOf` weighs; facts without judgement. */
export interface Observations {
  /** Compilers named in `.comment`, one entry an object that was linked, in order. */
  readonly compilers: readonly string[];
  readonly hasEhFrame: boolean;
  /** Relocations and symbols that livepatch resolves past the export table: `OBJECT.NAME`. */
  readonly livepatchSymbols: readonly string[];
  /** `_binary_*` symbols: data that objcopy linked in. */
  readonly binarySymbols: readonly string[];
  /** Parts that the kernel reads differently from other readers: a sentence each. */
  readonly readOtherwise?: readonly string[];
  /**
   * Words found in read-only data that hint at bypassing the export table or at a closed license.
   */
  readonly strings: readonly string[];
  /** Data sections that hold the beginning of another ELF file. */
  readonly embeddedElf: readonly string[];
  /** Texts of `.modinfo` that were written as one and hold a NUL, by the size of their symbols. */
  readonly cutTexts: readonly CutText[];
  /** Further measurements; undefined unless read with `deep`. */
  readonly deep: DeepObservations | undefined;
}

export interface CutText {
  /** The text up to the NUL, as the kernel reads it: `license=GPL`. */
  readonly read: string;
  /** The texts after it, up to the next NUL each. */
  readonly rest: readonly string[];
}

export interface DeepObservations {
  /** The number of functions, without the parts that a compiler moved elsewhere (`.cold`). */
  readonly functions: number;
  /** Functions in front of which the build left space, named `__pfx_NAME` (CONFIG_CALL_PADDING). */
  readonly padded: number;
  /** Functions that end in a plain `ret` although the rest uses return thunks (x86-64). */
  readonly plainReturns: number;
  /**
   * Plain exports that only pass imported symbols on, by calls, by their addresses, or by tables of
   * those: `[export, import]`.
   */
  readonly wrappers: readonly (readonly [exported: string, imported: string])[];
  /**
   * Data whose entropy is above 7 bits a byte in windows of 2 KiB, if it is 16 KiB together.
   */
  readonly denseObjects: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly bits: number;
  }[];
}

/** Returns the first entry with that tag, as the kernel's `get_modinfo` finds it. */
export function modinfo(module: KernelModule, tag: string): string | undefined {
  return module.modinfo.find((each) => each.tag === tag)?.value;
}

export function modinfoAll(module: KernelModule, tag: string): readonly string[] {
  return module.modinfo.filter((each) => each.tag === tag).map((each) => each.value);
}

/** The kernel's name for a module without one. */
export const missingName = '(missing .modinfo section or name field)';

/**
 * Returns the name in modinfo, else the one in `struct module`: early messages and the blacklist
 * use it.
 */
export function infoName(module: KernelModule): string | undefined {
  return modinfo(module, 'name') ?? module.structName;
}

/**
 * Returns a name for comparison, with `-` as `_`, as modprobe and the kernel's own files have it.
 */
export const plainName = (name: string): string => name.replaceAll('-', '_');

export const importsOf = (module: KernelModule): readonly ImportedSymbol[] =>
  module.symbols.filter((each) => each.kind === 'import');
