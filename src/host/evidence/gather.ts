/**
 * The processes that matter most among many: those that use most CPU, and most memory.
 *
 * What cannot hang is read first, of all of them, and told at once. Then one process after the other
 * is named and what may hang is read of it, so that whoever asked knows which one it hangs at.
 *
 *     {"id":7,"facts":[{"pid":4711,…}]}   {"id":7,"at":4711}   {"id":7,"pid":4711,"command":"php"}
 *     {"id":7,"done":true}
 */
import type { ProcessEvidence } from '../../usage/incident.ts';
import { clockTicksPerSecond, pageBytes } from '../syscalls.ts';
import { readText } from '../read.ts';
import { readDetails, readProcess, type Details, type ProcFacts } from './process-evidence.ts';

export interface EvidenceRequest {
  readonly id: number;
  /** Absent where the facts are known, and only details are missing. */
  readonly pids?: readonly number[];
  /** As many are kept. */
  readonly most: number;
  /** Details of these alone, where facts are known. */
  readonly details: readonly number[];
  /** Processes of which no details are read. */
  readonly skip: readonly number[];
}

export type EvidenceReply = { readonly id: number } & (
  | { readonly facts: readonly ProcessEvidence[] }
  | { readonly at: number }
  | ({ readonly pid: number } & Details)
  | { readonly done: true }
);

/** Of a tenant with more, the rest is counted and not looked at. */
const mostLookedAt = 2000;

export function* gatherEvidence(
  { id, pids, most, details, skip }: EvidenceRequest,
  proc: string,
): Generator<EvidenceReply> {
  let wanted = details;
  if (pids !== undefined) {
    const facts = largest(processesOf(pids, proc), most);
    yield { id, facts };
    wanted = facts.map((each) => each.pid);
  }
  const skipped = new Set(skip);
  for (const pid of wanted) {
    if (skipped.has(pid)) continue;
    yield { id, at: pid };
    yield { id, pid, ...readDetails(proc, pid) };
  }
  yield { id, done: true };
}

function processesOf(pids: readonly number[], proc: string): readonly ProcessEvidence[] {
  const facts = procFacts(proc);
  return pids.slice(0, mostLookedAt).flatMap((pid): readonly ProcessEvidence[] => {
    const found = readProcess(pid, facts);
    return found === undefined || found.state === 'Z' ? [] : [found];
  });
}

function procFacts(proc: string): ProcFacts {
  return {
    proc,
    clockTicks: clockTicksPerSecond(),
    pageBytes: pageBytes(),
    uptimeSeconds: Number((readText(`${proc}/uptime`) ?? '0').split(' ')[0]),
  };
}

/** Half of them by CPU over their life, the rest by memory; in the order of CPU, then memory. */
export function largest(all: readonly ProcessEvidence[], most: number): readonly ProcessEvidence[] {
  const byCpu = all.toSorted((a, b) => busyness(b) - busyness(a) || b.memoryBytes - a.memoryBytes);
  if (all.length <= most) return byCpu;
  const kept = new Set(byCpu.slice(0, Math.ceil(most / 2)));
  for (const each of all.toSorted((a, b) => b.memoryBytes - a.memoryBytes)) {
    if (kept.size >= most) break;
    kept.add(each);
  }
  return byCpu.filter((each) => kept.has(each));
}

/** Share of a core over its life; a process younger than a second has not shown yet what it is. */
const busyness = ({ cpuSeconds, ageSeconds }: ProcessEvidence) =>
  cpuSeconds / Math.max(1, ageSeconds);
