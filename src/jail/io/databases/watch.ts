/**
 * Notices that a database server has made its socket anew, as after a restart. A mount of the previous socket leads
 * nowhere, so jails are brought up to date with the next tick.
 */
import { closeSync, fstatSync } from 'node:fs';
import type { DatabaseSocket } from '../../../host/databases/database-files.ts';
import { openJailSocket } from './socket.ts';

/**
 * The time between two changes that are noticed, so that a server that crashes again and again costs little: it doubles
 * with each one that follows within twice that time.
 */
const pauseMsMin = 10_000;
const pauseMsMax = 600_000;

export class DatabaseWatch {
  readonly #clock: () => number;
  #known: ReadonlyMap<string, string> = new Map();
  #sockets: readonly DatabaseSocket[] = [];
  #noticedAt = -Infinity;
  #pauseMs = pauseMsMin;

  /** `clock`: monotonic, in milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Takes over the sockets that jails get now. Returns a text that changes with any of them, after the pause. */
  follow(sockets: readonly DatabaseSocket[]): string {
    this.#sockets = sockets;
    const now = identitiesOf(sockets);
    if (textOf(now) !== textOf(this.#known) && this.#isDue()) {
      const since = this.#clock() - this.#noticedAt;
      this.#pauseMs =
        since > 2 * this.#pauseMs ? pauseMsMin : Math.min(2 * this.#pauseMs, pauseMsMax);
      this.#noticedAt = this.#clock();
      this.#known = now;
    }
    return textOf(this.#known);
  }

  /** Whether a socket is there that jails have not got, and the pause is over. */
  hasNew(): boolean {
    if (this.#sockets.length === 0 || !this.#isDue()) return false;
    const now = identitiesOf(this.#sockets);
    return [...now].some(([path, identity]) => this.#known.get(path) !== identity);
  }

  #isDue(): boolean {
    return this.#clock() - this.#noticedAt >= this.#pauseMs;
  }
}

const textOf = (identities: ReadonlyMap<string, string>) => [...identities].join('\n');

/** Returns the identity of each socket that may be mounted: whoever can make other files there gets no jail built. */
function identitiesOf(sockets: readonly DatabaseSocket[]): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const socket of sockets) {
    const opened = openJailSocket(socket);
    // The server is stopped: jails keep what they have until it is back.
    if (!opened.ok) continue;
    const { dev, ino, ctimeNs } = fstatSync(opened.value, { bigint: true });
    closeSync(opened.value);
    known.set(socket.at, `${dev} ${ino} ${ctimeNs}`);
  }
  return known;
}
