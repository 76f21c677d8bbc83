/**
 * The placer's main loop: waits for the kernel or the supervisor, moves processes, and scans all processes in between,
 * in batches.
 */
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { type Connector, POLLIN } from './connector.ts';
import { Channel } from './channel.ts';
import type { HaltResult } from './halt.ts';
import { Halting } from './halting.ts';
import { PidHistory } from './pid-history.ts';
import { Placer, type PlacementResult } from './placer.ts';
import {
  missingMax,
  unknownMax,
  type PlacerCommand,
  type PlacerHalted,
  type PlacerStatus,
} from './protocol.ts';
import { outrunReason } from './scan.ts';
import { ScanSchedule } from './scan-schedule.ts';
import { Sweep, type Look } from './sweep.ts';
import { poll } from '../../sys/syscalls.ts';

/** Distinguishes periodic wake-ups from kernel events, for hosts without the latter. */
export type EventSource =
  | { readonly connector: Connector; readonly filtered: boolean }
  | { readonly problem: Problem };

interface Change {
  readonly ruid: number;
  readonly euid: number;
  /** The time of the first of several changes. */
  readonly microseconds: number;
}

const POLLOUT = 4;
const input = 0;
const output = 1;
/** The maximum number of events received before anything else is done. */
const eventsAtOnceMax = 512;
const pieceMilliseconds = 2;
const sweepMilliseconds = 20;
/** No tenant is stopped for a burst that is over this soon, however often it was seen outside. */
const patienceMilliseconds = 40;
const statusMilliseconds = 200;
const probeMilliseconds = 1_000;
/** Time for processes that were being forked to continue; a later placer handles the rest. */
const endMilliseconds = 500;
const haltedMax = 100;

