/**
 * The clients of sockets, for one tenant after another. A list takes as long as the host has sockets, of which a tenant
 * can open many, so it is used again for ten times as long as it took: no more than a tenth of the agent's time goes
 * there.
 */
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { clientsOfSocket, type SocketClients } from '../../../sys/sockets/unix-diag.ts';

type Found = Result<SocketClients, Problem>;

const usedAgain = 10;

export class ClientLists {
  readonly #list: (socket: string) => Found;
  readonly #now: () => number;
  readonly #found = new Map<string, { readonly found: Found; readonly until: number }>();

  /** `now` is the monotonic clock in milliseconds. */
  constructor(list = clientsOfSocket, now = () => performance.now()) {
    this.#list = list;
    this.#now = now;
  }

  of(socket: string): Found {
    const before = this.#now();
    const last = this.#found.get(socket);
    if (last !== undefined && before < last.until) return last.found;
    const found = this.#list(socket);
    const after = this.#now();
    this.#found.set(socket, { found, until: after + usedAgain * (after - before) });
    return found;
  }
}
