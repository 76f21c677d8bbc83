/**
 * The placer's one loop: wait for the kernel or the supervisor, place, and between that look at all
 * processes a piece at a time.
 */
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
  type PlacerOutside,
  type PlacerStatus,
} from './protocol.ts';
import { outrunReason, Scan } from './scan.ts';
import { Sweep } from './sweep.ts';
import { poll } from '../../sys/syscalls.ts';

/** Told apart from the events that come anyway, for who cannot have them. */
export type EventSource =
  { readonly connector: Connector; readonly filtered: boolean } | { readonly problem: string };

interface Change {
  readonly ruid: number;
  readonly euid: number;
  /** Of the first of several. */
  readonly microseconds: number;
}

const POLLOUT = 4;
const input = 0;
const output = 1;
/** Received before anything else is done. */
const eventsAtOnceMax = 512;
const pieceMilliseconds = 2;
/** What takes longer than `max` never ends, where somebody resists. */
const sweepMilliseconds = { atOnce: 20, max: 40 };
const statusMilliseconds = 200;
const probeMilliseconds = 1_000;
/** For those to go on that were being forked; a later placer sees to the rest. */
const endMilliseconds = 500;
const scanMilliseconds = { withEvents: 60_000, polling: 2_000, unsettled: 1_000, betweenMin: 100 };
const haltedMax = 100;
const outrunScansMax = 5;

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
      outside: (tenant, pid) => this.#halting.outside(tenant, pid),
    },
    { moves: true },
  );
  readonly #place = (pid: number) => this.#noted(this.#placer.place(pid));
  readonly #sweep = new Sweep(this.#clock, this.#place);
  readonly #halting: Halting;
  #sweepUntil = 0;
  /** Whether somebody forked faster than could be followed. */
  #outrun = false;
  #outrunScans = 0;
  readonly #halted: PlacerHalted[] = [];
  #scan: Scan | undefined;
  /** When the next scan begins; never before there are targets. */
  #scanAt = Infinity;
  #scanBegan = 0;
  /** Asked for while none was running that began later. */
  #wantedId = 0;
  #scanId = 0;
  #overruns = 0;
  /** Of connectors before. */
  #eventsBefore = 0;
  #foreignBefore = 0;
  #outside: readonly PlacerOutside[] = [];
  #unknown: readonly string[] = [];
  /** What could not be established since the last look at all processes. */
  readonly #unknownSince = new Set<string>();
  #scannedAt: number | undefined;
  #pong = 0;
  #scanned = 0;
  /** Whether there is something to say that has not been said, and since when it may be. */
  #news = false;
  #reportAt = 0;

  /** `listen` is called again where the kernel has stopped to report. */
  constructor(listen: () => EventSource, haltFile: string | undefined) {
    this.#listen = listen;
    this.#source = listen();
    this.#halting = new Halting(this.#clock, haltFile);
  }

  /** Comes back when the supervisor is gone. */
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

  /** Whoever was stopped goes on first. */
  #end(): void {
    while (this.#halting.pending) this.#halting.step(pieceMilliseconds);
    const until = performance.now() + endMilliseconds;
    while (this.#halting.resumeAt < until) {
      poll(new Int32Array(0), this.#until(this.#halting.resumeAt));
      this.#halting.resume(pieceMilliseconds);
    }
  }

  get #nextAt(): number {
    return Math.min(this.#scanAt, this.#halting.resumeAt);
  }

  get #busy(): boolean {
    return this.#isScanning || this.#until(this.#nextAt) <= 0;
  }

  get #isScanning(): boolean {
    const isScanning = this.#scan !== undefined;
    return isScanning || this.#halting.pending || this.#sweep.pending || this.#outrun;
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
        this.#wantedId = command.id;
        this.#scanAt = -Infinity;
        break;
      case 'targets':
        this.#placer.use(command);
        this.#missingReported.clear();
        // Who was looked at by the old list has to be looked at again.
        this.#scan = undefined;
        this.#scanAt = -Infinity;
    }
  }

  #receive(): void {
    if (!('connector' in this.#source)) return;
    // Of many changes of one process the last one counts; each is looked at once.
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
      this.#scanSoon();
    }
    if (received === 'deaf') this.#listenAgain(this.#source.connector);
    let earliest = Infinity;
    for (const [pid, change] of changed) {
      if (this.#concerns(pid, change)) earliest = Math.min(earliest, change.microseconds);
      this.#halting.changed(pid);
    }
    if (earliest === Infinity) return;
    const from = this.#clock.lastBefore(earliest);
    if (!this.#sweep.pending) this.#sweepUntil = performance.now() + sweepMilliseconds.max;
    if (from === undefined) this.#scanSoon();
    else this.#sweep.from(from);
  }

  /** Is heard, or it is asked anew. */
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
    this.#scanSoon();
  }

  /** Places the process; whether those that it has forked have to be looked at too. */
  #concerns(pid: number, { ruid, euid }: Change): boolean {
    const tenant = this.#placer.tenantOf(ruid, euid);
    // A uid that says nothing may be one in a user namespace of a tenant's.
    if (tenant === undefined) return ruid !== 0 && this.#place(pid) !== 'other';
    if (this.#place(pid) === 'gone') this.#halting.gone(tenant);
    return true;
  }

  #scanSoon(): void {
    this.#scanWithin(0);
  }

  #scanWithin(milliseconds: number): void {
    const min = this.#scanBegan + scanMilliseconds.betweenMin;
    this.#scanAt = Math.min(this.#scanAt, Math.max(min, performance.now() + milliseconds));
  }

  #advance(): void {
    if (this.#sweep.pending) this.#advanceSweep();
    const halted = this.#halting.step(pieceMilliseconds);
    if (halted !== undefined) this.#noteHalt(halted);
    if (!this.#halting.pending && this.#outrun) this.#catchUp();
    this.#halting.resume(pieceMilliseconds);
    if (!this.#halting.pending) this.#advanceScan();
    if (!this.#isScanning) this.#halting.settle();
  }

  /** Who forks slowly enough to be followed, and ends each time before it can be moved, would be followed for ever. */
  #advanceSweep(): void {
    const result = this.#sweep.step(sweepMilliseconds.atOnce);
    this.#outrun ||= result === 'lapped';
    if (result !== 'more' || !this.#halting.isResisted || this.#until(this.#sweepUntil) > 0) return;
    // Whoever has changed its uid meanwhile is told of now.
    this.#receive();
    if (!this.#halting.isResisted) return;
    this.#sweep.end();
    this.#outrun = true;
  }

  #noteHalt({ tenants, moved, milliseconds, settled, problem }: HaltResult): void {
    if (this.#halted.length < haltedMax) {
      this.#halted.push({ kind: 'halted', tenants, moved, milliseconds, settled });
    }
    if (settled) return;
    const who = tenants.slice(0, unknownMax).join(', ');
    const why = problem ?? `Cannot keep up with the processes of ${who}: they are started too fast`;
    this.#isUnknown(why);
  }

  /** Somebody forks faster than can be followed. */
  #catchUp(): void {
    this.#outrun = false;
    if (!this.#halting.begin(this.#placer, this.#place)) this.#isUnknown(outrunReason);
  }

  #isUnknown(why: string): void {
    if (this.#unknownSince.size < unknownMax) this.#unknownSince.add(why);
    this.#scanWithin(scanMilliseconds.unsettled);
  }

  #advanceScan(): void {
    if (this.#scan === undefined && this.#scanAt <= performance.now()) this.#beginScan();
    const found = this.#scan?.step(pieceMilliseconds);
    if (found === undefined) return;
    this.#scan = undefined;
    this.#outside = found.outside;
    // One that has come to its end knows of everybody, whatever was not known before.
    const also = found.outrun ? [...this.#unknownSince, outrunReason] : [];
    this.#unknown = [...found.unknown, ...also];
    this.#unknownSince.clear();
    this.#scannedAt = Date.now();
    this.#outrun ||= found.outrun;
    this.#outrunScans = found.outrun ? this.#outrunScans + 1 : 0;
    // Whoever asked for it is answered by a later one, once those who fork have been caught.
    if (found.outrun && this.#outrunScans < outrunScansMax) this.#scanSoon();
    else this.#scanned = this.#scanId;
    this.#reportNow();
  }

  #reportNow(): void {
    this.#news = true;
    this.#reportAt = 0;
  }

  #beginScan(): void {
    this.#clock.readPidMax();
    this.#scanId = this.#wantedId;
    this.#scanBegan = performance.now();
    const { withEvents, polling } = scanMilliseconds;
    this.#scanAt = this.#scanBegan + ('connector' in this.#source ? withEvents : polling);
    this.#scan = new Scan(this.#clock, this.#place);
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
      placed: this.#placer.placed,
      overruns: this.#overruns,
      outside: this.#outside,
      unknown: [...new Set([...this.#unknown, ...this.#unknownSince])].slice(0, unknownMax),
      ...(this.#scannedAt === undefined ? {} : { scannedAt: this.#scannedAt }),
      pong: this.#pong,
      scanned: this.#scanned,
    };
  }
}
