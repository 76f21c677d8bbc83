/** What processes used over the time of an incident, from its snapshots. */
import type { ProcessEvidence, Snapshot } from './incident.ts';

export type Amounts = readonly (readonly [ProcessEvidence, number])[];

/**
 * What each process used between the first and the last snapshot that show it; all that it used so
 * far where it began in between, or where there is only one snapshot. A number is given to another
 * process once the first has ended, which is then younger than it was. What a snapshot could not
 * measure is left out of it.
 */
export function growth(
  evidence: readonly Snapshot[],
  measure: (process: ProcessEvidence) => number | undefined,
): Amounts {
  const seen = new Map<number, { process: ProcessEvidence; before: number; used: number }>();
  const first = evidence.length > 1 ? (evidence[0]?.at ?? 0) : -Infinity;
  for (const { at, processes } of evidence) {
    for (const process of processes) {
      const known = seen.get(process.pid);
      const now = measure(process);
      if (now === undefined) continue;
      if (known === undefined || isYounger(process, known.process)) {
        const wasThere = at - (process.ageSeconds ?? Infinity) * 1000 < first;
        const used = (known?.used ?? 0) + (wasThere ? 0 : now);
        seen.set(process.pid, { process, before: now, used });
        continue;
      }
      known.used += Math.max(0, now - known.before);
      Object.assign(known, { process, before: now });
    }
  }
  return [...seen.values()].map(({ process, used }) => [process, used] as const);
}

const isYounger = (one: ProcessEvidence, other: ProcessEvidence) =>
  one.ageSeconds !== undefined &&
  other.ageSeconds !== undefined &&
  one.ageSeconds < other.ageSeconds;
