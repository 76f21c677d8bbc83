/** Gathers digests: who gets one, and what there is to report to each, as the receiver's own account may see it. */
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { receiverOf, type AlertWho } from '../../agent/alerts/receiver.ts';
import type { UsageResponse, UsageRow } from '../../agent/api/usage-api.ts';
import type { DigestChoices } from '../../host/digest-choices.ts';
import type { AgentRequest } from '../../cli/shared/agent-request.ts';
import { nameOf, type Policy, type Reseller, type Tenant } from '../../policy/policy.ts';
import type { DigestRule } from '../../policy/settings.ts';
import { resellerMember, tenantMember } from '../../usage/member.ts';
import type { Digest, DigestAccount } from '../core/digest.ts';
import { chosenRule, isItsDay } from '../core/choice.ts';
import { dayMilliseconds } from '../core/forecast.ts';
import { comparedMetrics, diskFindings, useFindings } from '../core/findings.ts';
import type { DiskHistory, DiskReader } from '../io/disk-history.ts';

/** Somebody who gets a digest if there is something to report. */
export interface Recipient {
  readonly address: string;
  /** The accounts whose mail goes there. */
  readonly uids: readonly number[];
}

export interface GatherContext {
  readonly policy: Policy;
  readonly rule: DigestRule;
  readonly ask: AgentRequest;
  readonly readDisk: DiskReader;
  readonly disks: DiskHistory;
  /** The choices of receivers; those of former owners of a uid do not count. */
  readonly choices: DigestChoices;
  /** Milliseconds since 1970. */
  readonly now: number;
}

type Chosen = Pick<GatherContext, 'policy' | 'rule' | 'choices'>;

/** An account that gets no message, and why. */
interface WithoutAddress {
  readonly uid: number;
  readonly problem: Problem;
}

/**
 * Returns the recipients, each once, a problem for each unsafe address, and the accounts that get no message. With a
 * period only those whose day it is.
 */
export function recipientsOf(
  { policy, rule, choices }: Chosen,
  period?: Period,
): {
  readonly recipients: readonly Recipient[];
  readonly problems: readonly Problem[];
  readonly without: readonly WithoutAddress[];
} {
  const byAddress = new Map<string, number[]>();
  const problems: Problem[] = [];
  const without: WithoutAddress[] = [];
  for (const who of membersFor(policy, rule)) {
    const chosen = ruleFor({ rule, choices }, who);
    if (chosen === undefined) without.push({ uid: who.uid, problem: turnedOff(who) });
    if (chosen === undefined || (period && !isItsDay(chosen, rule, new Date(period.to).getDay())))
      continue;
    const found = receiverOf({ to: rule.to, by: 'mail', address: rule.address }, who);
    if (!found.ok) {
      problems.push(found.error);
      without.push({ uid: who.uid, problem: found.error });
    } else if (found.value === undefined) without.push({ uid: who.uid, problem: noAccount(who) });
    else {
      const { address } = found.value;
      byAddress.set(address, [...(byAddress.get(address) ?? []), who.uid]);
    }
  }
  const recipients = [...byAddress].map(([address, uids]) => ({ address, uids }));
  return { recipients, problems, without };
}

/** Returns the rule as an account has chosen it; undefined if it has turned its digest off. */
const ruleFor = (
  { rule, choices }: Pick<GatherContext, 'rule' | 'choices'>,
  { uid, name }: Pick<AlertWho, 'uid' | 'name'>,
): DigestRule | undefined => {
  const choice = choices.get(uid);
  return chosenRule(rule, choice?.name === name ? choice : undefined);
};

const turnedOff = ({ name }: AlertWho): Problem => ({
  action: 'send a digest to',
  object: name,
  reason: 'it has turned its digest off',
});

const noAccount = ({ name }: AlertWho): Problem => ({
  action: 'send mail to',
  object: name,
  reason: 'it has no account, and the policy has no address for it',
});

