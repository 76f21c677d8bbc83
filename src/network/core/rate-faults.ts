/** Faults of rates: a tick at the limit in which packets waited or were dropped. */
import type { ReportedFault } from '../../agent/part.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { evidenceOf } from '../../usage/evidence.ts';
import { resellerMember, tenantMember, type Member } from '../../usage/member.ts';
import { attemptEvidence } from './attempts.ts';
import type { NetworkLimits, NetworkRules } from './rules.ts';
import type { NetworkUse } from './use.ts';

/** The share of a limit from which packets waited for it, and not for something else. */
const atLimit = 0.95;

interface Rates {
  readonly send: number;
  readonly receive: number;
  readonly held: number;
  readonly lost: number;
}

type Uses = ReadonlyMap<number, NetworkUse>;

/** `resellerUids`: the uids of resellers, by the names under which the rules have them. */
export function rateFaults(
  { tenants, resellers }: NetworkRules,
  resellerUids: ReadonlyMap<string, number>,
  { before, now, seconds }: { readonly before: Uses; readonly now: Uses; readonly seconds: number },
): readonly ReportedFault[] {
  if (seconds <= 0) return [];
  const sums = new Map<string, Rates>();
  const own = tenants.flatMap(({ uid, limits, reseller }) => {
    const rates = ratesOf(before.get(uid), now.get(uid), seconds);
    if (rates === undefined) return [];
    if (reseller !== undefined) sums.set(reseller, plus(sums.get(reseller), rates));
    return faultsOf(tenantMember(uid), limits, rates);
  });
  const together = [...sums].flatMap(([name, rates]) => {
    const uid = resellerUids.get(name);
    return uid === undefined ? [] : faultsOf(resellerMember(uid), resellers.get(name) ?? {}, rates);
  });
  return [...own, ...together];
}

function ratesOf(
  before: NetworkUse | undefined,
  now: NetworkUse | undefined,
  seconds: number,
): Rates | undefined {
  if (before === undefined || now === undefined || now.sentBytes < before.sentBytes)
    return undefined;
  return {
    send: (now.sentBytes - before.sentBytes) / seconds,
    receive: (now.receivedBytes - before.receivedBytes) / seconds,
    held: now.heldPackets - before.heldPackets,
    lost: now.lostPackets - before.lostPackets,
  };
}

const plus = (sum: Rates | undefined, more: Rates): Rates => ({
  send: (sum?.send ?? 0) + more.send,
  receive: (sum?.receive ?? 0) + more.receive,
  held: (sum?.held ?? 0) + more.held,
  lost: (sum?.lost ?? 0) + more.lost,
});

function faultsOf(member: Member, limits: NetworkLimits, rates: Rates): readonly ReportedFault[] {
  if (rates.held <= 0 && rates.lost <= 0) return [];
  return (['send', 'receive'] as const).flatMap((way) => {
    const limit = limits[way];
    return limit === undefined || rates[way] < atLimit * limit
      ? []
      : [throttled(member, `network.${way}`)];
  });
}

const throttled = (member: Member, limit: LimitKey): ReportedFault => ({
  member,
  limit,
  severity: 'throttled',
  count: 1,
  inferred: false,
  evidence: evidenceOf(attemptEvidence, []),
});
