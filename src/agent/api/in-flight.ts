/**
 * Bounds the requests of each uid in progress: a tenant that sends many waits for its own, and nobody
 * else does. Processes in its jail wait for each other only, and their next request waits for a moment, which bounds
 * the rate. All of them together have a bound, too, more than wait for the history; who is there first is next, and no
 * uid has more than three there. Root is never bounded.
 */
import { ok } from '../../../packages/base/result.ts';
import { httpError, type HttpResult } from './http-result.ts';
import { isAdministrator, payerOf, type Caller } from './caller.ts';

const perTenantMax = 2;
const perJailMax = 1;
const pauseMilliseconds = 100;
const waitingMax = 16;
const commonMax = 128;

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

const free: Disposable = { [Symbol.dispose]: () => {} };

export class InFlight {
  readonly #turns = new Map<string, Turns>();
  readonly #common: Turns = { running: 0, waiting: [] };

  /** Waits for a slot. Its first disposal releases it; others do nothing. */
  async enter(caller: Caller): Promise<HttpResult<Disposable>> {
    if (caller.kind === 'token' || isAdministrator(caller)) return ok(free);
    const { kind } = caller;
    const key = `${kind} ${payerOf(caller)}`;
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
    await take(mine, kind === 'jailed' ? perJailMax : perTenantMax);
    await take(this.#common, commonMax);
    const leave = () => {
      pass(mine);
      if (mine.running === 0) this.#turns.delete(key);
    };
    let isOver = false;
    return ok({
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        pass(this.#common);
        if (kind === 'jailed') setTimeout(leave, pauseMilliseconds);
        else leave();
      },
    });
  }
}

async function take(turns: Turns, max: number): Promise<void> {
  if (turns.running < max) turns.running++;
  else await new Promise<void>((resolve) => turns.waiting.push(resolve));
}

/** Passes the slot on. */
function pass(turns: Turns): void {
  const next = turns.waiting.shift();
  if (next === undefined) turns.running--;
  else next();
}
