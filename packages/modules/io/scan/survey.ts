/** A survey: it judges the modules by the loader's rules, and weighs the evidence. */
import { bareName } from '../../core/record/module-file.ts';
import { importsOf, modinfo } from '../../core/record/module.ts';
import type { PackageClaim, SourceFinding } from '../../core/evidence/evidence-context.ts';
import { trustLevelOf } from '../../core/evidence/judge.ts';
import type { Kernel } from '../../core/kernel/kernel.ts';
import { exportIndex, judgeTree, type Candidate } from '../../core/loader/dependency-order.ts';
import type { LoaderVerdict } from '../../core/loader/verdict.ts';
import { checkClaim, termsOf, type PackageTerms } from '../../core/packages/claims.ts';
import type { LicenseStatement } from '../../core/packages/copyright.ts';
import type { Judgement } from '../../core/evidence/trust-level.ts';
import type { ScannedFile } from './read-modules.ts';

export interface SurveyedModule extends ScannedFile, Judgement {
  readonly verdict: LoaderVerdict;
  readonly gplOnly: readonly string[];
}

/** The context of a judgement: the kernel, and the modules whose exports may be used. */
interface SurveyContext {
  readonly kernel: Kernel;
  readonly buildSigns: boolean;
  /** Modules that are there to be loaded first, and are not judged themselves. */
  readonly providers: readonly ScannedFile[];
  readonly sourceOf?: (entry: ScannedFile) => SourceFinding | undefined;
}

export function judgeAll(
  entries: readonly ScannedFile[],
  { kernel, buildSigns, providers, sourceOf }: SurveyContext,
): readonly SurveyedModule[] {
  const candidates = [...entries, ...providers].map(candidateOf);
  const verdicts = judgeTree(candidates, kernel);
  const isGplOnly = gplOnlyAmong(candidates, kernel);
  const claims = new PackageClaims();
  return entries.map((entry) => {
    const verdict = verdicts.get(entry.file);
    if (verdict === undefined) throw new Error(`no verdict on ${entry.file}`);
    const names = importsOf(entry.module).map((each) => each.name);
    const gplOnly = names.filter(isGplOnly);
    const judgement = trustLevelOf(entry.module, {
      fileName: bareName(entry.file),
      signature: entry.signature,
      verdict,
      gplOnly,
      release: kernel.release,
      buildSigns,
      packageClaim: claims.of(entry),
      source: sourceOf?.(entry),
    });
    return { ...entry, verdict, gplOnly, ...judgement };
  });
}

/** The packages' claims, each weighed once and not for each of its modules. */
class PackageClaims {
  readonly #terms = new Map<LicenseStatement, PackageTerms>();

  of({ module, origin }: ScannedFile): PackageClaim | undefined {
    const license = origin.package?.license;
    if (license === undefined) return undefined;
    const terms = this.#terms.get(license) ?? termsOf(license);
    this.#terms.set(license, terms);
    const { result, message } = checkClaim(modinfo(module, 'license'), terms);
    return { outcome: result, message };
  }
}

const candidateOf = ({ module, signature }: ScannedFile): Candidate => ({ module, signature });

/** Returns whether the export of a name is GPL-only: the kernel's own export, or a module's. */
export function gplOnlyAmong(candidates: readonly Candidate[], kernel: Kernel) {
  const index = exportIndex(candidates);
  return (name: string): boolean =>
    (kernel.exports.get(name) ?? index.get(name)?.symbol)?.gplOnly === true;
}
