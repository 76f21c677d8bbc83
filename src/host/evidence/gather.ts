/**
 * The processes that matter most among many: those that use most CPU, and most memory.
 *
 * Data that cannot hang is read first, of all of them, and reported at once. Then each file that may
 * hang is named before it is read, so that the supervisor knows where the reader hangs.
 *
 *     {"id":7,"facts":[{"pid":4711,…}]}   {"id":7,"at":"4711/stat"}   {"id":7,"facts":[…]}
 *     {"id":7,"at":"4711/cmdline"}        {"id":7,"pid":4711,"command":"php"}   {"id":7,"done":true}
 */
import type { ProcessEvidence } from '../../usage/incident.ts';
import { clockTicksPerSecond } from '../../sys/syscalls.ts';
import { readText } from '../../../packages/base/io/read.ts';
import {
  readCommand,
  readProcessFacts,
  readTimes,
  readTraffic,
  type HangingFile,
  type Traffic,
} from './process-evidence.ts';
import {
  isPhpWorker,
  newBoardBudget,
  readBoardNames,
  readServedRequest,
} from './served-request.ts';

export interface EvidenceRequest {
  readonly id: number;
  readonly pids: readonly number[];
  /** The maximum number kept. */
  readonly max: number;
  /** Processes whose files that may hang are not read. */
  readonly unread: readonly number[];
  /** Files below /proc that are not read. */
  readonly skip: readonly HangingPath[];
}

/** A path below /proc. */
export type HangingPath = `${number}/${HangingFile}`;

export type EvidenceReply = { readonly id: number } & (
  | { readonly facts: readonly ProcessEvidence[] }
  | { readonly at: HangingPath }
  | ({ readonly pid: number } & Details)
  | { readonly done: true }
);

export type Details = Traffic & Pick<ProcessEvidence, 'request'> & { readonly command?: string };

/** The number of a tenant's processes that are inspected; the rest is only counted. */
const readMax = 2000;
/** The maximum number of PHP workers whose request is read. */
const requestsMax = 50;

export function* gatherEvidence(
  { id, pids, max, unread, skip }: EvidenceRequest,
  proc: string,
): Generator<EvidenceReply, void> {
  const unreadPids = new Set(unread);
  const skipped = new Set<string>(skip);
  /** Reads a file that may hang, unless it is to be skipped. */
  function* read<Value>(pid: number, file: HangingFile, from: () => Value) {
    if (unreadPids.has(pid) || skipped.has(`${pid}/${file}`)) return undefined;
    yield { id, at: `${pid}/${file}` } as const;
    return from();
  }
  const all = pids.slice(0, readMax).flatMap((pid) => readProcessFacts(proc, pid) ?? []);
  yield { id, facts: largest(all, max) };
  const timed: ProcessEvidence[] = [];
  const clock = {
    ticksPerSecond: clockTicksPerSecond(),
    uptimeSeconds: Number.parseFloat(readText(`${proc}/uptime`) ?? ''),
  };
  for (const each of all) {
    const times = yield* read(each.pid, 'stat', () => readTimes(proc, each.pid, clock));
    timed.push({ ...each, ...times });
  }
  const kept = largest(timed, max);
  yield { id, facts: kept };
  for (const { pid } of kept) {
    const traffic = yield* read(pid, 'io', () => readTraffic(proc, pid));
    if (traffic !== undefined) yield { id, pid, ...traffic };
    const command = yield* read(pid, 'cmdline', () => readCommand(proc, pid));
    if (command !== undefined) yield { id, pid, ...command };
  }
  const workers = kept.filter(({ name }) => isPhpWorker(name)).slice(0, requestsMax);
  const budget = newBoardBudget();
  for (const { pid } of workers) {
    const boards = yield* read(pid, 'maps', () => readBoardNames(proc, pid));
    if (boards === undefined || boards.length === 0) continue;
    const request = yield* read(pid, 'map_files', () =>
      readServedRequest(proc, pid, boards, monotonicSeconds(), budget),
    );
    if (request !== undefined) yield { id, pid, request };
  }
  yield { id, done: true };
}

/** Returns the time on php-fpm's clock: CLOCK_MONOTONIC. */
const monotonicSeconds = () => Number(process.hrtime.bigint()) / 1e9;

/** Returns the largest: half of them by CPU over their life, the rest by memory; ordered by CPU, then memory. */
export function largest(all: readonly ProcessEvidence[], max: number): readonly ProcessEvidence[] {
  const byCpu = all.toSorted((a, b) => busyness(b) - busyness(a) || b.memoryBytes - a.memoryBytes);
  if (all.length <= max) return byCpu;
  const kept = new Set(byCpu.slice(0, Math.ceil(max / 2)));
  for (const each of all.toSorted((a, b) => b.memoryBytes - a.memoryBytes)) {
    if (kept.size >= max) break;
    kept.add(each);
  }
  return byCpu.filter((each) => kept.has(each));
}

/**
 * Returns the share of a core over its lifetime, which means little for a process younger than a second. Processes
 * without this value come last: they are kept for their memory, and displace nobody.
 */
const busyness = ({ cpuSeconds, ageSeconds }: ProcessEvidence) =>
  cpuSeconds === undefined || ageSeconds === undefined ? -1 : cpuSeconds / Math.max(1, ageSeconds);
