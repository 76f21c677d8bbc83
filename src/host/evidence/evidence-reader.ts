/**
 * Asks other processes to look at processes, since looking at a hostile one may never end.
 *
 * One is started when it is needed and ended when it has not been for a minute. One that hangs is
 * killed (the kernel may not let go of it), and another goes on after the process at which it hung,
 * which is passed over from then on. A tenant at whose processes several hung is left without
 * arguments for a while; others are not, and do not wait: while one seems to hang another is started.
 */
import type { ProcessEvidence } from '../../usage/incident.ts';
import type { Member } from '../../usage/member.ts';
import { EvidenceChild } from './evidence-child.ts';
import type { EvidenceReply, EvidenceRequest } from './gather.ts';
import { Hangs } from './hangs.ts';
import type { Details } from './process-evidence.ts';

const idleMilliseconds = 60_000;
const mostReaders = 4;
const mostWaiting = 200;
/** Of readers that are lost before they have told the facts, which nothing but a defect explains. */
const mostLosses = 3;
const lookMilliseconds = 500;

/** Processes of one tenant. */
export interface ProcessSet {
  readonly member: Member;
  readonly pids: readonly number[];
}

interface Job {
  readonly id: number;
  readonly sets: readonly ProcessSet[];
  readonly most: number;
  readonly settle: (processes: readonly ProcessEvidence[]) => void;
  readonly details: Map<number, Details>;
  facts: readonly ProcessEvidence[] | undefined;
  /** The process that is being looked at. */
  at: number | undefined;
  losses: number;
}

interface Reader {
  readonly child: EvidenceChild;
  job: Job | undefined;
  /** Where it hung, once it did. */
  hungAt: Member | undefined;
}

export class EvidenceReader implements Disposable {
  readonly #proc: string;
  readonly #waiting: Job[] = [];
  readonly #readers = new Set<Reader>();
  readonly #hangs = new Hangs();
  #idle: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(proc: string) {
    this.#proc = proc;
  }

  /** The largest of these processes, at most `most`; none where too many have asked before. */
  read(sets: readonly ProcessSet[], most: number): Promise<readonly ProcessEvidence[]> {
    const isEmpty = sets.every(({ pids }) => pids.length === 0);
    if (isEmpty || this.#waiting.length >= mostWaiting) return Promise.resolve([]);
    return new Promise((settle) => {
      const id = ++this.#lastId;
      const rest = { facts: undefined, at: undefined, losses: 0 };
      this.#waiting.push({ id, sets, most, settle, details: new Map(), ...rest });
      this.#next();
    });
  }

  /** Gives jobs to readers, and sees to it that one is there for who need not wait. */
  #next(): void {
    clearTimeout(this.#idle);
    for (;;) {
      const job = this.#waiting.find((each) => !this.#isBusyWith(each));
      const reader = job === undefined ? undefined : this.#freeReader();
      if (job === undefined || reader === undefined) break;
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      this.#give(reader, job);
    }
    clearTimeout(this.#look);
    if (this.#waiting.length > 0) {
      this.#look = setTimeout(() => this.#next(), lookMilliseconds).unref();
    } else if ([...this.#readers].every(({ job }) => job === undefined)) {
      this.#idle = setTimeout(() => this.#end(), idleMilliseconds).unref();
    }
  }

  /** A tenant that makes one reader hang does not get another meanwhile. */
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
    const mayStart = all.length < mostReaders && all.every(({ child }) => child.isSuspicious);
    return mayStart ? this.#start() : undefined;
  }

  #start(): Reader | undefined {
    const child = EvidenceChild.start(this.#proc, {
      reply: (reply) => this.#receive(reader, reply),
      lost: (how) => this.#lose(reader, how),
      exited: () => {
        if (reader.hungAt !== undefined) this.#hangs.release(reader.hungAt);
      },
    });
    if (child === undefined) {
      // Too many files are open; there is no evidence then.
      for (const job of this.#waiting.splice(0)) job.settle([]);
      return undefined;
    }
    const reader: Reader = { child, job: undefined, hungAt: undefined };
    this.#readers.add(reader);
    return reader;
  }

  #give(reader: Reader, job: Job): void {
    reader.job = job;
    job.at = undefined;
    const skip = this.#skipped(job);
    const { id, most, facts, details } = job;
    const left = (facts ?? []).flatMap(({ pid }) => (details.has(pid) ? [] : [pid]));
    const request: EvidenceRequest = { id, most, details: left, skip };
    const pids = job.sets.flatMap((each) => each.pids);
    reader.child.ask(facts === undefined ? { ...request, pids } : request);
  }

  #skipped({ sets }: Job): readonly number[] {
    return sets.flatMap(({ member, pids }) =>
      pids.filter((pid) => !this.#hangs.mayRead(member, pid)),
    );
  }

  #receive(reader: Reader, reply: EvidenceReply): void {
    const { job } = reader;
    if (job?.id !== reply.id) return;
    if ('facts' in reply) job.facts = reply.facts;
    else if ('at' in reply) job.at = reply.at;
    else if ('pid' in reply) {
      const { pid, id: _, ...details } = reply;
      job.details.set(pid, details);
    } else {
      reader.job = undefined;
      reader.child.rest();
      finish(job);
      this.#next();
    }
  }

  #lose(reader: Reader, how: 'hung' | 'ended'): void {
    this.#readers.delete(reader);
    const { job } = reader;
    reader.job = undefined;
    if (job === undefined) return;
    const { at } = job;
    const member = job.sets.find(({ pids }) => at !== undefined && pids.includes(at))?.member;
    if (how === 'hung' && at !== undefined && member !== undefined) {
      reader.hungAt = member;
      this.#hangs.add(member, at);
    } else job.losses++;
    if (job.losses >= mostLosses) finish(job);
    else this.#waiting.push(job);
    this.#next();
  }

  #end(): void {
    for (const { child } of this.#readers) child.end();
    this.#readers.clear();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#look);
    const jobs = [
      ...this.#waiting.splice(0),
      ...[...this.#readers].flatMap(({ job }) => job ?? []),
    ];
    this.#end();
    for (const job of jobs) finish(job);
  }
}

function finish({ facts = [], details, settle }: Job): void {
  settle(facts.map((each) => ({ ...each, ...details.get(each.pid) })));
}
