/**
 * Notices that a database server has made its socket anew, as after a restart. A mount of the previous socket leads
 * nowhere, so jails are brought up to date with the next tick.
 */
import { statSync } from 'node:fs';
import type { DatabaseSocket } from '../../core/database-files.ts';

/** The time between two reports, so that a server that crashes again and again costs little. */
const againMs = 10_000;

export class DatabaseWatch {
  readonly #clock: () => number;
  #known: ReadonlyMap<string, string> = new Map();
  #paths: readonly string[] = [];
  #reportedAt = -Infinity;

  /** `clock`: monotonic, in milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Takes over the sockets that jails get now. Returns a text that changes with any of them. */
  follow(sockets: readonly DatabaseSocket[]): string {
    this.#paths = sockets.map(({ at }) => at);
    this.#known = identitiesOf(this.#paths);
    return [...this.#known].join('\n');
  }

  /** Returns true once if a socket is there that jails have not got. */
  hasNew(): boolean {
    if (this.#paths.length === 0 || this.#clock() - this.#reportedAt < againMs) return false;
    const now = identitiesOf(this.#paths);
    if (![...now].some(([path, identity]) => this.#known.get(path) !== identity)) return false;
    this.#reportedAt = this.#clock();
    return true;
  }
}

function identitiesOf(paths: readonly string[]): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const path of paths) {
    try {
      const { dev, ino, ctimeNs } = statSync(path, { bigint: true });
      known.set(path, `${dev} ${ino} ${ctimeNs}`);
    } catch {
      // The server is stopped: jails keep what they have until it is back.
    }
  }
  return known;
}
