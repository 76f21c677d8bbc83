/** Refusals of some seconds: how many of each tenant, and the latest of them. */
import type { RefusedRequest } from '../../../usage/incident.ts';
import type { Refusal } from './refusal.ts';

export interface TenantRefusals {
  readonly owner: number;
  count: number;
  requests: RefusedRequest[];
}

/** Requests that are kept of one tenant, and of all; the others are counted. */
export const requestsMax = 20;
const requestsTotalMax = 2_000;
const ownersMax = 10_000;

export class RefusalTally {
  readonly #owners = new Map<number, TenantRefusals>();
  #requests = 0;

  add({ owner, ...request }: Refusal, at: number): void {
    this.#merge(owner, 1, [{ at, ...request }]);
  }

  addAll(others: readonly TenantRefusals[]): void {
    for (const { owner, count, requests } of others) this.#merge(owner, count, requests);
  }

  #merge(owner: number, count: number, requests: readonly RefusedRequest[]): void {
    const known = this.#owners.get(owner);
    if (known === undefined && this.#owners.size === ownersMax) return;
    const of = known ?? { owner, count: 0, requests: [] };
    this.#owners.set(owner, of);
    of.count += count;
    for (const each of requests) {
      if (of.requests.length < requestsMax && this.#requests++ < requestsTotalMax)
        of.requests.push(each);
    }
  }

  /** All since the last call. */
  take(): readonly TenantRefusals[] {
    const all = [...this.#owners.values()];
    this.#owners.clear();
    this.#requests = 0;
    return all;
  }
}
