/**
 * The modules of a kernel that may load, and the reasons why others may not. The gate is loaded
 * with this list, kept in `/var/lib/bulkhead/modules-gate/RELEASE.json`. It is made from a scan, so
 * the policy decides.
 */
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { ModuleReport, ScanReport } from '../../../../packages/modules/core/reports/report.ts';

export interface GateList {
  /** The kernel's release. */
  readonly release: string;
  /** The kernel's modules. */
  readonly modules: readonly GateModule[];
}

export interface GateModule {
  readonly file: string;
  /** The module's name, as the kernel lists it. */
  readonly name: string;
  /** The digest of the file as it lies on disk, compressed or not; hexadecimal. */
  readonly sha256: string;
  /** The reason why it may not load; null if it may. */
  readonly refusedReason: string | null;
}

/** The size of the kernel's map of digests. */
export const listedMax = 131_072;

export function gateListOf(report: ScanReport): GateList {
  return {
    release: report.kernel.release,
    modules: report.modules.map((each) => ({
      file: each.file,
      name: each.name,
      sha256: each.sha256,
      refusedReason: refusalOf(each)?.reason ?? null,
    })),
  };
}

/**
 * Returns the reason to refuse a module. One that contradicts itself never passes, whatever the
 * policy requires.
 */
function refusalOf({
  deniedReason,
  trustLevel,
  evidence,
  accepted,
  undecidedReason,
}: ModuleReport): Cause | undefined {
  if (deniedReason !== null) return { reason: deniedReason };
  if (trustLevel === 'contradicted') {
    const proof = evidence.find(({ weight }) => weight === 'proof');
    return { reason: `it is contradicted${proof === undefined ? '' : `: ${proof.message}`}` };
  }
  if (undecidedReason !== null)
    return { reason: `whether the policy accepts it is not known: ${undecidedReason}` };
  return accepted === false
    ? { reason: `the policy requires more than "${trustLevel}"` }
    : undefined;
}

/** Returns the digests for the kernel, each once: the same content may lie in several files. */
export const listedDigests = ({ modules }: GateList): readonly string[] => [
  ...new Set(modules.flatMap((each) => (each.refusedReason === null ? [each.sha256] : []))),
];

export interface ListChange {
  /** Modules that are new in the list. */
  readonly added: readonly GateModule[];
  /** Modules that are no longer in the list. */
  readonly removed: readonly GateModule[];
}

/** Returns the modules that may load now and could not before, and the reverse, by content. */
export function changesOf(before: GateList | undefined, after: GateList): ListChange {
  const was = new Set(before === undefined ? [] : listedDigests(before));
  const is = new Set(listedDigests(after));
  const admitted = (list: GateList) => list.modules.filter((each) => each.refusedReason === null);
  return {
    added: admitted(after).filter(({ sha256 }) => !was.has(sha256)),
    removed: before === undefined ? [] : admitted(before).filter(({ sha256 }) => !is.has(sha256)),
  };
}

const format = 1;

export const gateListText = (list: GateList): string =>
  `${JSON.stringify({ format, release: list.release, modules: list.modules.length })}\n${list.modules
    .map((each) => `${JSON.stringify(each)}\n`)
    .join('')}`;

/**
 * Parses the list, which is root's own; refuses it as a whole if anything is not as it was written.
 */
export function parseGateList(text: string, file: string): Result<GateList, Problem> {
  const broken = (reason: string) =>
    failed({
      action: 'read the list of modules',
      object: file,
      reason,
      hint: 'make it again with "bulkhead modules gate sync"',
    });
  const [head = '', ...lines] = text.split('\n');
  try {
    const written = JSON.parse(head) as { format?: unknown; release?: unknown; modules?: unknown };
    const { release } = written;
    if (written.format !== format || typeof release !== 'string')
      return broken('its first line is not ours');
    if (lines.pop() !== '' || lines.length !== written.modules) return broken('a part is missing');
    const modules = lines.map((line) => JSON.parse(line) as GateModule);
    const wrong = modules.findIndex((each) => !isGateModule(each));
    if (wrong >= 0) return broken(`line ${wrong + 2} is not a module`);
    return ok({ release, modules });
  } catch (error) {
    return broken((error as Error).message);
  }
}

function isGateModule({ file, name, sha256, refusedReason }: Partial<GateModule>): boolean {
  return (
    typeof file === 'string' &&
    typeof name === 'string' &&
    /^[0-9a-f]{64}$/.test(String(sha256)) &&
    (refusedReason === null || typeof refusedReason === 'string')
  );
}
