/**
 * Sees to it that nobody stays stopped whom a halt has stopped.
 *
 * A signal to many processes reaches a child too that is just being forked: it waits for the child to be there. SIGCONT
 * takes that SIGSTOP back only where it is itself put on the parent's list of signals, which it is not where the parent
 * ignores it, as programs usually do, or has one waiting already (`__send_signal_locked()` in the kernel). Such a child is born
 * stopped after everybody was continued. Nothing bounds how long a fork takes, so all processes are looked at
 * again, after pauses that grow.
 *
 * Continued are stopped ones that were not there during the halt: what is stopped and was continued once was stopped by somebody else.
 */
import { openProcess } from '../../sys/processes/pidfd.ts';
import type { HaltRecord } from './halt-record.ts';
import { listProcesses, ProcessReader, type Stopped } from './process-reader.ts';

const pauseMilliseconds = { first: 10, max: 60_000 };
const atOnce = 16;
/** Where there are more, some tenant may be continued that stopped itself. */
const knownMax = 65_536;

export class Resume {
  readonly #record: HaltRecord;
  readonly #reader = new ProcessReader();
  readonly #uids = new Set<number>();
  /** They were continued, were stopped before and are not to be, or were not born stopped. */
  readonly #known = new Set<number>();
  /** Of an earlier placer's halt, which had not got so far. */
  #isBeforeUnknown = false;
  #pause = 0;
  #at = Infinity;
  #pass: Generator<undefined> | undefined;

  /** Takes over from a placer that died, where there was one. */
  constructor(record: HaltRecord) {
    this.#record = record;
    const stopped = record.read();
    if (stopped === undefined) return;
    this.#isBeforeUnknown = stopped.before === undefined;
    this.watch(stopped.uids, stopped.before ?? []);
    this.#at = 0;
  }

  /** After a halt: of these uids everybody was continued, and `known` are those that were there. */
  watch(uids: Iterable<number>, known: Iterable<number>): void {
    for (const uid of uids) this.#uids.add(uid);
    if (this.#known.size > knownMax) this.#known.clear();
    for (const pid of known) this.#known.add(pid);
    this.#pass = undefined;
    this.#pause = pauseMilliseconds.first;
    this.#at = performance.now() + this.#pause;
  }

  /** Whether a stopped process of the uid may have been born so, and is to be continued. */
  isBornStopped(pid: number, uid: number): boolean {
    return this.#uids.has(uid) && !this.#known.has(pid);
  }

  /** Whose processes are watched. */
  get uids(): ReadonlySet<number> {
    return this.#uids;
  }

  /** When to go on, on the clock of `performance.now()`. */
  get at(): number {
    return this.#pass === undefined ? this.#at : 0;
  }

  /** Goes on for a few milliseconds where it is time. */
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

  /** Children before their parents, so that no shell takes them for stopped by somebody else. */
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
    // It has run since it was born.
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
 * Whether a process was stopped already when all of these uids were sent a SIGSTOP: that one still waits. A setuid program of
 * one tenant that another runs was sent two.
 */
export function wasStoppedBefore(
  { now, again, real, saved }: Stopped,
  uids: ReadonlySet<number>,
): boolean {
  const isSentTwice = real !== saved && uids.has(real) && uids.has(saved);
  return now && again && !isSentTwice;
}
