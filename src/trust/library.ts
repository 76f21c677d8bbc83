/**
 * What other programs may build on: `import { readModule, loaderVerdict } from 'bulkhead/modules'`.
 *
 * The first half is pure, over bytes and plain data; the second reads this host or folders of it. Everything
 * answers with `Result`: `{ ok: true, value }` or `{ ok: false, error }`.
 */
export { readElf, type Elf } from '../modules/elf.ts';
export { readModule, type ModuleProblem } from '../modules/read-module.ts';
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
export type { StandingContext } from '../modules/evidence/context.ts';
export { standings, type Evidence, type Judgement, type Standing } from '../modules/standing.ts';
export { lettersOf, taintBits, taintMeanings } from '../modules/taints.ts';
export { compareModules, type Comparison } from '../modules/compare.ts';
export { parseSymvers } from '../modules/kernel/symvers.ts';
export type { ModuleReport, ScanReport } from '../modules/reports/report.ts';

export { decompressed } from './decompress.ts';
export { readKernel, runningKernel, type KernelPlace, type KernelReading } from './kernel.ts';
export { readRunningModules, type RunningModule } from './running.ts';
export { checkSignature, makeSignatureChecker, readCertificate } from './signatures.ts';
