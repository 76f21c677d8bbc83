/**
 * Bounds the requests of each uid in progress: a tenant that sends many waits for its own, and nobody
 * else does.
 */
import { ok } from '../../../packages/base/result.ts';
import { httpError, type HttpResult } from './http-result.ts';
import type { Caller } from './caller.ts';

const perTenantMax = 2;
const waitingMax = 16;

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

const free: Disposable = { [Symbol.dispose]: () => {} };

export class InFlight {
  readonly #turns = new Map<number, Turns>();

  /** Waits for a slot, which is released when it is disposed. */
  async enter(caller: Caller): Promise<HttpResult<Disposable>> {
    if (caller.kind === 'token' || caller.uid === 0) return ok(free);
    const { uid } = caller;
    let turns = this.#turns.get(uid);
    if (turns === undefined) this.#turns.set(uid, (turns = { running: 0, waiting: [] }));
    const mine = turns;
    if (mine.waiting.length >= waitingMax) {
      return httpError({
        status: 429,
        action: 'answer the request',
        reason: `${waitingMax} of your requests are waiting already`,
        hint: 'retry later',
      });
    }
    if (mine.running < perTenantMax) mine.running++;
    else await new Promise<void>((resolve) => mine.waiting.push(resolve));
    return ok({ [Symbol.dispose]: () => this.#leave(uid, mine) });
  }

  /** Passes the slot on. */
  #leave(uid: number, turns: Turns): void {
    const next = turns.waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    turns.running--;
    if (turns.running === 0) this.#turns.delete(uid);
  }
}
