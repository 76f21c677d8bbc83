/**
 * How far a module can be trusted: all checks, and the trust level that follows from them.
 *
 * One proof makes it `contradicted`, whoever signed it. Leads never do.
 */
import { isCompatibleLicense } from '../loader/licenses.ts';
import { modinfo, type KernelModule } from '../record/module.ts';
import type { Evidence, Judgement, TrustLevel } from './trust-level.ts';
import type { TrustContext } from './evidence-context.ts';
import { checks } from './checks.ts';

export function trustLevelOf(module: KernelModule, context: TrustContext): Judgement {
  const found = checks.flatMap((check) => check(module, context) ?? []);
  const trustLevel = levelOf(found, context);
  return { trustLevel, evidence: [...found, ...explanation(trustLevel, module, found)] };
}

function levelOf(found: readonly Evidence[], { signature, source }: TrustContext): TrustLevel {
  if (found.some((each) => each.weight === 'proof')) return 'contradicted';
  if (source?.outcome === 'reproduced') return 'reproduced';
  if (signature.outcome === 'good') return 'signed';
  return source?.outcome === 'consistent' ? 'consistent' : 'unsupported';
}

/** Explains the trust level. `unsupported` is not a reproach, and should not read like one. */
function explanation(
  trustLevel: TrustLevel,
  module: KernelModule,
  found: readonly Evidence[],
): readonly Evidence[] {
  if (trustLevel !== 'unsupported') return [];
  const has = (check: string) => found.some((each) => each.check === check);
  const source = has('source-undecided')
    ? 'the comparison with its source was inconclusive'
    : 'no source was compared';
  const missing = `${source}, and no known key signed it`;
  return [{ check: 'nothing-offered', weight: 'note', message: message(module, missing, has) }];
}

function message(module: KernelModule, missing: string, has: (check: string) => boolean): string {
  if (!isCompatibleLicense(modinfo(module, 'license') ?? ''))
    return `It claims no GPL-compatible license; ${missing}`;
  return has('package-agrees')
    ? `It claims a GPL-compatible license, as its package does, and nothing else here supports that: ${missing}`
    : `It claims a GPL-compatible license, and nothing here supports that: ${missing}`;
}
