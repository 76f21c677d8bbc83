/**
 * How far a module can be believed: all signs, and the rung of the ladder they lead to.
 *
 * One proof makes it `contradicted`, whoever signed it. Leads alone never do.
 */
import { isCompatibleLicence } from '../loader/licences.ts';
import { modinfo, type KernelModule } from '../module.ts';
import type { Evidence, Judgement, Standing } from '../standing.ts';
import type { StandingContext } from './context.ts';
import { signs } from './signs.ts';

export function standingOf(module: KernelModule, context: StandingContext): Judgement {
  const found = signs.flatMap((sign) => sign(module, context) ?? []);
  const standing = rung(found, context);
  return { standing, evidence: [...found, ...explanation(standing, module, found)] };
}

function rung(found: readonly Evidence[], { signature, source }: StandingContext): Standing {
  if (found.some((each) => each.weight === 'proof')) return 'contradicted';
  if (source?.outcome === 'reproduced') return 'reproduced';
  if (signature.outcome === 'good') return 'signed';
  return source?.outcome === 'consistent' ? 'consistent' : 'unsupported';
}

/** `unsupported` is no reproach, and should not read like one. */
function explanation(
  standing: Standing,
  module: KernelModule,
  found: readonly Evidence[],
): readonly Evidence[] {
  if (standing !== 'unsupported') return [];
  const has = (sign: string) => found.some((each) => each.sign === sign);
  const source = has('source-cannot-tell')
    ? 'the comparison with its source could not tell'
    : 'no source was compared';
  const missing = `${source}, no known key signed it`;
  return [{ sign: 'nothing-offered', weight: 'note', says: says(module, missing, has) }];
}

function says(module: KernelModule, missing: string, has: (sign: string) => boolean): string {
  if (!isCompatibleLicence(modinfo(module, 'license') ?? ''))
    return `It claims no GPL-compatible licence; ${missing}`;
  return has('package-agrees')
    ? `It claims a GPL-compatible licence, as its package does, and nothing else here bears that out: ${missing}`
    : `It claims a GPL-compatible licence, and nothing here bears that out: ${missing}`;
}
