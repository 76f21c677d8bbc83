/** Which advice is worth acting on, and the commands that would follow it. Pure. */
import type { Advice, AdviseResponse } from '../../../agent/api/usage-api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { attributes } from '../../../limits/limits.ts';
import { quantityKinds } from '../../../../packages/base/quantity.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { shortLimit } from '../../shared/format.ts';

export type PackageAdvice = AdviseResponse['packages'][number];
type AnyAdvice = Pick<Advice, 'limit' | 'current' | 'neverHit' | 'onePercentHit' | 'faults'>;

/** Returns a limit as a number; undefined for `unlimited`, and if it cannot be parsed. */
function numberOf(limit: LimitKey, text: string): number | undefined {
  const kind = attributes.get(limit)?.kind;
  const parsed = kind === undefined ? undefined : quantityKinds[kind].parse(text);
  return parsed?.ok === true ? parsed.value : undefined;
}

/** A limit of twice the largest need is notable. */
const roomy = 2;

/**
 * Whether the advice is worth showing: the limit was hit and another value would have helped, or it
 * is far above any use.
 */
export function isNotable({ limit, current, neverHit, faults }: AnyAdvice): boolean {
  const [now, enough] = [numberOf(limit, current), numberOf(limit, neverHit)];
  if (faults > 0) return neverHit !== current;
  return now !== undefined && enough !== undefined && now >= roomy * enough;
}

export const targets = ['never', '1%'] as const;
export type AdviceTarget = (typeof targets)[number];

const valueFor = (advice: AnyAdvice, target: AdviceTarget) =>
  target === 'never' ? advice.neverHit : advice.onePercentHit;

/**
 * Returns the commands, packages first. A tenant of a package gets a line of its own only if its
 * limit differs from the package's, since the package's line changes it otherwise.
 */
export function adviceCommands(
  tenants: readonly Advice[],
  packages: readonly PackageAdvice[],
  target: AdviceTarget,
  program = 'bulkhead',
): readonly string[] {
  const ofPackage = new Map(
    packages.map((each) => [`${each.package} ${each.limit}`, each.current]),
  );
  const own = tenants.filter(
    (each) => ofPackage.get(`${each.package ?? ''} ${each.limit}`) !== each.current,
  );
  return [
    ...commandLines(
      packages,
      (each) => `${program} package set ${shellWord(each.package)}`,
      target,
    ),
    ...commandLines(own, (each) => `${program} ${tenantVerb(each)}`, target),
  ];
}

/**
 * Returns the command and its target; the uid if there is no account name, or if it cannot be
 * printed as it is.
 */
const tenantVerb = ({ kind, uid, name }: Advice) => {
  const byUid = /^uid \d+$/.test(name) || printable(name) !== name;
  const word = byUid ? String(uid) : shellWord(name);
  return kind === 'reseller' ? `reseller set ${word}` : `set ${word}`;
};

/** Returns one line for all limits of a tenant, reseller or package. */
function commandLines<Each extends AnyAdvice>(
  advice: readonly Each[],
  begin: (each: Each) => string,
  target: AdviceTarget,
): readonly string[] {
  const lines = new Map<string, string[]>();
  for (const each of advice) {
    const value = valueFor(each, target);
    if (value === each.current) continue;
    const words = lines.get(begin(each)) ?? [];
    words.push(shellWord(`${shortLimit(each.limit)}=${value}`));
    lines.set(begin(each), words);
  }
  return [...lines].map(([start, words]) => `${start} ${words.join(' ')}`);
}

/** Quotes text for a shell; names are not trusted. */
export function shellWord(text: string): string {
  return /^[\w%+,./:=@][\w%+,./:=@-]*$/.test(text)
    ? text
    : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