export class Loop {
  readonly #listen: () => EventSource;
  #source: EventSource;
  #probeAt = 0;
  readonly #channel = new Channel();
  readonly #clock = new PidHistory();
  readonly #missing = new Set<string>();
  readonly #missingReported = new Set<string>();
  readonly #placer = new Placer(
    {
      missing: (cgroup) => this.#isMissing(cgroup),
      seen: (pid, tenant, uid) => this.#halting.seen(pid, tenant, uid),
      outside: (tenant, pid) => this.#halting.outside(tenant, pid, this.#look),
    },
    { moves: true },
  );
  /** The pass in which a process is visited, if it searches for forked processes. */
  #look: Look | undefined;
  readonly #place = (pid: number, look?: Look) => {
    this.#look = look;
    const outcome = this.#placer.place(pid);
    this.#look = undefined;
    return this.#noted(outcome);
  };
  readonly #sweep = new Sweep(this.#clock, this.#place);
  readonly #halting: Halting;
  #sweepBegan = 0;
  /** Whether a tenant forked too fast to be followed. */
  #outrun = false;
  readonly #halted: PlacerHalted[] = [];
  readonly #scans = new ScanSchedule({
    clock: this.#clock,
    place: this.#place,
    hasEvents: () => 'connector' in this.#source,
  });
  #overruns = 0;
  /** Counters of earlier connectors. */
  #eventsBefore = 0;
  #foreignBefore = 0;
  #pong = 0;
  /** Whether an unsent state change exists, and when it may be sent. */
  #news = false;
  #reportAt = 0;

  /** Creates the loop. `listen` is called again if the kernel has stopped reporting. */
  constructor(listen: () => EventSource, haltFile: string | undefined) {
    this.#listen = listen;
    this.#source = listen();
    this.#halting = new Halting(this.#clock, haltFile);
  }

  /** Runs until the supervisor is gone. */
  run(): void {
    for (;;) {
      const tick = this.#clock.sample();
      const ready = this.#wait(
        this.#busy ? 0 : Math.min(tick, this.#until(this.#nextAt), this.#untilNews()),
      );
      if (ready.input && !this.#obey()) return this.#end();
      if (ready.events) this.#receive();
      this.#probe();
      this.#advance();
      this.#speak();
    }
  }

  /** Ends the loop; stopped tenants are continued first. */
  #end(): void {
    while (this.#halting.pending) this.#halting.step(pieceMilliseconds);
    const until = performance.now() + endMilliseconds;
    while (this.#halting.resumeAt < until) {
      poll(new Int32Array(0), this.#until(this.#halting.resumeAt));
      this.#halting.resume(pieceMilliseconds);
    }
  }

  get #nextAt(): number {
    return Math.min(this.#scans.dueAt, this.#halting.resumeAt);
  }

  get #busy(): boolean {
    return this.#isScanning || this.#until(this.#nextAt) <= 0;
  }

  get #isScanning(): boolean {
    const { isRunning } = this.#scans;
    return isRunning || this.#halting.pending || this.#sweep.pending || this.#outrun;
  }

  #noted(outcome: PlacementResult): PlacementResult {
    if (typeof outcome !== 'string' && 'unknown' in outcome) this.#isUnknown(outcome.unknown);
    return outcome;
  }

  #until(moment: number): number {
    return Math.max(0, Math.ceil(moment - performance.now()));
  }

  #untilNews(): number {
    return this.#news && !this.#channel.busy ? this.#until(this.#reportAt) : Infinity;
  }

  #wait(milliseconds: number): { readonly input: boolean; readonly events: boolean } {
    const words = [input, POLLIN, output, this.#channel.busy ? POLLOUT : 0];
    if ('connector' in this.#source) words.push(this.#source.connector.fd, POLLIN);
    const entries = Int32Array.from(words);
    poll(entries, Math.min(milliseconds, 60_000));
    const came = (index: number) => (entries[index * 2 + 1] ?? 0) >>> 16 !== 0;
    return { input: came(0), events: came(2) };
  }

  #obey(): boolean {
    const commands = this.#channel.receive();
    for (const command of commands ?? []) this.#command(command);
    return commands !== undefined;
  }

  #command(command: PlacerCommand): void {
    switch (command.kind) {
      case 'ping':
        this.#pong = command.id;
        this.#reportNow();
        break;
      case 'scan':
        this.#scans.request(command.id);
        break;
      case 'targets':
        this.#placer.use(command);
        this.#missingReported.clear();
        this.#scans.restart();
    }
  }

  #receive(): void {
    if (!('connector' in this.#source)) return;
    // Of several changes of one process only the last one counts; each process is inspected once.
    const changed = new Map<number, Change>();
    const received = this.#source.connector.receive(
      eventsAtOnceMax,
      (pid, ruid, euid, microseconds) => {
        const first = changed.get(pid)?.microseconds ?? microseconds;
        changed.set(pid, { ruid, euid, microseconds: first });
      },
    );
    const isLost = received === 'lost' || received === 'deaf';
    this.#news ||= isLost || changed.size > 0;
    if (isLost) {
      this.#overruns++;
      this.#scans.soon();
    }
    if (received === 'deaf') this.#listenAgain(this.#source.connector);
    let earliest = Infinity;
    for (const [pid, change] of changed) {
      if (this.#concerns(pid, change)) earliest = Math.min(earliest, change.microseconds);
      this.#halting.changed(pid);
    }
    if (earliest === Infinity) return;
    const from = this.#clock.lastBefore(earliest);
    if (!this.#sweep.pending) this.#sweepBegan = performance.now();
    if (from === undefined) this.#scans.soon();
    else this.#sweep.from(from);
  }

  /** Checks that the kernel still reports, or subscribes again. */
  #probe(): void {
    const now = performance.now();
    if (!('connector' in this.#source) || now < this.#probeAt) return;
    this.#probeAt = now + probeMilliseconds;
    this.#source.connector.probe();
    this.#receive();
  }

  #listenAgain(connector: Connector): void {
    this.#eventsBefore += connector.events;
    this.#foreignBefore += connector.foreign;
    connector[Symbol.dispose]();
    this.#source = this.#listen();
    this.#scans.soon();
  }

  /** Places the process; returns whether its children must be inspected, too. */
  #concerns(pid: number, { ruid, euid }: Change): boolean {
    const tenant = this.#placer.tenantOf(ruid, euid);
    // An unknown uid may be in a tenant's user namespace.
    if (tenant === undefined) return ruid !== 0 && this.#place(pid) !== 'other';
    if (this.#place(pid) === 'gone') this.#halting.gone(tenant);
    return true;
  }

  #advance(): void {
    if (this.#sweep.pending) this.#advanceSweep();
    const halted = this.#halting.step(pieceMilliseconds);
    if (halted !== undefined) this.#noteHalt(halted);
    if (!this.#halting.pending && this.#outrun) this.#catchUp();
    this.#halting.resume(pieceMilliseconds);
    if (!this.#halting.pending) this.#advanceScan();
    if (!this.#isScanning && !this.#scans.isOwed) this.#halting.settle();
  }

  #advanceSweep(): void {
    const result = this.#sweep.step(sweepMilliseconds);
    this.#outrun ||= result === 'lapped';
    if (result === 'done' && !this.#scans.isFollowing) this.#halting.followed();
    if (result === 'more' && this.#isResistedSince(this.#sweepBegan)) {
      this.#sweep.end();
      this.#outrun = true;
    }
  }

  /**
   * Whether a tenant has resisted since then. A chain that forks slowly enough to be followed, and whose processes exit
   * before they can be moved, could be followed for very long.
   */
  #isResistedSince(began: number): boolean {
    if (this.#until(began + patienceMilliseconds) > 0 || !this.#halting.isResisted) return false;
    // Changes of uid in the meantime are reported now.
    this.#receive();
    return this.#halting.isResisted;
  }

  #noteHalt({ tenants, moved, milliseconds, settled, problem }: HaltResult): void {
    if (this.#halted.length < haltedMax) {
      this.#halted.push({ kind: 'halted', tenants, moved, milliseconds, settled });
    }
    // Meanwhile no other process was followed.
    this.#scans.soon();
    if (settled) return;
    const who = tenants.slice(0, unknownMax).join(', ');
    this.#isUnknown(
      formatProblem(
        problem ?? {
          action: `keep up with the processes of uid ${who}`,
          reason: 'they are started too fast',
        },
      ),
    );
  }

  /**
   * Catches a tenant that forks too fast to be followed. Until all processes were scanned again, it is unknown who is
   * outside.
   */
  #catchUp(): void {
    this.#outrun = false;
    this.#scans.owe();
    this.#isUnknown(outrunReason);
    this.#halting.begin(this.#placer, this.#place);
  }

  #isUnknown(why: string): void {
    this.#news = true;
    this.#scans.isUnknown(why);
  }

  #advanceScan(): void {
    const found = this.#scans.step(pieceMilliseconds);
    if (found === 'none') return;
    if (found === 'more') {
      this.#news ||= !this.#scans.isKnown;
      this.#outrun ||= this.#scans.isFollowing && this.#isResistedSince(this.#scans.began);
      return;
    }
    this.#outrun ||= found.outrun;
    if (!found.outrun && !this.#sweep.pending) this.#halting.settle();
    this.#reportNow();
  }

  #reportNow(): void {
    this.#news = true;
    this.#reportAt = 0;
  }

  #isMissing(cgroup: string): void {
    if (this.#missingReported.has(cgroup) || this.#missingReported.size >= missingMax) return;
    this.#missingReported.add(cgroup);
    this.#missing.add(cgroup);
  }

  #speak(): void {
    this.#channel.flush();
    if (this.#channel.busy) return;
    const halted = this.#halted.shift();
    if (halted !== undefined) return this.#channel.send(halted);
    if (this.#missing.size > 0) {
      const cgroups = [...this.#missing];
      this.#missing.clear();
      return this.#channel.send({ kind: 'missing', cgroups });
    }
    if (!this.#news || performance.now() < this.#reportAt) return;
    this.#news = false;
    this.#reportAt = performance.now() + statusMilliseconds;
    this.#channel.send(this.#status());
  }

  #status(): PlacerStatus {
    const source = this.#source;
    const withEvents = 'connector' in source;
    return {
      kind: 'status',
      ...(withEvents
        ? { state: 'on', filtered: source.filtered }
        : { state: 'off', problem: source.problem }),
      events: this.#eventsBefore + (withEvents ? source.connector.events : 0),
      foreign: this.#foreignBefore + (withEvents ? source.connector.foreign : 0),
      migrated: this.#placer.migrated,
      overruns: this.#overruns,
      ...this.#scans.status,
      pong: this.#pong,
    };
  }
}
