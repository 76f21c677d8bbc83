/**
 * The CPU time of a server's threads. Source: proc_pid_schedstat(5), the first number is nanoseconds on a CPU.
 *
 *     /proc/812/task/815/schedstat: 51532412 1200432 310
 */
import { namesIn, readText } from '../../../../packages/base/io/read.ts';

/** The names that MariaDB gives to threads that run tenants' statements. */
const connectionThread = 'one_connection';
const eventThread = 'event_worker';
const threadsMax = 10_000;

export function threadCpuMicroseconds(pid: number, tid: number): number | undefined {
  const nanoseconds = Number(readText(`/proc/${pid}/task/${tid}/schedstat`)?.split(' ')[0]);
  return Number.isFinite(nanoseconds) ? nanoseconds / 1000 : undefined;
}

/** Whether the thread runs an event of the scheduler, and no connection. */
export const isEventThread = (pid: number, tid: number): boolean =>
  nameOf(pid, tid) === eventThread;

const nameOf = (pid: number, tid: number) => readText(`/proc/${pid}/task/${tid}/comm`)?.trimEnd();

/** Adds up the CPU time of background threads, which come and go. */
export class BackgroundThreads {
  readonly #pid: number;
  #known: ReadonlyMap<number, number> = new Map();
  #total = 0;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Returns the time since the first call. Undefined if the server does not name its threads. */
  read(): number | undefined {
    const tids = namesIn(`/proc/${this.#pid}/task`).slice(0, threadsMax).map(Number);
    const names = tids.map((tid) => nameOf(this.#pid, tid));
    if (!names.includes(connectionThread)) return undefined;
    const now = new Map<number, number>();
    for (const [index, tid] of tids.entries()) {
      const name = names[index];
      if (name === connectionThread || name === eventThread) continue;
      const cpu = threadCpuMicroseconds(this.#pid, tid);
      if (cpu === undefined) continue;
      now.set(tid, cpu);
      const before = this.#known.get(tid) ?? 0;
      if (this.#known.size > 0) this.#total += cpu < before ? cpu : cpu - before;
    }
    this.#known = now;
    return this.#total;
  }
}
