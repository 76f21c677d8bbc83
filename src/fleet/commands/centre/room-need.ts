/** The need of a new tenant: what its package promises on each host, and what a tenant like it has used. */
import { listSome } from '../../../../packages/base/list.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { parsePolicy } from '../../../policy/parse.ts';
import { linksTo, valuesOf } from '../../../policy/policy.ts';
import type { Answer } from '../../core/ask/answer.ts';
import type { AskedMetric } from '../../core/ask/question.ts';
import {
  fitOf,
  roomSecondsMin,
  usedLike,
  unfit,
  type HostFit,
  type ResourceNeed,
  type RoomHost,
  type RoomNeed,
} from '../../core/room.ts';
import { readPublishedPolicy } from '../../io/rollout/published-policy.ts';
import { promisedBy } from '../promised.ts';

/** The use of this many seconds decides, as it does for hosts. */
export const likeSeconds = 7 * 86_400;
/** The metric of each resource, in the order of the question. */
const metricOf = { cpu: 'cpu', memory: 'anonymous' } as const;
export const likeMetrics: readonly AskedMetric[] = Object.values(metricOf);

/** The tenant that a new one is like. */
export interface LikeTenant {
  readonly tenant: string;
  readonly host: string;
  readonly need: RoomNeed;
}

/** Parses `alice@web-017`, or `alice` alone. */
export function parseLike(text: string): { readonly tenant: string; readonly host?: string } {
  const at = text.lastIndexOf('@');
  return at < 1 ? { tenant: text } : { tenant: text.slice(0, at), host: text.slice(at + 1) };
}

/** Returns what the tenant of this name has used, on the one host that has it. */
export function likeTenant(tenant: string, answers: readonly Answer[]): Result<LikeTenant, Cause> {
  const found = answers.filter(({ tenants }) => tenants > 0);
  const [first] = found;
  if (first === undefined)
    return fail({ reason: `no host that answered has a tenant "${tenant}"` });
  const hosts = found.map(({ host }) => host).sort();
  if (hosts.length > 1)
    return fail({
      reason: `${listSome(hosts)} have a tenant "${tenant}"`,
      hint: `name one of them: --like ${tenant}@${hosts[0]}`,
    });
  return ok({ tenant, host: first.host, need: needIn(first) });
}

/** A measurement of less than a day says nothing. A tenant without a row has used nothing. */
function needIn({ measuredSeconds, rows }: Answer): RoomNeed {
  const isMeasured = measuredSeconds >= roomSecondsMin;
  const of = (metric: AskedMetric): ResourceNeed => {
    const use = rows[0]?.use.find((each) => each.metric === metric);
    const p95 = rows.length === 0 ? 0 : (use?.p95 ?? null);
    return { promised: use?.limit ?? null, p95: isMeasured ? p95 : null };
  };
  return { cpu: of(metricOf.cpu), memory: of(metricOf.memory) };
}

/** Returns how hosts stand with a tenant of a package, by the policies that are published for them. */
export function packageFits(
  hosts: readonly RoomHost[],
  { name, release, like }: PackageNeed,
): Result<readonly HostFit[], Cause> {
  const needs = new Map<string, RoomNeed | undefined>();
  const fits = hosts.map((host): HostFit => {
    const published = readPublishedPolicy(release, host.host);
    if (!published.ok) return unfit(host, null, `its policy is unknown: ${published.error.reason}`);
    const { sha256, text } = published.value;
    const need = needs.has(sha256) ? needs.get(sha256) : packageNeed(text, name);
    needs.set(sha256, need);
    if (need === undefined) return unfit(host, false, `it has no package "${name}"`);
    return fitOf(host, like === undefined ? need : usedLike(need, like.need));
  });
  if (needs.size === 0)
    return fail({
      reason: `no policy of a host can be read in ${release}`,
      hint: 'name the directory that "bulkhead fleet publish" has written with --release',
    });
  return [...needs.values()].some((need) => need !== undefined)
    ? ok(fits)
    : fail({
        reason: 'no published policy has that package',
        hint: `"bulkhead fleet render HOST" shows the packages of a host`,
      });
}

export interface PackageNeed {
  readonly name: string;
  /** The directory that `fleet publish` has written. */
  readonly release: string;
  readonly like: LikeTenant | undefined;
}

/** Returns what a package promises; undefined if the policy has none of that name. */
function packageNeed(text: string, name: string): RoomNeed | undefined {
  const { document } = parsePolicy('policy.xml', text);
  const found = document?.packages.find((each) => each.name.value === name);
  if (document === undefined || found === undefined) return undefined;
  const chain = [...linksTo('package', found), ...linksTo('defaults', document.defaults)];
  return promisedBy(valuesOf(chain));
}
