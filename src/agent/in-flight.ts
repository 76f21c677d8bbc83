/**
 * How many questions of one uid are being answered: a tenant that asks much waits for itself, and
 * nobody waits for it.
 */
import { Refusal } from './answers/context.ts';
import type { Viewer } from './viewer.ts';

const mostPerTenant = 2;
const mostWaiting = 16;

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

const free: Disposable = { [Symbol.dispose]: () => {} };

export class InFlight {
  readonly #turns = new Map<number, Turns>();

  /** Waits for a turn, which ends when it is disposed of. */
  async enter(viewer: Viewer): Promise<Disposable> {
    if (viewer.kind === 'token' || viewer.uid === 0) return free;
    const { uid } = viewer;
    let turns = this.#turns.get(uid);
    if (turns === undefined) this.#turns.set(uid, (turns = { running: 0, waiting: [] }));
    const mine = turns;
    if (mine.waiting.length >= mostWaiting) {
      throw new Refusal(429, `${mostWaiting} of your questions are waiting; ask again after those`);
    }
    if (mine.running < mostPerTenant) mine.running++;
    else await new Promise<void>((resolve) => mine.waiting.push(resolve));
    return { [Symbol.dispose]: () => this.#leave(uid, mine) };
  }

  /** The turn is handed on. */
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
