/**
 * Judges modules for a kernel, with further evidence: kept rebuilds, and the source of DKMS
 * modules.
 */
import { formatProblem, type Problem } from '../../../base/problem.ts';
import type { Result } from '../../../base/result.ts';
import type { SourceFinding } from '../../core/evidence/evidence-context.ts';
import type { OfferedSource } from '../../core/source/offered.ts';
import { matchSource } from '../../core/source/match.ts';
import { findKernelBuild } from '../kernel/kernel-build.ts';
import type { KernelReading } from '../kernel/read-kernel.ts';
import { openOffered, readFunctions } from '../source/match-files.ts';
import { builtFor } from '../kernel/module-sample.ts';
import type { DefinedFunctions } from '../../core/record/defined-functions.ts';
import { judgeAll, type SurveyedModule } from './survey.ts';
import type { ScannedFile } from './read-modules.ts';
import { readRebuilds, rebuildsDirectory, sourceDigest } from '../rebuild/kept-rebuilds.ts';

/**
 * Whether the build of a kernel signs its modules. Its own tree decides, so that the answer does
 * not depend on the given modules; they decide only if there is no tree.
 */
export function buildSigns(
  entries: readonly Pick<ScannedFile, 'signature'>[],
  { kernel, certificates, signsModules }: KernelReading,
): boolean {
  if (signsModules !== undefined) return signsModules;
  if (!kernel.config.signatures || certificates.length === 0) return false;
  return entries.some(
    ({ signature }) => signature.outcome === 'good' && signature.trustedBy === 'kernel',
  );
}

/** Judges modules for a kernel; `providers` are there to be loaded first. */
export async function judgeFor(
  reading: KernelReading,
  entries: readonly ScannedFile[],
  providers: readonly ScannedFile[],
): Promise<readonly SurveyedModule[]> {
  const withSource = entries.filter(({ origin }) => origin.dkms?.source !== undefined);
  return judgeAll(entries, {
    kernel: reading.kernel,
    buildSigns: buildSigns([...entries, ...providers], reading),
    providers,
    sourceOf: sourceFinder(reading, await readFunctions(withSource)),
  });
}

/**
 * Returns a function that finds the kept results of `match --rebuild`; they count only while the
 * source at hand is still the same.
 */
function rebuiltFinder(release: string): (entry: ScannedFile) => SourceFinding | undefined {
  const directory = rebuildsDirectory();
  const kept = Map.groupBy(
    directory === undefined ? [] : readRebuilds(directory),
    ({ module }) => module,
  );
  const digests = new Map<string, string | undefined>();
  const digestOf = (directory: string): string | undefined => {
    if (!digests.has(directory)) {
      const digest = sourceDigest(directory);
      digests.set(directory, digest.ok ? digest.value : undefined);
    }
    return digests.get(directory);
  };
  return ({ sha256, origin }) => {
    const directory = origin.dkms?.source;
    const found = kept
      .get(sha256)
      ?.find(
        (each) =>
          each.release === release &&
          (directory === undefined || each.source === digestOf(directory)),
      );
    if (found === undefined) return undefined;
    const message = `Rebuilt on ${found.day} from the source offered as "${found.offered}", it was identical byte for byte`;
    return { outcome: 'reproduced', message };
  };
}

/**
 * Returns a function that compares modules with their DKMS source, which is at hand if DKMS built
 * them here.
 */
function sourceFinder(
  { kernel }: KernelReading,
  functions: ReadonlyMap<string, DefinedFunctions>,
): (entry: ScannedFile) => SourceFinding | undefined {
  const opened = new Map<string, Result<OfferedSource, Problem>>();
  const rebuilt = rebuiltFinder(kernel.release);
  const open = (directory: string, release: string) => {
    const build = findKernelBuild(release);
    return openOffered(directory, { build: build.ok ? build.value : undefined });
  };
  return (entry) => {
    const { module, origin } = entry;
    const directory = origin.dkms?.source;
    const again = rebuilt(entry);
    if (again !== undefined || directory === undefined) return again;
    const release = builtFor(module) ?? kernel.release;
    const key = `${release} ${directory}`;
    const offered = opened.get(key) ?? open(directory, release);
    opened.set(key, offered);
    if (!offered.ok) return { outcome: 'undecided', message: formatProblem(offered.error) };
    const { outcome, reasons, license } = matchSource(
      module,
      offered.value,
      functions.get(entry.file),
    );
    const [why = ''] = reasons;
    const message = `Compared with its source in ${directory}: ${why}`;
    return { outcome, message, closedTerms: license.closedTerms };
  };
}
