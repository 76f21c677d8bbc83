/**
 * Notices that a database server has made its socket anew, as after a restart. A mount of the previous socket leads
 * nowhere, so jails are brought up to date with the next tick.
 */
import { closeSync, fstatSync } from 'node:fs';
import type { DatabaseSocket } from '../../core/database-files.ts';
import { openDatabaseSocket } from './socket.ts';

/** The time between two reports, so that a server that crashes again and again costs little. */
const againMs = 10_000;

export class DatabaseWatch {
  readonly #clock: () => number;
  #known: ReadonlyMap<string, string> = new Map();
  #sockets: readonly DatabaseSocket[] = [];
  #reportedAt = -Infinity;

  /** `clock`: monotonic, in milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Takes over the sockets that jails get now. Returns a text that changes with any of them. */
  follow(sockets: readonly DatabaseSocket[]): string {
    this.#sockets = sockets;
    this.#known = identitiesOf(sockets);
    return [...this.#known].join('\n');
  }

  /** Returns true once if a socket is there that jails have not got. */
  hasNew(): boolean {
    if (this.#sockets.length === 0 || this.#clock() - this.#reportedAt < againMs) return false;
    const now = identitiesOf(this.#sockets);
    if (![...now].some(([path, identity]) => this.#known.get(path) !== identity)) return false;
    this.#reportedAt = this.#clock();
    return true;
  }
}

/** Returns the identity of each socket that may be mounted: whoever can make other files there gets no jail built. */
function identitiesOf(sockets: readonly DatabaseSocket[]): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const socket of sockets) {
    const opened = openDatabaseSocket(socket);
    // The server is stopped: jails keep what they have until it is back.
    if (!opened.ok) continue;
    const { dev, ino, ctimeNs } = fstatSync(opened.value, { bigint: true });
    closeSync(opened.value);
    known.set(socket.at, `${dev} ${ino} ${ctimeNs}`);
  }
  return known;
}
