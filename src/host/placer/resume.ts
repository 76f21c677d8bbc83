/**
 * Ensures that no process stays stopped after a halt.
 *
 * A signal to many processes also reaches a child that is just being forked: it stays pending until the child exists.
 * SIGCONT cancels that SIGSTOP only if it is itself queued for the parent. It is not queued if the parent ignores it,
 * as programs usually do, or already has one pending (`__send_signal_locked()` in the kernel). Such a child is born
 * stopped after all processes were continued. There is no limit on how long a fork takes, so all processes are scanned
 * again, after growing pauses.
 *
 * It continues stopped processes that did not exist during the halt. One that was continued and is stopped now was
 * stopped by another program.
 */
import { openProcess } from '../../sys/processes/pidfd.ts';
import type { HaltRecord } from './halt-record.ts';
import { listProcesses, ProcessReader, type StoppedState } from './process-reader.ts';

const pauseMilliseconds = { first: 10, max: 60_000 };
const atOnce = 16;
/** The maximum size of `#known`. Beyond this, a process that stopped itself may be continued. */
const knownMax = 65_536;

export class Resume {
  readonly #record: HaltRecord;
  readonly #reader = new ProcessReader();
  readonly #uids = new Set<number>();
  /** Processes that were continued, must stay stopped, or were not born stopped. */
  readonly #known = new Set<number>();
  /** Whether the halt was an earlier placer's that died before it had listed stopped processes. */
  #isBeforeUnknown = false;
  #pause = 0;
  #at = Infinity;
  #pass: Generator<undefined> | undefined;

  /** Takes over from a placer that died, if there was one. */
  constructor(record: HaltRecord) {
    this.#record = record;
    const stopped = record.read();
    if (stopped === undefined) return;
    this.#isBeforeUnknown = stopped.before === undefined;
    this.watch(stopped.uids, stopped.before ?? []);
    this.#at = 0;
  }

  /** Watches after a halt: all processes of these uids were continued, and `known` are the ones that existed. */
  watch(uids: Iterable<number>, known: Iterable<number>): void {
    for (const uid of uids) this.#uids.add(uid);
    if (this.#known.size > knownMax) this.#known.clear();
    for (const pid of known) this.#known.add(pid);
    this.#pass = undefined;
    this.#pause = pauseMilliseconds.first;
    this.#at = performance.now() + this.#pause;
  }

  /** Returns whether a stopped process of the uid may have been born stopped, and must be continued. */
  isBornStopped(pid: number, uid: number): boolean {
    return this.#uids.has(uid) && !this.#known.has(pid);
  }

  /** The uids whose processes are watched. */
  get uids(): ReadonlySet<number> {
    return this.#uids;
  }

  /** The time to continue, on the clock of `performance.now()`. */
  get at(): number {
    return this.#pass === undefined ? this.#at : 0;
  }

  /** Continues processes for a few milliseconds if it is time. */
  step(milliseconds: number): void {
    const begin = performance.now();
    if (begin < this.at) return;
    this.#pass ??= this.#visit();
    while (performance.now() <= begin + milliseconds) {
      if (this.#pass.next().done !== true) continue;
      this.#pass = undefined;
      return this.#pauseLonger();
    }
  }

  #pauseLonger(): void {
    this.#pause *= 2;
    this.#at = performance.now() + this.#pause;
    if (this.#pause <= pauseMilliseconds.max) return;
    this.#at = Infinity;
    this.#uids.clear();
    this.#known.clear();
    this.#record.clear();
  }

  /** Visits children before their parents, so that no shell sees a stopped child. */
  *#visit(): Generator<undefined> {
    let visited = 0;
    const isFirst = this.#isBeforeUnknown;
    for (const pid of listProcesses().reverse()) {
      if (!this.#known.has(pid)) this.#continue(pid, isFirst);
      if (++visited % atOnce === 0) yield;
    }
    this.#isBeforeUnknown = false;
  }

  #continue(pid: number, isBeforeUnknown: boolean): void {
    const stopped = this.#reader.stopped(pid);
    if (!stopped.ok) return;
    // It has run since it was forked.
    if (stopped.value.asleep && this.#uids.has(stopped.value.real)) this.#known.add(pid);
    if (!stopped.value.now || !this.#isTheirs(pid)) return;
    const opened = openProcess(pid);
    if (!opened.ok) return;
    using process = opened.value;
    if (!this.#isTheirs(pid)) return;
    this.#known.add(pid);
    if (!isBeforeUnknown || !wasStoppedBefore(stopped.value, this.#uids)) process.signal('SIGCONT');
  }

  #isTheirs(pid: number): boolean {
    const owner = this.#reader.owner(pid);
    if (!owner.ok) return false;
    const { ruid, euid, thread } = owner.value;
    if (this.#uids.has(ruid) || this.#uids.has(euid)) return true;
    const maker = ruid === 0 ? undefined : this.#reader.namespaceMaker(pid, thread);
    return maker?.ok === true && this.#uids.has(maker.value ?? 0);
  }
}

/**
 * Returns whether a process was stopped already when all of these uids were sent a SIGSTOP, which is still pending
 * then. A setuid program of one tenant that another runs was sent two.
 */
export function wasStoppedBefore(
  { now, again, real, saved }: StoppedState,
  uids: ReadonlySet<number>,
): boolean {
  const isSentTwice = real !== saved && uids.has(real) && uids.has(saved);
  return now && again && !isSentTwice;
}
