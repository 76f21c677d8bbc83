/**
 * The public library: `import { scan } from 'bulkhead/modules'`; docs/modules-library.md has an example of
 * each.
 *
 * `scan` judges as the command does. Below it are the pieces: the first half is pure, over bytes
 * and plain data; the second reads this host or directories of it. Functions that can fail return a
 * `Result`: `{ ok: true, value }` or `{ ok: false, error }`.
 */
export { scan, type ScanOptions } from './io/scan/scan.ts';
export type {
  KernelReport,
  LoaderReport,
  ModuleReport,
  ScanCounts,
  ScanProblem,
  ScanReport,
} from './core/reports/report.ts';
export { formatCause, formatProblem, type Cause, type Problem } from '../base/problem.ts';
export type { Result } from '../base/result.ts';

export { readElf } from './core/elf/read-elf.ts';
export type { Elf } from './core/elf/elf.ts';
export { readModule, type ModuleProblem, type ReadOptions } from './core/record/read-module.ts';
export {
  importsOf,
  infoName,
  modinfo,
  modinfoAll,
  type KernelModule,
  type SignatureCheck,
  type SymbolExport,
} from './core/record/module.ts';
export type { Kernel, KernelConfig, LoaderSettings, LoaderState } from './core/kernel/kernel.ts';
export { loaderVerdict, newState, predict, unload } from './core/loader/loader-verdict.ts';
export type { Candidate, LoaderOptions } from './core/loader/candidate.ts';
export { judgeTree } from './core/loader/dependency-order.ts';
export type { Reason, LoaderVerdict } from './core/loader/verdict.ts';
export { trustLevelOf } from './core/evidence/judge.ts';
export type {
  PackageClaim,
  SourceFinding,
  TrustContext,
} from './core/evidence/evidence-context.ts';
export {
  trustLevels,
  type Evidence,
  type Judgement,
  type TrustLevel,
} from './core/evidence/trust-level.ts';
export { lettersOf, taintBits, taintMeanings } from './core/kernel/taints.ts';
export { compareModules, type Comparison } from './core/compare/compare.ts';
export { parseSymvers } from './core/kernel/symvers.ts';

export { decompressed } from './io/inputs/decompress.ts';
export {
  readKernel,
  runningKernel,
  type KernelPlace,
  type KernelReading,
} from './io/kernel/read-kernel.ts';
export { readRunningModules, type RunningModule, type RunningPlace } from './io/kernel/running.ts';
export {
  checkSignature,
  makeSignatureChecker,
  readCertificate,
  type SignatureChecker,
  type TrustedCertificate,
} from './io/scan/signatures.ts';
