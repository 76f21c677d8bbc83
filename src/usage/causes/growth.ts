/** Computes the usage of processes during an incident from its snapshots. */
import type { ProcessEvidence, Snapshot } from '../incident.ts';

export type Amounts = readonly (readonly [ProcessEvidence, number])[];

/**
 * Returns each process's usage between the first and the last snapshot that show it. If it started in between, or there
 * is only one snapshot, all of its usage counts. A pid may be reused after its process has exited; the new process is
 * then younger. Values that a snapshot could not read are left out.
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
