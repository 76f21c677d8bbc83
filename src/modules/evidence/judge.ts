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
  return { standing, evidence: [...found, ...explanation(standing, module)] };
}

function rung(found: readonly Evidence[], { signature, source }: StandingContext): Standing {
  if (found.some((each) => each.weight === 'proof')) return 'contradicted';
  if (source?.outcome === 'reproduced') return 'reproduced';
  if (signature.outcome === 'good') return 'signed';
  return source?.outcome === 'consistent' ? 'consistent' : 'unsupported';
}

/** `unsupported` is no reproach, and should not read like one. */
function explanation(standing: Standing, module: KernelModule): readonly Evidence[] {
  if (standing !== 'unsupported') return [];
  const says = isCompatibleLicence(modinfo(module, 'license') ?? '')
    ? 'It claims a GPL-compatible licence, and nothing here bears that out: no source was compared, no known key signed it'
    : 'It claims no GPL-compatible licence; no source was compared, no known key signed it';
  return [{ sign: 'nothing-offered', weight: 'note', says }];
}