const membersFor = (policy: Policy, { to }: DigestRule): readonly AlertWho[] =>
  to === 'tenant'
    ? policy.tenants.map((each) => whoOf(each, tenantMember(each.uid)))
    : policy.resellers.map((each) => whoOf(each, resellerMember(each.uid)));

const whoOf = (each: Tenant | Reseller, member: AlertWho['member']): AlertWho => ({
  member,
  uid: each.uid,
  name: nameOf(each),
  account: each.account?.user,
  mail: each.mail,
  reseller: undefined,
  package: each.package,
});

interface Period {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns the uids with anything to report, by one question about all of them. An earlier owner of a uid may be the cause,
 * so each digest asks again as its receiver.
 */
export async function busyUids(
  context: Pick<GatherContext, 'rule' | 'ask' | 'choices'>,
  period: Period,
): Promise<Result<ReadonlySet<number>, Problem>> {
  const { ask, rule } = context;
  const answer = await ask<UsageResponse>('/v1/usage', { ...period, metric: comparedMetrics });
  if (!answer.ok) return answer;
  const busy = answer.value.rows.filter((row) => {
    const chosen = ruleFor(context, row) ?? rule;
    // A week has more than the day that was asked about.
    return chosen.every !== rule.every || useFindings(row, chosen).length > 0;
  });
  return ok(new Set(busy.map(({ uid }) => uid)));
}

/** Returns the digest of one recipient; undefined if there is nothing to report. */
export async function digestFor(
  context: GatherContext,
  { address, uids }: Recipient,
  period: Period,
): Promise<Result<Digest | undefined, Problem>> {
  const accounts: DigestAccount[] = [];
  let { from } = period;
  for (const uid of uids) {
    const rule = ruleOf(context, uid);
    const isOther = rule.every !== context.rule.every;
    const asked = { ...period, ...(isOther && { from: period.to - 7 * dayMilliseconds }) };
    from = Math.min(from, asked.from);
    const answer = await context.ask<UsageResponse>('/v1/usage', {
      ...asked,
      metric: comparedMetrics,
      as: uid,
    });
    // The agent does not have this account yet: the policy was changed, and not applied.
    if (!answer.ok && answer.error.status === 403) continue;
    if (!answer.ok) return answer;
    for (const row of answer.value.rows)
      accounts.push(await accountOf({ ...context, rule }, row, uid));
  }
  const found = accounts.filter(({ findings }) => findings.length > 0);
  const { language } = context.rule;
  return ok(
    found.length === 0 ? undefined : { address, language, accounts: found, ...period, from },
  );
}

/** Returns the rule for one account. Those that have turned the digest off are asked for no more. */
function ruleOf(context: GatherContext, uid: number): DigestRule {
  const { policy, rule } = context;
  const members = rule.to === 'tenant' ? policy.tenants : policy.resellers;
  const found = members.find((each) => each.uid === uid);
  return (found && ruleFor(context, { uid, name: nameOf(found) })) ?? rule;
}

async function accountOf(
  { rule, policy, readDisk, disks, now }: GatherContext,
  row: UsageRow,
  asked: number,
): Promise<DigestAccount> {
  const { name, kind, uid } = row;
  const isSum = kind === 'reseller';
  const isTold = rule.to === 'tenant' ? kind === 'tenant' && uid === asked : kind !== 'site';
  if (!isTold) return { name, isSum, findings: [] };
  const use = useFindings(row, rule);
  const tenant = isSum ? undefined : policy.tenants.find((each) => each.uid === uid);
  const facts = tenant && (await readDisk(tenant));
  const known = disks.get(uid);
  const samples = known !== undefined && known.user === tenant?.account?.user ? known.samples : [];
  const disk = facts === undefined ? [] : diskFindings({ ...facts, samples }, rule, now);
  return { name, isSum, findings: [...use, ...disk] };
}
