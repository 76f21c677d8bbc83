/** A survey as the report that every output format is made from. */
import { formatCause, type Cause } from '../../../base/problem.ts';
import { machines } from '../../core/elf/elf-format.ts';
import { infoName, modinfo, plainName, type KernelModule } from '../../core/record/module.ts';
import {
  countsOf,
  type ModuleReport,
  type ScanProblem,
  type ScanReport,
} from '../../core/reports/report.ts';
import { trustLevels, type TrustLevel } from '../../core/evidence/trust-level.ts';
import { shortened } from '../../core/reports/shortened.ts';
import { loaderReport } from '../../core/reports/loader-report.ts';
import { bareName } from '../../core/record/module-file.ts';
import type { KernelReading } from '../kernel/read-kernel.ts';
import type { SurveyedModule } from './survey.ts';

/** Requirements for modules, by the policy or by the caller. */
export interface ModuleDemand {
  readonly require: TrustLevel | undefined;
  /** Denied modules: name, with underscores → reason. */
  readonly denied: ReadonlyMap<string, string>;
}

/**
 * Modules that the host does not load: name, with underscores → reason; the policy may allow them.
 */
type HostDenials = ReadonlyMap<string, string>;

export function reportOf(
  modules: readonly SurveyedModule[],
  problems: readonly ScanProblem[],
  reading: Pick<KernelReading, 'kernel' | 'certificates' | 'gaps' | 'origins'>,
  demand: ModuleDemand,
  host: HostDenials,
): ScanReport {
  const { kernel } = reading;
  const keysKnown = reading.certificates.length > 0;
  const reports = modules.map((each) => moduleReport(each, demand, host, keysKnown));
  return {
    version: 1,
    kernel: {
      release: kernel.release,
      machine: machineName(kernel.machine),
      exportsFrom: kernel.exportsFrom,
      vermagic: kernel.vermagic ?? null,
      settingsFrom: reading.origins.settings ?? null,
      gaps: reading.gaps,
    },
    modules: reports,
    problems,
    counts: countsOf(reports, problems),
  };
}

function moduleReport(
  surveyed: SurveyedModule,
  demand: ModuleDemand,
  host: HostDenials,
  keysKnown: boolean,
): ModuleReport {
  const { module, signature, trustLevel } = surveyed;
  const name = shortened(infoName(module) ?? bareName(surveyed.file));
  const plain = plainName(name);
  const byPolicy = demand.denied.get(plain);
  return {
    file: surveyed.file,
    name,
    license: stated(module, 'license'),
    version: stated(module, 'version'),
    srcversion: stated(module, 'srcversion'),
    buildId: module.buildId ?? null,
    sha256: surveyed.sha256,
    machine: machineName(module.machine),
    vermagic: stated(module, 'vermagic'),
    signer: signature.signer ?? null,
    signature: signature.outcome,
    package: packageName(surveyed),
    loader: loaderReport(surveyed.verdict),
    gplOnly: surveyed.gplOnly,
    trustLevel,
    evidence: surveyed.evidence.map((each) => ({ ...each, message: shortened(each.message) })),
    deniedReason: byPolicy ?? host.get(plain) ?? null,
    ...answerTo(demand, surveyed, byPolicy !== undefined, keysKnown),
  };
}

function stated(module: KernelModule, tag: string): string | null {
  const text = modinfo(module, tag);
  return text === undefined ? null : shortened(text);
}

export function packageName({ origin }: Pick<SurveyedModule, 'origin'>): string | null {
  if (origin.package !== undefined) return `${origin.package.name} ${origin.package.version}`;
  return origin.dkms === undefined ? null : `dkms ${origin.dkms.name}/${origin.dkms.version}`;
}

function answerTo(
  { require: lowest, denied: list }: ModuleDemand,
  surveyed: SurveyedModule,
  denied: boolean,
  keysKnown: boolean,
): Pick<ModuleReport, 'accepted' | 'undecidedReason'> {
  if (lowest === undefined && list.size === 0) return { accepted: null, undecidedReason: null };
  if (denied) return { accepted: false, undecidedReason: null };
  if (lowest === undefined || isAtLeast(surveyed.trustLevel, lowest))
    return { accepted: true, undecidedReason: null };
  const why = whyUndecided(surveyed, lowest, keysKnown);
  return why === undefined
    ? { accepted: false, undecidedReason: null }
    : { accepted: null, undecidedReason: formatCause(why) };
}

const isAtLeast = (trustLevel: TrustLevel, lowest: TrustLevel): boolean =>
  trustLevels.indexOf(trustLevel) >= trustLevels.indexOf(lowest);

/**
 * Returns why the trust level might be too low: what could have raised it and could not be judged;
 * undefined if nothing.
 */
function whyUndecided(
  { trustLevel, signature, evidence }: SurveyedModule,
  lowest: TrustLevel,
  keysKnown: boolean,
): Cause | undefined {
  if (trustLevel === 'contradicted') return undefined;
  if (isAtLeast('signed', lowest) && signature.outcome === 'unknown key' && !keysKnown)
    return {
      reason: 'it is signed, and the keys that its kernel trusts are not known',
      hint: 'name an image of the kernel by --kernel',
    };
  if (!isAtLeast('consistent', lowest)) return undefined;
  const found = evidence.find((each) => each.check === 'source-undecided');
  return found && { reason: found.message };
}

const machineNames = new Map<number, string>([
  [machines.x8664, 'x86-64'],
  [machines.arm64, 'arm64'],
  [machines.i386, 'i386'],
  [machines.arm, 'arm'],
  [machines.ppc64, 'ppc64'],
  [machines.s390, 's390'],
  [machines.riscv, 'riscv'],
]);

export const machineName = (machine: number): string =>
  machineNames.get(machine) ?? `ELF machine ${machine}`;
