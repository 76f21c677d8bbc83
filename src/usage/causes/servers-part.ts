/**
 * The part of a CPU limit that database servers used for a tenant while it was at that limit. It is known by the limit
 * that was left for its programs at each snapshot.
 */
import { quantityKinds } from '../../../packages/base/quantity.ts';
import type { Incident, Snapshot } from '../incident.ts';

/** Returns the part, from 0 to 1, on average over the snapshots; undefined if nothing of the servers counted. */
export function serversPart(
  { limit, value }: Pick<Incident, 'limit' | 'value'>,
  evidence: readonly Pick<Snapshot, 'cpuLimitNow'>[],
): number | undefined {
  if (limit !== 'cpu.limit') return undefined;
  const full = quantityKinds.cpu.parse(value);
  if (!full.ok || !(full.value > 0)) return undefined;
  const used = evidence.map(({ cpuLimitNow = full.value }) =>
    Math.min(1, Math.max(0, 1 - cpuLimitNow / full.value)),
  );
  const part = used.reduce((sum, each) => sum + each, 0) / Math.max(1, used.length);
  // Less is shown as 0 %.
  return part >= 0.005 ? part : undefined;
}

/** Describes how programs and statements shared the limit; empty if nothing of the servers counted. */
export function sharedText(
  incident: Pick<Incident, 'limit' | 'value'>,
  evidence: readonly Pick<Snapshot, 'cpuLimitNow'>[],
  possessive: string,
): string {
  const part = serversPart(incident, evidence);
  if (part === undefined) return '';
  const used = Math.round(part * 100);
  return `Database work counts toward this limit, too: on average, it had ${used} % of the limit, and ${possessive} programs were left ${100 - used} %.`;
}
