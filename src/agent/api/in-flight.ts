/**
 * Bounds the requests of each uid in progress: a tenant that sends many waits for its own, and nobody
 * else does. Processes in its jail wait for each other only, and their next request waits for a moment, which bounds
 * the rate.
 */
import { ok } from '../../../packages/base/result.ts';
import { httpError, type HttpResult } from './http-result.ts';
import { isAdministrator, type Caller } from './caller.ts';

const perTenantMax = 2;
const perJailMax = 1;
const pauseMilliseconds = 100;
const waitingMax = 16;

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

const free: Disposable = { [Symbol.dispose]: () => {} };

export class InFlight {
  readonly #turns = new Map<string, Turns>();

  /** Waits for a slot, which is released when it is disposed. */
  async enter(caller: Caller): Promise<HttpResult<Disposable>> {
    if (caller.kind === 'token' || isAdministrator(caller)) return ok(free);
    const { kind, uid } = caller;
    const key = `${kind} ${uid}`;
    let turns = this.#turns.get(key);
    if (turns === undefined) this.#turns.set(key, (turns = { running: 0, waiting: [] }));
    const mine = turns;
    if (mine.waiting.length >= waitingMax) {
      return httpError({
        status: 429,
        action: 'answer the request',
        reason: `${waitingMax} of your requests are waiting already`,
        hint: 'retry later',
      });
    }
    if (mine.running < (kind === 'jailed' ? perJailMax : perTenantMax)) mine.running++;
    else await new Promise<void>((resolve) => mine.waiting.push(resolve));
    const leave = () => this.#leave(key, mine);
    return ok({
      [Symbol.dispose]: kind === 'jailed' ? () => setTimeout(leave, pauseMilliseconds) : leave,
    });
  }

  /** Passes the slot on. */
  #leave(key: string, turns: Turns): void {
    const next = turns.waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    turns.running--;
    if (turns.running === 0) this.#turns.delete(key);
  }
}
