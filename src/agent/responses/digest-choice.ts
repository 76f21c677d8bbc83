/**
 * `GET /v1/digest`: the digests that the caller gets, and what it has chosen. `POST` chooses: `?use=90%&every=week`, each
 * of them also `default`. The policy decides whether customers may, and from which share on.
 */
import { fail, ok } from '../../../packages/base/result.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { DigestChoice } from '../../host/digest-choices.ts';
import type { DigestRule } from '../../policy/settings.ts';
import { valueKinds } from '../../policy/value-kinds.ts';
import { resellerMember, tenantMember } from '../../usage/member.ts';
import type { DigestResponse } from '../api/api.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { RequestContext } from '../api/request-context.ts';

const action = 'change your digest';
const percent = valueKinds.percent;

interface Receiver {
  readonly uid: number;
  readonly name: string;
  readonly rules: readonly DigestRule[];
}

export function answerDigest(request: RequestContext): HttpResult<DigestResponse> {
  const found = receiverOf(request);
  if (!found.ok) return found;
  const choice = choiceOf(request, found.value);
  return choice.ok ? ok(responseOf(found.value, choice.value)) : choice;
}

export function answerSetDigest(request: RequestContext): HttpResult<DigestResponse> {
  const found = receiverOf(request);
  if (!found.ok) return found;
  const { uid, name, rules } = found.value;
  const shares = rules.flatMap(({ useMin }) => useMin ?? []);
  if (shares.length === 0) {
    const reason =
      rules.length === 0 ? 'the policy has none for you' : 'the policy does not let you choose';
    return httpError({ status: 403, action, reason, hint: 'ask the administrator' });
  }
  const before = choiceOf(request, found.value);
  if (!before.ok) return before;
  const use = useOf(request, before.value?.use, Math.min(...shares));
  if (!use.ok) return use;
  const every = everyOf(request, before.value?.every);
  if (!every.ok) return every;
  const choice: DigestChoice = {
    uid,
    name,
    ...(use.value !== undefined && { use: use.value }),
    ...(every.value !== undefined && { every: every.value }),
  };
  const { agent } = request;
  const turn = agent.digestPace.enter(uid, false, performance.now());
  if (!turn.ok) return turn;
  using _turn = turn.value;
  const kept = agent.digestChoices.keep(choice, (each) => nameIn(request, each.uid) === each.name);
  return kept.ok ? ok(responseOf(found.value, choice)) : unavailable(kept.error);
}

/** Finds the caller among the members, and its digests. */
function receiverOf(request: RequestContext): HttpResult<Receiver> {
  const { caller, agent } = request;
  const uid = caller.kind === 'token' ? 0 : caller.uid;
  const name = nameIn(request, uid);
  if (name === undefined) {
    const reason = uid === 0 ? 'only customers and resellers get digests' : 'you are not a tenant';
    return httpError({ status: 403, action: 'find your digest', reason });
  }
  const { entries, digests } = agent.memberIndex;
  const isReseller = entries.has(resellerMember(uid));
  const isTenant = entries.has(tenantMember(uid));
  const rules = digests.filter(({ to }) => (to === 'tenant' ? isTenant : isReseller));
  return ok({ uid, name, rules });
}

function nameIn({ agent }: RequestContext, uid: number): string | undefined {
  const { entries } = agent.memberIndex;
  return (entries.get(tenantMember(uid)) ?? entries.get(resellerMember(uid)))?.who.name;
}

function choiceOf(
  { agent }: RequestContext,
  { uid, name }: Receiver,
): HttpResult<DigestChoice | undefined> {
  const read = agent.digestChoices.read();
  if (!read.ok) return unavailable(read.error);
  const found = read.value.get(uid);
  return ok(found?.name === name ? found : undefined);
}

/** The path and the hint are for the administrator. */
const unavailable = ({ reason }: Problem) => httpError({ status: 503, action, reason });

function useOf(
  { query }: RequestContext,
  before: number | undefined,
  least: number,
): HttpResult<number | undefined> {
  const text = query.text('use');
  if (text === undefined) return ok(before);
  if (text === 'default') return ok(undefined);
  const parsed = percent.parse(text);
  if (!parsed.ok) return fail({ status: 400, action, ...parsed.error });
  if (parsed.value >= least) return ok(parsed.value);
  const hint = `the policy allows ${percent.format(least)} to 100%`;
  return httpError({ status: 403, action, reason: `${text} is too low`, hint });
}

function everyOf(
  { query }: RequestContext,
  before: DigestChoice['every'],
): HttpResult<DigestChoice['every']> {
  const asked = query.choice('every', ['week', 'off', 'default']);
  if (!asked.ok) return asked;
  return ok(asked.value === 'default' ? undefined : (asked.value ?? before));
}

const responseOf = ({ rules }: Receiver, choice: DigestChoice | undefined): DigestResponse => ({
  use: choice?.use === undefined ? null : percent.format(choice.use),
  every: choice?.every ?? null,
  digests: rules.map(({ to, every, useFraction, useMin }) => ({
    to,
    every,
    use: percent.format(useFraction),
    useMin: useMin === undefined ? null : percent.format(useMin),
  })),
});
