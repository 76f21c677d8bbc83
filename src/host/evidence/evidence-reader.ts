/**
 * Lets other processes (readers) read data about processes, since reading a hostile one's data may hang.
 *
 * A reader is started on demand and stopped after a minute without requests. One that hangs is killed (which may fail),
 * and another one starts over, skipping the file on which it hung. If a tenant's processes made several readers hang,
 * only data that cannot hang is read of them for a while. Other tenants lose nothing and do not wait: while one reader
 * seems to hang, another is started.
 */
import type { ProcessEvidence } from '../../usage/incident.ts';
import type { Member } from '../../usage/member.ts';
import { EvidenceChild, type Loss } from './evidence-child.ts';
import type { Details, EvidenceReply, HangingPath } from './gather.ts';
import { Hangs } from './hangs.ts';

const idleMilliseconds = 60_000;
const readersMax = 4;
const waitingMax = 200;
/** Readers that died without hanging on a file, which only a defect explains. */
const lossesMax = 3;
const retryMilliseconds = 500;

/** Processes of one tenant. */
export interface ProcessSet {
  readonly member: Member;
  readonly pids: readonly number[];
}

interface Job {
  readonly id: number;
  readonly sets: readonly ProcessSet[];
  readonly max: number;
  readonly settle: (processes: readonly ProcessEvidence[]) => void;
  readonly details: Map<number, Details>;
  facts: readonly ProcessEvidence[];
  /** The file that is being read. */
  at: HangingPath | undefined;
  losses: number;
}

interface Reader {
  readonly child: EvidenceChild;
  job: Job | undefined;
  /** The tenant on whose process it hangs, once it does. */
  stuckAt: Member | undefined;
}

export class EvidenceReader implements Disposable {
  readonly #proc: string;
  readonly #waiting: Job[] = [];
  readonly #readers = new Set<Reader>();
  readonly #hangs: Hangs;
  #idle: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(proc: string, clock: () => number = () => performance.now()) {
    this.#proc = proc;
    this.#hangs = new Hangs(clock);
  }

  /** Returns the heaviest of these processes, at most `max`; none if too many requests are waiting. */
  read(sets: readonly ProcessSet[], max: number): Promise<readonly ProcessEvidence[]> {
    const isEmpty = sets.every(({ pids }) => pids.length === 0);
    if (isEmpty || this.#waiting.length >= waitingMax) return Promise.resolve([]);
    return new Promise((settle) => {
      const id = ++this.#lastId;
      const rest = { facts: [], at: undefined, losses: 0 };
      this.#waiting.push({ id, sets, max, settle, details: new Map(), ...rest });
      this.#next();
    });
  }

  /** Assigns jobs to readers, and starts another one for jobs that need not wait. */
  #next(): void {
    clearTimeout(this.#idle);
    for (;;) {
      const job = this.#waiting.find((each) => !this.#isBusyWith(each));
      const reader = job === undefined ? undefined : this.#freeReader();
      if (job === undefined || reader === undefined) break;
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      this.#give(reader, job);
    }
    clearTimeout(this.#retry);
    if (this.#waiting.length > 0) {
      this.#retry = setTimeout(() => this.#next(), retryMilliseconds).unref();
    } else if ([...this.#readers].every(({ job }) => job === undefined)) {
      this.#idle = setTimeout(() => this.#end(), idleMilliseconds).unref();
    }
  }

  /**
   * Whether a reader works for one of these tenants: a tenant that makes a reader hang does not get another one
   * meanwhile.
   */
  #isBusyWith({ sets }: Job): boolean {
    const members = new Set(sets.map(({ member }) => member));
    return [...this.#readers].some(({ job }) =>
      job?.sets.some(({ member }) => members.has(member)),
    );
  }

  #freeReader(): Reader | undefined {
    const all = [...this.#readers];
    const free = all.find(({ job }) => job === undefined);
    if (free !== undefined) return free;
    const mayStart = all.length < readersMax && all.every(({ child }) => child.isSuspicious);
    return mayStart ? this.#start() : undefined;
  }

  #start(): Reader | undefined {
    const child = EvidenceChild.start(this.#proc, {
      reply: (reply) => this.#receive(reader, reply),
      lost: (how) => this.#lose(reader, how),
      exited: () => {
        if (reader.stuckAt !== undefined) this.#hangs.release(reader.stuckAt);
      },
    });
    if (child === undefined) {
      // Too many files are open; no evidence is collected then.
      for (const job of this.#waiting.splice(0)) job.settle([]);
      return undefined;
    }
    const reader: Reader = { child, job: undefined, stuckAt: undefined };
    this.#readers.add(reader);
    return reader;
  }

  #give(reader: Reader, job: Job): void {
    reader.job = job;
    job.at = undefined;
    const { id, max, sets } = job;
    reader.child.ask({
      id,
      max,
      pids: sets.flatMap(({ pids }) => pids),
      unread: sets.flatMap(({ member, pids }) => (this.#hangs.mayRead(member) ? [] : pids)),
      skip: sets.flatMap(({ member }) => this.#hangs.paths(member)),
    });
  }

  #receive(reader: Reader, reply: EvidenceReply): void {
    const { job } = reader;
    if (job?.id !== reply.id) return;
    if ('facts' in reply) job.facts = reply.facts;
    else if ('at' in reply) job.at = reply.at;
    else if ('pid' in reply) {
      const { pid, id: _, ...details } = reply;
      job.details.set(pid, { ...job.details.get(pid), ...details });
    } else {
      reader.job = undefined;
      reader.child.rest();
      finish(job);
      this.#next();
    }
  }

  #lose(reader: Reader, how: Loss): void {
    this.#readers.delete(reader);
    const { job } = reader;
    reader.job = undefined;
    if (job === undefined) return;
    const { at } = job;
    const pid = Number.parseInt(at ?? '', 10);
    const member = job.sets.find(({ pids }) => pids.includes(pid))?.member;
    if (how === 'ended' || at === undefined || member === undefined) job.losses++;
    else {
      this.#hangs.add(member, at);
      if (how === 'stuck') {
        reader.stuckAt = member;
        this.#hangs.hold(member);
      }
    }
    if (job.losses >= lossesMax) finish(job);
    else this.#waiting.push(job);
    this.#next();
  }

  #end(): void {
    for (const { child } of this.#readers) child.end();
    this.#readers.clear();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#retry);
    const jobs = [
      ...this.#waiting.splice(0),
      ...[...this.#readers].flatMap(({ job }) => job ?? []),
    ];
    this.#end();
    for (const job of jobs) finish(job);
  }
}

function finish({ facts, details, settle }: Job): void {
  settle(facts.map((each) => ({ ...each, ...details.get(each.pid) })));
}
