/**
 * Bounds how many tokens and login codes may be tried. Every try costs the agent a request, so each peer has a pace, and
 * all peers except root have one together. Tokens that the agent has accepted pass without counting: a flood of wrong ones
 * disturbs nobody who is logged in.
 */
import { createHash } from 'node:crypto';
import { WorkBudget } from '../../../packages/base/work-budget.ts';

const acceptedMax = 1024;
const peersMax = 256;
/** Tries at once, and per millisecond from then on. */
const ofPeer = { burst: 60, share: 10 / 1000 };
const ofAll = { burst: 240, share: 40 / 1000 };

export class UnknownSecrets {
  /** SHA-256 of accepted tokens, those used the longest ago first. */
  readonly #accepted = new Set<string>();
  /** The budgets of peers, the longest known peer first. */
  readonly #peers = new Map<string, WorkBudget>();
  readonly #all = new WorkBudget(ofAll);
  readonly #clock: () => number;

  /** `clock`: monotonic, in milliseconds. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Whether the agent may be asked with a secret. `peer`: an account or a network; root waits for itself only. */
  admit(secret: string, peer: string, isRoot: boolean): boolean {
    if (this.#accepted.has(hashOf(secret))) return true;
    const now = this.#clock();
    const budgets = isRoot ? [this.#budgetOf(peer)] : [this.#budgetOf(peer), this.#all];
    if (budgets.some((each) => each.wait(now) > 0)) return false;
    for (const each of budgets) each.spend(1, now);
    return true;
  }

  /** Notes the answer to a token. Codes are good for once. */
  answered(token: string, status: number): void {
    if (status >= 500) return;
    const hash = hashOf(token);
    this.#accepted.delete(hash);
    if (status === 401) return;
    this.#accepted.add(hash);
    for (const oldest of this.#accepted) {
      if (this.#accepted.size <= acceptedMax) return;
      this.#accepted.delete(oldest);
    }
  }

  #budgetOf(peer: string): WorkBudget {
    const budget = this.#peers.get(peer) ?? new WorkBudget(ofPeer);
    this.#peers.set(peer, budget);
    for (const oldest of this.#peers.keys()) {
      if (this.#peers.size <= peersMax) break;
      this.#peers.delete(oldest);
    }
    return budget;
  }
}

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('base64');
