/**
 * The counts of refusals that incidents have already, of one generation of the programs: what is more was refused while no
 * agent ran. Tenants without any are left out.
 *
 *     {"generation":"0018…-3f2a…","tenants":[{"uid":1001,"refusals":{"reach.mail":12}}]}
 */
import { isObject, parseObject } from '../../../packages/base/json.ts';
import { networkRefusalKinds, type NetworkRefusalKind } from './use.ts';

export type RefusalCounts = Readonly<Record<NetworkRefusalKind, number>>;

export interface ToldRefusals {
  readonly generation: string;
  readonly counts: ReadonlyMap<number, RefusalCounts>;
}

export const noRefusals = Object.fromEntries(
  networkRefusalKinds.map((kind) => [kind, 0]),
) as RefusalCounts;

export function formatTold({ generation, counts }: ToldRefusals): string {
  const tenants = [...counts].flatMap(([uid, each]) => {
    const refusals = Object.entries(each).filter(([, count]) => count > 0);
    return refusals.length === 0 ? [] : [{ uid, refusals: Object.fromEntries(refusals) }];
  });
  return `${JSON.stringify({ generation, tenants })}\n`;
}

/** Returns undefined if the text is damaged, or of other programs. */
export function parseTold(text: string, generation: string): ToldRefusals | undefined {
  const value = parseObject(text);
  const tenants: unknown = value?.['tenants'];
  if (value?.['generation'] !== generation || !Array.isArray(tenants)) return undefined;
  const counts = new Map<number, RefusalCounts>();
  for (const each of tenants as readonly unknown[]) {
    const { uid, refusals } = isObject(each) ? each : {};
    if (!isCount(uid) || !isObject(refusals)) return undefined;
    counts.set(uid, countsOf(refusals));
  }
  return { generation, counts };
}

const countsOf = (refusals: Readonly<Record<string, unknown>>): RefusalCounts => {
  const known = networkRefusalKinds.flatMap((kind) => {
    const count = refusals[kind];
    return isCount(count) ? [[kind, count] as const] : [];
  });
  return { ...noRefusals, ...Object.fromEntries(known) };
};

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
