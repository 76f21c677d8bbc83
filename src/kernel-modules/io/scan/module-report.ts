/** A survey as the report that every output format is made from. */
import { constants } from 'node:os';
import { machines } from '../../core/elf/elf.ts';
import { infoName, modinfo, plainName } from '../../core/record/module.ts';
import {
  countsOf,
  type LoaderReport,
  type ModuleReport,
  type ScanProblem,
  type ScanReport,
} from '../../core/reports/report.ts';
import { trustLevels, type TrustLevel } from '../../../policy/trust-level.ts';
import type { Verdict } from '../../core/loader/verdict.ts';
import { bareName } from '../../core/record/module-file.ts';
import type { KernelReading } from '../kernel/read-kernel.ts';
import type { Surveyed } from './survey.ts';

/** What is asked of modules: by the policy, or by whoever asks. */
export interface Demand {
  readonly require: TrustLevel | undefined;
  /** Name, with underscores → why it is denied. */
  readonly denied: ReadonlyMap<string, string>;
}

/** Name, with underscores → why the host does not load it; the policy need not mind. */
export type HostDenials = ReadonlyMap<string, string>;

export function reportOf(
  modules: readonly Surveyed[],
  problems: readonly ScanProblem[],
  reading: Pick<KernelReading, 'kernel' | 'certificates' | 'gaps'>,
  demand: Demand,
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
      gaps: reading.gaps,
    },
    modules: reports,
    problems,
    counts: countsOf(reports, problems),
  };
}

function moduleReport(
  surveyed: Surveyed,
  demand: Demand,
  host: HostDenials,
  keysKnown: boolean,
): ModuleReport {
  const { module, signature, trustLevel } = surveyed;
  const name = infoName(module) ?? bareName(surveyed.file);
  const plain = plainName(name);
  const byPolicy = demand.denied.get(plain);
  return {
    file: surveyed.file,
    name,
    license: modinfo(module, 'license') ?? null,
    version: modinfo(module, 'version') ?? null,
    srcversion: modinfo(module, 'srcversion') ?? null,
    buildId: module.buildId ?? null,
    sha256: surveyed.sha256,
    machine: machineName(module.machine),
    vermagic: modinfo(module, 'vermagic') ?? null,
    signer: signature.signer ?? null,
    signature: signature.outcome,
    package: packageName(surveyed),
    loader: loaderReport(surveyed.verdict),
    gplOnly: surveyed.gplOnly,
    trustLevel,
    evidence: surveyed.evidence,
    denied: byPolicy ?? host.get(plain) ?? null,
    ...answerTo(demand, surveyed, byPolicy !== undefined, keysKnown),
  };
}

export function packageName({ origin }: Pick<Surveyed, 'origin'>): string | null {
  if (origin.package !== undefined) return `${origin.package.name} ${origin.package.version}`;
  return origin.dkms === undefined ? null : `dkms ${origin.dkms.name}/${origin.dkms.version}`;
}

export function loaderReport(verdict: Verdict): LoaderReport {
  const { errno, openTaints, kernelTaint, openKernelTaint } = verdict;
  return {
    result: verdict.result,
    errno: errno === undefined ? null : errnoNumber(errno),
    errnoName: errno ?? null,
    taints: Array.from(verdict.taints)
      .filter((letter) => !openTaints.includes(letter))
      .join(''),
    taintsUnlessTrusted: openTaints,
    kernelTaint: kernelTaint - openKernelTaint,
    kernelTaintUnlessTrusted: openKernelTaint,
    messages: verdict.messages,
    reasons: verdict.reasons.map((each) => each.reason),
    unknown: verdict.unknown,
  };
}

/** Node has no constant for those of keys. Source: include/uapi/asm-generic/errno.h. */
const furtherErrnos: Readonly<Record<string, number>> = {
  EKEYREJECTED: 129,
  ENOPKG: 65,
  ENOKEY: 126,
};

const errnoNumber = (name: string): number | null =>
  (constants.errno as Readonly<Record<string, number>>)[name] ?? furtherErrnos[name] ?? null;

function answerTo(
  { require: lowest, denied: list }: Demand,
  surveyed: Surveyed,
  denied: boolean,
  keysKnown: boolean,
): Pick<ModuleReport, 'meets' | 'undecided'> {
  if (lowest === undefined && list.size === 0) return { meets: null, undecided: null };
  if (denied) return { meets: false, undecided: null };
  if (lowest === undefined || isAtLeast(surveyed.trustLevel, lowest))
    return { meets: true, undecided: null };
  const why = whyUndecided(surveyed, lowest, keysKnown);
  return why === undefined ? { meets: false, undecided: null } : { meets: null, undecided: why };
}

const isAtLeast = (trustLevel: TrustLevel, lowest: TrustLevel): boolean =>
  trustLevels.indexOf(trustLevel) >= trustLevels.indexOf(lowest);

/** What would have shown that it stands high enough, and could not be judged; undefined where nothing would. */
function whyUndecided(
  { trustLevel, signature, evidence }: Surveyed,
  lowest: TrustLevel,
  keysKnown: boolean,
): string | undefined {
  if (trustLevel === 'contradicted') return undefined;
  if (isAtLeast('signed', lowest) && signature.outcome === 'unknown key' && !keysKnown)
    return 'it is signed, and the keys that its kernel trusts are not known; name an image of the kernel by --kernel';
  if (!isAtLeast('consistent', lowest)) return undefined;
  return evidence.find((each) => each.check === 'source-cannot-tell')?.message;
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
