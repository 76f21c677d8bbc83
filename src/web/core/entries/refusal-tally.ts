/** Refusals of some seconds: their number at each limit, and some of them in detail. */
import type { Member } from '../../../usage/member.ts';
import type { RequestEvidence } from './entries-incidents.ts';
import type { EntryRefusal } from './refusal.ts';

export interface MemberRefusals {
  readonly member: Member;
  count: number;
  requests: RequestEvidence[];
}

/** The number of requests kept for one member, and for all. Others are only counted. */
export const requestsMax = 20;
const requestsTotalMax = 2_000;
const membersMax = 10_000;

export class EntryRefusalTally {
  readonly #members = new Map<Member, MemberRefusals>();
  #requests = 0;

  add({ member, ...request }: EntryRefusal, at: number): void {
    this.#merge(member, 1, [{ at, ...request }]);
  }

  addAll(others: readonly MemberRefusals[]): void {
    for (const { member, count, requests } of others) this.#merge(member, count, requests);
  }

  #merge(member: Member, count: number, requests: readonly RequestEvidence[]): void {
    const known = this.#members.get(member);
    if (known === undefined && this.#members.size === membersMax) return;
    const of = known ?? { member, count: 0, requests: [] };
    this.#members.set(member, of);
    of.count += count;
    for (const each of requests) {
      if (of.requests.length < requestsMax && this.#requests++ < requestsTotalMax)
        of.requests.push(each);
    }
  }

  /** Returns all refusals since the last call. */
  take(): readonly MemberRefusals[] {
    const all = [...this.#members.values()];
    this.#members.clear();
    this.#requests = 0;
    return all;
  }
}
