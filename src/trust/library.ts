/**
 * What other programs may build on: `import { scan } from 'bulkhead/modules'`; docs/library.md has an example of each.
 *
 * `scan` is the judgement of the command. Below it are the pieces: the first half is pure, over bytes and plain
 * data; the second reads this host or folders of it. What can fail answers with `Result`:
 * `{ ok: true, value }` or `{ ok: false, error }`.
 */
export { scan, type ScanOptions } from './scan.ts';
export type {
  KernelReport,
  LoaderReport,
  ModuleReport,
  ScanCounts,
  ScanProblem,
  ScanReport,
} from '../modules/reports/report.ts';
export type { Result } from '../units/result.ts';

export { readElf, type Elf } from '../modules/elf.ts';
export { readModule, type ModuleProblem, type ReadOptions } from '../modules/read-module.ts';
export {
  importsOf,
  infoName,
  modinfo,
  modinfoAll,
  type KernelModule,
  type SignatureCheck,
  type SymbolExport,
} from '../modules/module.ts';
export type { Kernel, KernelConfig, LoaderSettings, LoaderState } from '../modules/kernel.ts';
export { loaderVerdict, newState, predict, unload } from '../modules/loader/loader-verdict.ts';
export type { Candidate, LoaderOptions } from '../modules/loader/candidate.ts';
export { judgeTree } from '../modules/loader/tree.ts';
export type { Reason, Verdict } from '../modules/verdict.ts';
export { standingOf } from '../modules/evidence/judge.ts';
export type { PackageClaim, SourceFinding, StandingContext } from '../modules/evidence/context.ts';
export { standings, type Evidence, type Judgement, type Standing } from '../modules/standing.ts';
export { lettersOf, taintBits, taintMeanings } from '../modules/taints.ts';
export { compareModules, type Comparison } from '../modules/compare.ts';
export { parseSymvers } from '../modules/kernel/symvers.ts';

export { decompressed } from './decompress.ts';
export { readKernel, runningKernel, type KernelPlace, type KernelReading } from './kernel.ts';
export { readRunningModules, type RunningModule, type RunningPlace } from './running.ts';
export {
  checkSignature,
  makeSignatureChecker,
  readCertificate,
  type SignatureChecker,
  type TrustedCertificate,
} from './signatures.ts';
