/** The license statements in offered source, and whether they contradict the module. */
import { closedTermsOf } from '../evidence/closed-terms.ts';
import { isCompatibleLicense } from '../loader/licenses.ts';
import { modinfo, modinfoAll, type KernelModule } from '../record/module.ts';
import type { LinkedObject } from './linked-objects.ts';
import type { LicenseFindings } from './match-result.ts';
import type { OfferedSource } from './offered.ts';
import { declarationsOf, fitsKernel, spdxOf } from './source-licenses.ts';
import { directoryWithSlash } from './source-tree.ts';

interface Declared {
  readonly values: readonly string[];
  /** Whether some values are made by a macro. */
  readonly computed: boolean;
}

/** Returns the arguments of a macro such as `MODULE_VERSION` in the sources. */
export function declaredIn(linked: readonly LinkedObject[], macro: string): Declared {
  const all = linked.flatMap(({ source }) => {
    const bytes = source?.file.tree.read(source.file.path);
    return bytes === undefined ? [] : [declarationsOf(bytes, macro)];
  });
  return {
    values: [...new Set(all.flatMap((each) => each.values))],
    computed: all.some((each) => each.computed),
  };
}

interface ComparedLicenses {
  readonly findings: LicenseFindings;
  /** A finding that refutes the source: its `MODULE_LICENSE` is not the module's. */
  readonly objection: string | undefined;
}

/** Compares the licenses. `files` are the files that were hashed, as the compiler spells them. */
export function compareLicenses(
  module: KernelModule,
  offered: OfferedSource,
  linked: readonly LinkedObject[],
  files: readonly string[],
): ComparedLicenses {
  const claimed = modinfoAll(module, 'license');
  const { values: declared, computed } = declaredIn(linked, 'MODULE_LICENSE');
  const { spdx, contradictions } = compareSpdx(claimed, offered, files);
  const objection =
    declared.length > 0 && !computed && !claimed.some((each) => declared.includes(each))
      ? `MODULE_LICENSE in the source is "${declared.join('", "')}", that of the module "${claimed.join('", "') || 'missing'}"`
      : undefined;
  const findings = {
    claimed,
    declared,
    spdx,
    contradictions: objection === undefined ? contradictions : [...contradictions, objection],
    closedTerms: closedTermsIn(module, offered, linked, files),
  };
  return { findings, objection };
}

function compareSpdx(
  claimed: readonly string[],
  offered: OfferedSource,
  files: readonly string[],
): Pick<LicenseFindings, 'spdx' | 'contradictions'> {
  const spdx = new Map<string, number>();
  const contradictions: string[] = [];
  for (const spelling of new Set(files)) {
    const file = offered.locate(spelling);
    const bytes = file?.tree.read(file.path);
    const expression = bytes === undefined ? undefined : spdxOf(bytes);
    if (expression === undefined) continue;
    spdx.set(expression, (spdx.get(expression) ?? 0) + 1);
    if (fitsKernel(expression) === false && claimed.some((each) => each.includes('GPL'))) {
      contradictions.push(
        `"${file!.path}" is under "${expression}", the module claims "${claimed[0]}"`,
      );
    }
  }
  return { spdx, contradictions };
}

/** Returns closed terms in the module's source files, and in the licenses next to them. */
function closedTermsIn(
  module: KernelModule,
  offered: OfferedSource,
  linked: readonly LinkedObject[],
  files: readonly string[],
): readonly string[] {
  if (!isCompatibleLicense(modinfo(module, 'license') ?? '')) return [];
  const { tree } = offered;
  const sources = linked.flatMap((each) => each.source?.spelling ?? []);
  const located = [...new Set([...sources, ...files])].flatMap(
    (each) => offered.locate(each) ?? [],
  );
  const paths = new Set(located.flatMap((each) => (each.tree === tree ? [each.path] : [])));
  const directories = new Set([
    '',
    ...Array.from(paths, (each) => directoryWithSlash(each).slice(0, -1)),
  ]);
  const licenses = [...directories].flatMap((each) => offered.licensesIn(each));
  return [...new Set([...licenses, ...paths])].flatMap((path) => {
    const terms = tree.derived('closed terms', path, (bytes) => closedTermsOf(path, bytes)) ?? [];
    return terms.length === 0 ? [] : [`"${path}" contains "${terms.join('", "')}"`];
  });
}
