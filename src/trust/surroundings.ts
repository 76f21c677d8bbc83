/** What is known beside the modules themselves. */
import type { SourceFinding } from '../modules/evidence/context.ts';
import type { OfferedSource } from '../modules/source/offered.ts';
import { matchSource } from '../modules/source/match.ts';
import { findKernelBuild } from './kernel-build.ts';
import type { KernelReading } from './kernel.ts';
import { openOffered } from './match.ts';
import { judgeAll, type ReadEntry, type Surveyed } from './survey.ts';

/**
 * Whether the build of a kernel signs its modules. Its own tree tells, so that the answer does not depend on which
 * modules are asked about; they tell only where there is no tree.
 */
export function buildSigns(
  entries: readonly Pick<ReadEntry, 'signature'>[],
  { kernel, certificates, signsModules }: KernelReading,
): boolean {
  if (signsModules !== undefined) return signsModules;
  if (!kernel.config.signatures || certificates.length === 0) return false;
  return entries.some(
    ({ signature }) => signature.outcome === 'good' && signature.trustedBy === 'kernel',
  );
}

/** Judged for a kernel, beside modules that are there to be loaded first. */
export function judgeFor(
  reading: KernelReading,
  entries: readonly ReadEntry[],
  providers: readonly ReadEntry[],
): readonly Surveyed[] {
  return judgeAll(entries, {
    kernel: reading.kernel,
    buildSigns: buildSigns([...entries, ...providers], reading),
    providers,
    sourceOf: sourceFinder(reading),
  });
}

/** Of modules that DKMS built here, the source is at hand, and is compared without being asked for. */
function sourceFinder({ kernel }: KernelReading): (entry: ReadEntry) => SourceFinding | undefined {
  const opened = new Map<string, OfferedSource | string>();
  const open = (folder: string): OfferedSource | string => {
    const build = findKernelBuild(kernel.release);
    const offered = openOffered(folder, { build: build.ok ? build.value : undefined });
    return offered.ok ? offered.value : offered.error;
  };
  return ({ module, origin }) => {
    const folder = origin.dkms?.source;
    if (folder === undefined) return undefined;
    const offered = opened.get(folder) ?? open(folder);
    opened.set(folder, offered);
    if (typeof offered === 'string') return { outcome: 'cannot tell', says: offered };
    const { outcome, reasons, licence } = matchSource(module, offered);
    const [why = ''] = reasons;
    const says = `Compared with its source in ${folder}: ${why}`;
    return { outcome, says, closedTerms: licence.closedTerms };
  };
}
