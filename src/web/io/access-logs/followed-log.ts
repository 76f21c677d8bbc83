/**
 * Adds up the bytes of an access log that others rotate. A file that was renamed is read on for a while, since web
 * servers write to it until they open the new one.
 */
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { bytesReader } from '../../core/access-logs/bytes-of-line.ts';
import type { CountedLog } from '../../core/access-logs/counted-logs.ts';
import { OpenLog, type ReadLines } from './open-log.ts';
import { openRootsFile, type LogKeepers } from './roots-file.ts';

interface OldLog {
  readonly log: OpenLog;
  readonly since: number;
}

/** How long a renamed file is read: Apache's processes keep it until their last request has ended. */
const lingerMilliseconds = 600_000;
const oldMax = 4;

export class FollowedLog implements Disposable {
  readonly log: CountedLog;
  readonly #keepers: LogKeepers;
  readonly #bytesOf: (line: string) => number | undefined;
  #current: OpenLog | undefined;
  #old: readonly OldLog[] = [];
  #hasBegun = false;
  #problem: string | undefined;
  #unreadLines = 0;
  #cuts = 0;
  #lost = 0;
  /** The bytes that were sent since it is followed. */
  bytes = 0;

  constructor(log: CountedLog, keepers: LogKeepers) {
    this.log = log;
    this.#keepers = keepers;
    this.#bytesOf = bytesReader(log);
  }

  /** Whether there was a file, so that the number of bytes is known. */
  get isKnown(): boolean {
    return this.#hasBegun;
  }

  /** Opens what is at the path now. `now`: monotonic, in milliseconds. */
  look(now: number): void {
    this.#endOld(now);
    const opened = openRootsFile(this.log.path, this.#keepers);
    this.#problem = opened.ok || this.#isBetween(opened.error) ? undefined : opened.error.reason;
    if (!opened.ok) return;
    if (this.#current?.isSame(opened.value.stat) === true) {
      opened.value[Symbol.dispose]();
      return;
    }
    if (this.#current !== undefined) this.#old = [...this.#old, { log: this.#current, since: now }];
    this.#current = new OpenLog(opened.value, this.#hasBegun ? 'start' : 'end');
    this.#hasBegun = true;
  }

  /** Whether it was renamed, and the new file is not there yet. */
  #isBetween = ({ isMissing }: { readonly isMissing: boolean }) =>
    isMissing && this.#current !== undefined;

  #endOld(now: number): void {
    const kept = this.#old.filter(
      ({ log, since }, at) =>
        at >= this.#old.length - oldMax && (now - since < lingerMilliseconds || log.unread > 0),
    );
    for (const each of this.#old)
      if (!kept.includes(each)) {
        if (each.log.unread > 0) this.#lost++;
        each.log[Symbol.dispose]();
      }
    this.#old = kept;
  }

  /** Reads a piece of each file; returns how many bytes that were. */
  read(bytesMax: number): number {
    let bytes = 0;
    for (const each of this.#files()) {
      if (bytes >= bytesMax) break;
      const found = this.#piece(each, bytesMax - bytes);
      if (found === undefined) continue;
      bytes += found.bytes;
      this.#unreadLines += found.skipped;
      if (found.wasCut) this.#cuts++;
      for (const line of found.lines) this.#add(line);
    }
    return bytes;
  }

  /** A disk that fails must not keep other logs from being read. */
  #piece(log: OpenLog, bytesMax: number): ReadLines | undefined {
    try {
      return log.read(bytesMax);
    } catch (error) {
      this.#problem = causeOf(error).reason;
      return undefined;
    }
  }

  #add(line: string): void {
    const bytes = this.#bytesOf(line);
    if (bytes === undefined) this.#unreadLines++;
    else this.bytes += bytes;
  }

  #files = (): readonly OpenLog[] => [
    ...this.#old.map(({ log }) => log),
    ...(this.#current === undefined ? [] : [this.#current]),
  ];

  /** Returns why its bytes are too few; empty if all are counted. */
  gaps(): readonly string[] {
    const { path } = this.log;
    const behind = this.#files().reduce((sum, { unread }) => sum + unread, 0);
    return [
      ...(this.#problem === undefined ? [] : [`${path} cannot be followed: ${this.#problem}`]),
      ...(this.#unreadLines === 0
        ? []
        : [`${this.#unreadLines} lines of ${path} are not readable`]),
      ...(this.#cuts === 0 ? [] : [`${path} was cut while in use: its last lines may be missing`]),
      ...(this.#lost === 0 ? [] : [`${path} was rotated before it was read to its end`]),
      ...(behind <= behindBytesMax ? [] : [`${path} is being read: ${behind} bytes are left`]),
    ];
  }

  [Symbol.dispose](): void {
    for (const each of this.#files()) each[Symbol.dispose]();
    this.#current = undefined;
    this.#old = [];
  }
}

/** The bytes that may be written between two rounds of reading. */
const behindBytesMax = 2 ** 20;
