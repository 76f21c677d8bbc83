/**
 * A scan's result for programs: the contract of `--json`, and the source of every other format.
 *
 * Fields are never removed or renamed within one `version`; unknown values are null, not absent.
 */
import type { LoaderErrno } from '../loader/errno.ts';
import type { LoaderVerdict } from '../loader/verdict.ts';
import type { SignatureCheck } from '../record/module.ts';
import { trustLevels, type Evidence, type TrustLevel } from '../evidence/trust-level.ts';

export interface ModuleReport {
  /** The file as the caller named it; inside an archive `PACKAGE.deb!/PATH`. */
  readonly file: string;
  /** The module's name, as the kernel lists it. */
  readonly name: string;
  /**
   * The claimed license up to a NUL, which is how the kernel reads it; the rest is in the evidence.
   */
  readonly license: string | null;
  /** The `version` of `.modinfo`; null if there is none. */
  readonly version: string | null;
  /** The `srcversion` of `.modinfo`; null if there is none. */
  readonly srcversion: string | null;
  /** GNU build id, hexadecimal. */
  readonly buildId: string | null;
  /** The digest of the file as stored, compressed or not; hexadecimal. */
  readonly sha256: string;
  /** `x86-64`, `arm64`, … */
  readonly machine: string;
  /** The kernel that the module says it was built for; null when it names none. */
  readonly vermagic: string | null;
  /** Subject of the certificate that verified the signature. */
  readonly signer: string | null;
  /** The result of checking the signature. */
  readonly signature: SignatureCheck['outcome'];
  /** The package where known: `linux-image-6.12.118+deb13-amd64 6.12.118-1`. */
  readonly package: string | null;
  /** The kernel's decision on loading it. */
  readonly loader: LoaderReport;
  /** GPL-only symbols that the module imports. */
  readonly gplOnly: readonly string[];
  /** The trust level, which follows from the evidence. */
  readonly trustLevel: TrustLevel;
  /** The findings about the module. */
  readonly evidence: readonly Evidence[];
  /** The reason why the policy or modprobe.d denies it; null when nothing does. */
  readonly deniedReason: string | null;
  /** Whether it meets the requirement; null if there is none, or if that cannot be decided. */
  readonly accepted: boolean | null;
  /** The reason why that cannot be decided; null otherwise. */
  readonly undecidedReason: string | null;
}

/**
 * `LoaderVerdict` with certain taints separate from those that a keyring may prevent, and null for absent
 * values.
 */
export interface LoaderReport extends Pick<LoaderVerdict, 'result' | 'messages' | 'unknown'> {
  /** The errno as the system call returns it, positive: 2 for ENOENT. */
  readonly errno: number | null;
  /** The errno's name, such as `ENOENT`; null if the module loads. */
  readonly errnoName: LoaderErrno | null;
  /** Letters of the module's taints that are certain, in the order of their bits. */
  readonly taints: string;
  /**
   * Further letters that it gets unless a keyring of the kernel holds the key that signed it: `E`,
   * or none.
   */
  readonly taintsUnlessTrusted: string;
  /** The kernel's mask afterwards, as in /proc/sys/kernel/tainted: the bits that are certain. */
  readonly kernelTaint: number;
  /** Further bits of it, which depend on the keyrings. */
  readonly kernelTaintUnlessTrusted: number;
  /** The reasons for a refusal, for people. */
  readonly reasons: readonly string[];
}

export interface KernelReport {
  /** The kernel's release. */
  readonly release: string;
  /** The kernel's processor architecture. */
  readonly machine: string;
  /** The source of the exports, for people. */
  readonly exportsFrom: string;
  /** The kernel's vermagic; null if unknown. */
  readonly vermagic: string | null;
  /** The host or kernel whose command line and lockdown the verdicts use, for people. */
  readonly settingsFrom: string | null;
  /** Unknown facts about the kernel, and what to do: a sentence each. */
  readonly gaps: readonly string[];
}

/** A file that could not be read, or is not a module. */
export interface ScanProblem {
  readonly file: string;
  /** Bytes from the start of the file to where it stops making sense. */
  readonly offset: number | null;
  readonly message: string;
}

export interface ScanCounts {
  /** Modules that were read. */
  readonly modules: number;
  /** Modules that would load, with or without taints. */
  readonly load: number;
  /** Modules that would load, and taint for certain. */
  readonly tainting: number;
  /** Modules that would load, and taint only if no keyring holds the key that signed them. */
  readonly taintingUnlessTrusted: number;
  /** Modules that would not load. */
  readonly refuse: number;
  /** Modules by trust level. */
  readonly trustLevels: Readonly<Record<TrustLevel, number>>;
  /** Modules that the policy or modprobe.d denies. */
  readonly denied: number;
  /** Modules that do not meet the requirement. */
  readonly rejected: number;
  /** Modules for which that cannot be decided. */
  readonly undecided: number;
  /** Files that could not be read, or are not modules. */
  readonly problems: number;
}

export interface ScanReport {
  /** The version of this format. */
  readonly version: 1;
  /** The kernel that the verdicts are for. */
  readonly kernel: KernelReport;
  /** The modules that were read. */
  readonly modules: readonly ModuleReport[];
  /** The files that could not be read, or are not modules. */
  readonly problems: readonly ScanProblem[];
  /** The numbers of modules by result. */
  readonly counts: ScanCounts;
}

/** Metadata of a document; pure code has neither clock nor randomness. */
export interface Imprint {
  /** `2026-11-24T22:05:00Z`, UTC. */
  readonly createdIso: string;
  readonly toolVersion: string;
  /** A URI for only this document, for SPDX. */
  readonly documentNamespace: string;
  /** A random UUID without prefix, for CycloneDX. */
  readonly serial: string;
  /** The absolute directory for SARIF: names of files below it are relative to it. */
  readonly root: string;
}

/**
 * Returns the taints in words: `O, and E unless a keyring holds the key that signed it`; empty if
 * there are none.
 */
export function taintsInWords({
  taints,
  taintsUnlessTrusted: open,
}: Pick<LoaderReport, 'taints' | 'taintsUnlessTrusted'>): string {
  if (open === '') return taints;
  return `${taints === '' ? '' : `${taints}, and `}${open} unless a keyring holds the key that signed it`;
}

/** Counts the modules in one pass. */
export function countsOf(
  modules: readonly ModuleReport[],
  problems: readonly ScanProblem[],
): ScanCounts {
  const byTrustLevel = Object.fromEntries(trustLevels.map((each) => [each, 0])) as Record<
    TrustLevel,
    number
  >;
  let [tainting, perhaps, refuse, denied, rejected, undecided] = [0, 0, 0, 0, 0, 0];
  for (const each of modules) {
    byTrustLevel[each.trustLevel]++;
    if (each.loader.result === 'refuse') refuse++;
    else if (each.loader.taints !== '') tainting++;
    else if (each.loader.taintsUnlessTrusted !== '') perhaps++;
    if (each.deniedReason !== null) denied++;
    if (each.accepted === false) rejected++;
    if (each.undecidedReason !== null) undecided++;
  }
  return {
    modules: modules.length,
    load: modules.length - refuse,
    tainting,
    taintingUnlessTrusted: perhaps,
    refuse,
    trustLevels: byTrustLevel,
    denied,
    rejected,
    undecided,
    problems: problems.length,
  };
}
