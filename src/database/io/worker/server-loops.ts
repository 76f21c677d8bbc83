/**
 * A loop for each server: one that hangs, or is slow, delays only its own. Servers come and go; a loop ends when the
 * answer that it waits for comes.
 */
import { jittered } from '../../core/pace/jitter.ts';
import { sleepMilliseconds } from './wait.ts';

export class ServerLoops<Server extends Disposable> implements Disposable {
  readonly #servers = new Map<string, Server>();
  readonly #turn: (server: Server) => Promise<number>;

  /** `turn` asks a server once, and returns after how many milliseconds it is to be asked again. */
  constructor(turn: (server: Server) => Promise<number>) {
    this.#turn = turn;
  }

  get servers(): readonly Server[] {
    return [...this.#servers.values()];
  }

  /** Whether the server is still there. */
  has(server: Server): boolean {
    return this.servers.includes(server);
  }

  /** Keeps these servers, by their sockets: those that are new begin, and others end. */
  keep(makers: ReadonlyMap<string, () => Server>): void {
    for (const [socket, server] of this.#servers) {
      if (makers.has(socket)) continue;
      this.#servers.delete(socket);
      server[Symbol.dispose]();
    }
    for (const [socket, make] of makers) {
      if (this.#servers.has(socket)) continue;
      const server = make();
      this.#servers.set(socket, server);
      void this.#run(server);
    }
  }

  async #run(server: Server): Promise<void> {
    while (this.has(server)) await sleepMilliseconds(jittered(await this.#turn(server)));
  }

  [Symbol.dispose](): void {
    this.keep(new Map());
  }
}
