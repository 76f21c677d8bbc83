/** The processes that matter most among many: those that use most CPU, and most memory. */
import type { ProcessEvidence } from '../../usage/incident.ts';
import { clockTicksPerSecond, pageBytes } from '../syscalls.ts';
import { readText } from '../read.ts';
import { readCommand, readProcess, type ProcFacts } from './process-evidence.ts';

export interface EvidenceRequest {
  readonly id: number;
  readonly pids: readonly number[];
  /** As many are kept. */
  readonly most: number;
  /** Reading arguments may hang; see process-evidence.ts. */
  readonly commands: boolean;
}

export interface EvidenceReply {
  readonly id: number;
  readonly processes: readonly ProcessEvidence[];
}

/** Of a tenant with more, the rest is counted and not looked at. */
const mostLookedAt = 2000;

export function gatherEvidence(
  { id, pids, most, commands }: EvidenceRequest,
  proc: string,
): EvidenceReply {
  const facts = procFacts(proc);
  const all = pids.slice(0, mostLookedAt).flatMap((pid): readonly ProcessEvidence[] => {
    const found = readProcess(pid, facts);
    return found === undefined || found.state === 'Z' ? [] : [found];
  });
  const kept = largest(all, most);
  if (!commands) return { id, processes: kept };
  return { id, processes: kept.map((each) => withCommand(each, proc)) };
}

function withCommand(found: ProcessEvidence, proc: string): ProcessEvidence {
  const command = readCommand(proc, found.pid);
  return command === undefined ? found : { ...found, command };
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
