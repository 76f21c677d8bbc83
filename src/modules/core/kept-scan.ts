/** The part of a scan that the console shows: what decides about a module, without its hashes. */
import type { ModuleReport, ScanReport } from '../../../packages/modules/core/reports/report.ts';
import type { KeptModule, ModulesReport } from '../../agent/responses/protection-response.ts';

type Weight = KeptModule['evidence'][number]['weight'];
const weights: readonly Weight[] = ['proof', 'lead', 'support', 'note'];
/** A hostile module can give rise to many findings. */
const evidenceMax = 20;

/** `loaded` has the names of loaded modules; undefined if they are unknown. */
export const keptScan = (
  { kernel, modules, problems }: ScanReport,
  loaded: ReadonlySet<string> | undefined,
): ModulesReport => ({
  kernel: kernel.release,
  modules: modules.map((each) => keptModule(each, loaded)),
  unreadable: problems.length,
});

function keptModule(module: ModuleReport, loaded: ReadonlySet<string> | undefined): KeptModule {
  const { name, file, license, loader, trustLevel, accepted, deniedReason, evidence } = module;
  const sorted = evidence.toSorted((a, b) => weights.indexOf(a.weight) - weights.indexOf(b.weight));
  return {
    name,
    file,
    package: module.package,
    license,
    verdict: loader.result,
    reasons: loader.reasons,
    taints: loader.taints,
    trustLevel,
    evidence: sorted.slice(0, evidenceMax),
    accepted,
    deniedReason,
    isLoaded: loaded === undefined ? null : loaded.has(name.replaceAll('-', '_')),
  };
}
