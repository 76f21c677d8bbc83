/**
 * The placer's one loop: wait for the kernel or the supervisor, place, and between that look at all
 * processes a piece at a time.
 */
import { type Connector, POLLIN } from './connector.ts';
import { Channel } from './channel.ts';
import { PidClock } from './pid-clock.ts';
import { Placer } from './placer.ts';
import {
  mostMissing,
  type PlacerCommand,
  type PlacerOutside,
  type PlacerStatus,
} from './protocol.ts';
import { Scan } from './scan.ts';
import { Sweep } from './sweep.ts';
import { poll } from '../syscalls.ts';

/** Told apart from the events that come anyway, for who cannot have them. */
export type Source =
  { readonly connector: Connector; readonly filtered: boolean } | { readonly problem: string };

const POLLOUT = 4;
const input = 0;
const output = 1;
/** Received before anything else is done. */
const mostEventsAtOnce = 512;
const pieceMilliseconds = 2;
const sweepMilliseconds = 20;
const statusMilliseconds = 200;
const scanMilliseconds = { told: 60_000, blind: 2_000, leastBetween: 100 };

export class Loop {
  readonly #source: Source;
  readonly #channel = new Channel();
  readonly #clock = new PidClock();
  readonly #missing = new Set<string>();
  readonly #missingTold = new Set<string>();
  readonly #placer = new Placer((group) => this.#isMissing(group), { moves: true });
  readonly #place = (pid: number) => this.#placer.place(pid);
  readonly #sweep = new Sweep(this.#clock, this.#place);
  #scan: Scan | undefined;
  /** When the next scan begins; never before there are targets. */
  #scanAt = Infinity;
  #scanBegan = 0;
  /** Asked for while none was running that began later. */
  #wantedId = 0;
  #scanId = 0;
  #overruns = 0;
  #outside: readonly PlacerOutside[] = [];
  #lookedAt: number | undefined;
  #pong = 0;
  #scanned = 0;
  /** Whether there is something to say that has not been said, and since when it may be. */
  #news = false;
  #sayAt = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Comes back when the supervisor is gone. */
  run(): void {
    for (;;) {
      const tick = this.#clock.sample();
      const ready = this.#wait(
        this.#busy ? 0 : Math.min(tick, this.#until(this.#scanAt), this.#untilNews()),
      );
      if (ready.input && !this.#obey()) return;
      if (ready.events) this.#receive();
      this.#advance();
      this.#speak();
    }
  }

  get #busy(): boolean {
    return this.#scan !== undefined || this.#sweep.pending || this.#until(this.#scanAt) <= 0;
  }

  #until(moment: number): number {
    return Math.max(0, Math.ceil(moment - performance.now()));
  }

  #untilNews(): number {
    return this.#news && !this.#channel.busy ? this.#until(this.#sayAt) : Infinity;
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
        this.#tellNow();
        break;
      case 'scan':
        this.#wantedId = command.id;
        this.#scanAt = -Infinity;
        break;
      case 'targets':
        this.#placer.use(command);
        this.#missingTold.clear();
        // Who was looked at by the old list has to be looked at again.
        this.#scan = undefined;
        this.#scanAt = -Infinity;
    }
  }

  #receive(): void {
    if (!('connector' in this.#source)) return;
    this.#news = true;
    let earliest = Infinity;
    const received = this.#source.connector.receive(
      mostEventsAtOnce,
      (pid, ruid, euid, microseconds) => {
        if (!this.#placer.concerns(ruid, euid)) return;
        earliest = Math.min(earliest, microseconds);
        this.#place(pid);
      },
    );
    if (received === 'lost') {
      this.#overruns++;
      this.#scanSoon();
    }
    if (earliest === Infinity) return;
    const from = this.#clock.lastBefore(earliest);
    if (from === undefined) this.#scanSoon();
    else this.#sweep.from(from);
  }

  #scanSoon(): void {
    const least = this.#scanBegan + scanMilliseconds.leastBetween;
    this.#scanAt = Math.min(this.#scanAt, Math.max(least, performance.now()));
  }

  #advance(): void {
    if (this.#sweep.pending && this.#sweep.step(sweepMilliseconds) === 'lapped') this.#scanSoon();
    if (this.#scan === undefined && this.#scanAt <= performance.now()) this.#beginScan();
    const outside = this.#scan?.step(pieceMilliseconds);
    if (outside === undefined) return;
    this.#scan = undefined;
    this.#outside = outside;
    this.#lookedAt = Date.now();
    this.#scanned = this.#scanId;
    this.#tellNow();
  }

  #tellNow(): void {
    this.#news = true;
    this.#sayAt = 0;
  }

  #beginScan(): void {
    this.#clock.readPidMax();
    this.#scanId = this.#wantedId;
    this.#scanBegan = performance.now();
    const { told, blind } = scanMilliseconds;
    this.#scanAt = this.#scanBegan + ('connector' in this.#source ? told : blind);
    this.#scan = new Scan(this.#place);
  }

  #isMissing(group: string): void {
    if (this.#missingTold.has(group) || this.#missingTold.size >= mostMissing) return;
    this.#missingTold.add(group);
    this.#missing.add(group);
  }

  #speak(): void {
    this.#channel.flush();
    if (this.#channel.busy) return;
    if (this.#missing.size > 0) {
      const groups = [...this.#missing];
      this.#missing.clear();
      return this.#channel.send({ kind: 'missing', groups });
    }
    if (!this.#news || performance.now() < this.#sayAt) return;
    this.#news = false;
    this.#sayAt = performance.now() + statusMilliseconds;
    this.#channel.send(this.#status());
  }

  #status(): PlacerStatus {
    const source = this.#source;
    const told = 'connector' in source;
    return {
      kind: 'status',
      ...(told
        ? { state: 'on', filtered: source.filtered }
        : { state: 'off', problem: source.problem }),
      events: told ? source.connector.events : 0,
      foreign: told ? source.connector.foreign : 0,
      placed: this.#placer.placed,
      overruns: this.#overruns,
      outside: this.#outside,
      ...(this.#lookedAt === undefined ? {} : { lookedAt: this.#lookedAt }),
      pong: this.#pong,
      scanned: this.#scanned,
    };
  }
}
