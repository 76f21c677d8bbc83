/** What is known beside the modules themselves. */
import type { SourceFinding } from '../modules/evidence/context.ts';
import type { OfferedSource } from '../modules/source/offered.ts';
import { matchSource } from '../modules/source/match.ts';
import { findKernelBuild } from './kernel-build.ts';
import type { KernelReading } from './kernel.ts';
import { openOffered } from './match.ts';
import { judgeAll, type ReadEntry, type Surveyed } from './survey.ts';
import { readRebuilds, rebuildsDirectory, sourceDigest } from './kept-rebuilds.ts';

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

/** What `match --rebuild` found and root kept, as long as source that is at hand is still that source. */
function rebuiltFinder(release: string): (entry: ReadEntry) => SourceFinding | undefined {
  const directory = rebuildsDirectory();
  const kept = Map.groupBy(
    directory === undefined ? [] : readRebuilds(directory),
    ({ module }) => module,
  );
  const digests = new Map<string, string | undefined>();
  const digestOf = (folder: string): string | undefined => {
    if (!digests.has(folder)) {
      const digest = sourceDigest(folder);
      digests.set(folder, digest.ok ? digest.value : undefined);
    }
    return digests.get(folder);
  };
  return ({ sha256, origin }) => {
    const folder = origin.dkms?.source;
    const found = kept
      .get(sha256)
      ?.find(
        (each) =>
          each.release === release && (folder === undefined || each.source === digestOf(folder)),
      );
    if (found === undefined) return undefined;
    const says = `Built again on ${found.day} from the source offered as "${found.offered}", it was the same byte by byte`;
    return { outcome: 'reproduced', says };
  };
}

/** Of modules that DKMS built here, the source is at hand, and is compared without being asked for. */
function sourceFinder({ kernel }: KernelReading): (entry: ReadEntry) => SourceFinding | undefined {
  const opened = new Map<string, OfferedSource | string>();
  const rebuilt = rebuiltFinder(kernel.release);
  const open = (folder: string): OfferedSource | string => {
    const build = findKernelBuild(kernel.release);
    const offered = openOffered(folder, { build: build.ok ? build.value : undefined });
    return offered.ok ? offered.value : offered.error;
  };
  return (entry) => {
    const { module, origin } = entry;
    const folder = origin.dkms?.source;
    const again = rebuilt(entry);
    if (again !== undefined || folder === undefined) return again;
    const offered = opened.get(folder) ?? open(folder);
    opened.set(folder, offered);
    if (typeof offered === 'string') return { outcome: 'cannot tell', says: offered };
    const { outcome, reasons, licence } = matchSource(module, offered);
    const [why = ''] = reasons;
    const says = `Compared with its source in ${folder}: ${why}`;
    return { outcome, says, closedTerms: licence.closedTerms };
  };
}
