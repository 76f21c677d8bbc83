/** The values that `bulkhead modules` prints with `--json`. Schemas are generated from these types. */
import type { Evidence, TrustLevel } from '../../../packages/modules/core/evidence/trust-level.ts';
import type { GateMode } from '../core/gate/gate-event.ts';
import type { GateList, GateModule, ListChange } from '../core/gate/gate-list.ts';
import type { LoaderReport, ScanReport } from '../../../packages/modules/core/reports/report.ts';
import type {
  LicenseFindings,
  SourceMatch,
} from '../../../packages/modules/core/source/match-result.ts';
import type {
  NewlyRefused,
  VerdictComparison,
} from '../../../packages/modules/core/upgrade/compare-verdicts.ts';
import type { RebuildHurdles } from '../../../packages/modules/core/upgrade/rebuild-hurdles.ts';
import type { DenyOutcome } from '../io/deny/deny.ts';
import type { GateFacts } from '../io/gate/host-facts.ts';
import type { GateRefusal } from '../io/gate/refusals.ts';
import type { Rebuilt } from '../../../packages/modules/io/rebuild/rebuild.ts';
import type { MatchOutcome } from './matched.ts';

/** The modules that were read, and what the kernel would do with each. */
export type ModulesScanJson = ScanReport;

/** The same as `modules scan`, for one module. */
export type ModulesExplainJson = ScanReport;

/** The result of loading modules one after another. */
export interface ModulesPredictJson {
  readonly version: 1;
  /** The modules, in the order of loading. */
  readonly modules: readonly PredictedModule[];
}

export interface PredictedModule {
  readonly file: string;
  /** The module's name, as the kernel lists it. */
  readonly name: string;
  /** The license that it claims; null if there is none. */
  readonly license: string | null;
  /** The kernel's decision on loading it. */
  readonly loader: LoaderReport;
  /** GPL-only symbols that it imports. */
  readonly gplOnly: readonly string[];
  /** The trust level; null for a file that is not a module. */
  readonly trustLevel: TrustLevel | null;
  /** The findings about the module. */
  readonly evidence: readonly Evidence[];
}

/** The comparison of modules with the source offered for them. */
export interface ModulesMatchJson {
  readonly version: 1;
  /** The modules that were compared. */
  readonly modules: readonly MatchedModule[];
}

export interface MatchedModule {
  readonly file: string;
  /** The module's name, as the kernel lists it. */
  readonly name: string;
  /** The outcome of the rebuild if it decides, otherwise of the comparison of texts. */
  readonly outcome: MatchOutcome;
  /** The comparison of texts. */
  readonly match: MatchJson;
  /** The result of the rebuild; null if there was none. */
  readonly rebuild: Rebuilt | null;
}

/** The comparison of one module with the source. */
export interface MatchJson extends Pick<SourceMatch, 'outcome' | 'suspectFiles' | 'reasons'> {
  /** The directory of the offered tree that builds the module; null if no makefile names it. */
  readonly directory: string | null;
  /** The srcversions of module and source. */
  readonly srcversion: {
    /** The srcversion in the module; null if it has none. */
    readonly claimed: string | null;
    /** The srcversion of the source; null if it could not be computed. */
    readonly computed: string | null;
    /** The method that listed the headers for `computed`. */
    readonly method: 'text' | 'preprocessor' | null;
    /** The files that were hashed, in order. */
    readonly files: readonly string[];
  };
  /** The objects that the makefile links into the module. */
  readonly objects: readonly {
    /** The object file. */
    readonly object: string;
    /** The source; null if there is none. */
    readonly source: string | null;
  }[];
  /** The numbers of objects that a compiler made. */
  readonly compilers: {
    /** Objects that a compiler made, counted in the module's `.comment`. */
    readonly inModule: number;
    /** The same counted in the makefile; null if unknown. */
    readonly inMakefile: number | null;
  };
  /** The licenses of the source files. */
  readonly license: LicenseJson;
}

export interface LicenseJson extends Omit<LicenseFindings, 'spdx'> {
  /** The number of source files by SPDX expression. */
  readonly spdx: Readonly<Record<string, number>>;
}

/** The modules that another kernel would refuse or accept. */
export interface ModulesUpgradeJson extends Omit<VerdictComparison, 'noLongerLoad'> {
  readonly version: 1;
  /** The release of the other kernel. */
  readonly kernel: string;
  /** The number of modules compared. */
  readonly modules: number;
  /** Modules that load now, and would not. */
  readonly noLongerLoad: readonly RefusedModule[];
}

/** A module that loads now, and would not. */
export interface RefusedModule extends NewlyRefused {
  /** The symbols that would be missing if it were built again. */
  readonly rebuild: RebuildHurdles;
}

/** The changes that keep modules from being loaded. */
export type ModulesDenyJson = DenyOutcome;

/** The changes that let denied modules be loaded again. */
export type ModulesAllowJson = DenyOutcome;

/** The gate after it was enabled. */
export interface ModulesGateEnableJson {
  /** The mode: `on`, or `watch`, which only reports. */
  readonly mode: Exclude<GateMode, 'off'>;
  readonly dryRun: boolean;
  /** The kernel's release. */
  readonly release: string;
  /** The number of modules that may load. */
  readonly listed: number;
  /** Modules that are loaded already and are not on the list. */
  readonly loadedUnlisted: readonly string[];
}

/** The gate after it was disabled. */
export interface ModulesGateDisableJson {
  /** `off`: the gate lets every module load. */
  readonly mode: 'off';
  /** The mode until now. */
  readonly before: GateMode;
}

/** The state of the gate. */
export interface ModulesGateStatusJson extends GateFacts {
  /** The mode now; `watch` only reports. */
  readonly mode: GateMode;
  /** The mode that the next boot starts with. */
  readonly atBoot: GateMode;
  /** The reason why the gate cannot be on here; null where it can. */
  readonly obstacle: string | null;
  /** The running kernel's release. */
  readonly release: string;
  /** The number of modules that may load; null if the running kernel has no list. */
  readonly listed: number | null;
  /** The number of modules that may not; null if the running kernel has no list. */
  readonly refused: number | null;
  /** Modules that are loaded and are not on the list; null if the running kernel has no list. */
  readonly loadedUnlisted: readonly string[] | null;
  /** Other kernels that have a list. */
  readonly otherKernels: readonly string[];
  /** The latest refusals, oldest first. */
  readonly refusals: readonly GateRefusal[];
}

/** The lists that were made, and what changed in them. */
export type ModulesGateSyncJson = readonly UpdatedList[];

export interface UpdatedList {
  /** The list. */
  readonly list: GateList;
  /** The changes in it. */
  readonly change: ListChange;
}

/** Whether modules of a name may load. */
export interface ModulesGateWhyJson {
  /** The kernel's release. */
  readonly release: string;
  /** The modules of that name. */
  readonly modules: readonly JudgedModule[];
}

export interface JudgedModule extends GateModule {
  /** Whether it may load. */
  readonly mayLoad: boolean;
  /** The reason, for people. */
  readonly reason: string;
}

/** Whether the kernel itself now requires signatures. */
export interface ModulesGateSignaturesJson {
  /** `true`: unsigned modules no longer load. */
  readonly signaturesRequired: true;
  /** Whether it did not do so before. */
  readonly changed: boolean;
}
