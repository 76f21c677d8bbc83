/** `/v1/policy…`: reads, plans and writes the policy. */
import { ok } from '../../../packages/base/result.ts';
import type { PolicyEditor } from '../../policy/rights/may-edit.ts';
import { resellerMember } from '../../usage/member.ts';
import { editorOf, policyAudienceUid } from '../api/caller.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { bodyOf, etagOf } from '../api/request-body.ts';
import type { RequestContext } from '../api/request-context.ts';
import type { PolicyKept } from '../api/policy-api.ts';
import type { PolicyJob, PolicyJobAnswer, PolicyQuestion } from '../policy/policy-job.ts';
import { readKeepRequest } from '../policy/request-body.ts';

const bodyBytesMax = 4 * 2 ** 20;
/** A reseller sends edits only. */
const resellerBodyBytesMax = 64 * 2 ** 10;

export const answerPolicy = (request: RequestContext) => ask(request, { kind: 'read' });

export const answerPolicyPlan = (request: RequestContext) => askWithBody(request, 'plan');

export const answerSetPolicy = (request: RequestContext) => askWithBody(request, 'write');

export const answerPolicySimulation = (request: RequestContext) => askWithBody(request, 'simulate');

export function answerPolicyUndo(
  request: RequestContext,
  name: string,
): Promise<HttpResult<Response>> {
  const number = changeNumber(name);
  if (!number.ok) return Promise.resolve(number);
  const { tick } = request.agent.latest;
  const etag = etagOf(request.request);
  return ask(request, { kind: 'undo', number: number.value, etag, tick }, true);
}

export async function answerPolicyChanges(request: RequestContext): Promise<HttpResult<Response>> {
  const { query } = request;
  const period = query.period(Date.now(), 30 * 86_400_000);
  if (!period.ok) return period;
  const tenant = query.text('tenant');
  const before = query.whole('before', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (!before.ok) return before;
  const from = Math.max(period.value.from, seesChangesSince(request));
  return ask(request, {
    kind: 'changes',
    tenant: tenant?.slice(0, 64),
    from,
    to: period.value.to,
    before: before.value,
  });
}

export function answerPolicyChange(
  request: RequestContext,
  name: string,
): Promise<HttpResult<Response>> {
  const number = changeNumber(name);
  if (!number.ok) return Promise.resolve(number);
  const from = seesChangesSince(request);
  return ask(request, { kind: 'change', number: number.value, from });
}

export async function answerPolicyKeep(request: RequestContext): Promise<HttpResult<PolicyKept>> {
  const seen = audienceOf(request);
  if (!seen.ok) return seen;
  const refused = whyReader(editorOf(request.caller));
  if (refused !== undefined) return refused;
  const body = await bodyOf(request.request, resellerBodyBytesMax);
  if (!body.ok) return body;
  const wanted = readKeepRequest(body.value);
  if (!wanted.ok) return httpError({ status: 400, action: 'read the request', ...wanted.error });
  const uid = seen.value.kind === 'administrator' ? 0 : seen.value.uid;
  return request.agent.policy.keep({ audience: seen.value, uid }, wanted.value.change);
}

function changeNumber(name: string): HttpResult<number> {
  if (/^[1-9]\d{0,14}$/.test(name)) return ok(Number(name));
  const reason = 'it is not the number of a change';
  return httpError({ status: 400, action: 'find change', object: name, reason });
}

/** A reseller sees nothing older than the current owner of its uid. */
function seesChangesSince({ caller, agent }: RequestContext): number {
  const uid = policyAudienceUid(caller) ?? 0;
  return uid === 0 ? 0 : agent.membership.beginningOf(resellerMember(uid));
}

async function askWithBody(
  request: RequestContext,
  kind: 'plan' | 'write' | 'simulate',
): Promise<HttpResult<Response>> {
  const editor = editorOf(request.caller);
  const refused = whyReader(editor);
  if (refused !== undefined) return refused;
  const max = editor.kind === 'administrator' ? bodyBytesMax : resellerBodyBytesMax;
  const body = await bodyOf(request.request, max);
  if (!body.ok) return body;
  const { tick } = request.agent.latest;
  const etag = etagOf(request.request);
  return ask(request, { kind, body: body.value, etag, tick }, true);
}

const whyReader = (editor: PolicyEditor) =>
  editor.kind === 'reader'
    ? httpError({ status: 403, action: 'change the policy', reason: editor.reason })
    : undefined;

/** Asks; `changes`: a reader may not. */
async function ask(
  request: RequestContext,
  question: PolicyQuestion,
  changes = false,
): Promise<HttpResult<Response>> {
  const audience = audienceOf(request);
  if (!audience.ok) return audience;
  const { caller, agent } = request;
  const editor = editorOf(caller);
  const refused = changes ? whyReader(editor) : undefined;
  if (refused !== undefined) return refused;
  const job = { audience: audience.value, editor, author: authorOf(request), question };
  const uid = audience.value.kind === 'administrator' ? 0 : audience.value.uid;
  const asker = { uid, signal: request.request.signal };
  const answered = await agent.policy.ask(job, asker);
  return answered.ok ? ok(responseOf(answered.value)) : answered;
}

function responseOf({ status, body, retryAfterSeconds: after }: PolicyJobAnswer): Response {
  const headers = new Headers({ 'content-type': 'application/json' });
  if (after !== undefined) headers.set('retry-after', `${after}`);
  return new Response(body, { status, headers });
}

function audienceOf({ caller, agent }: RequestContext): HttpResult<PolicyJob['audience']> {
  const uid = policyAudienceUid(caller);
  if (uid === 0) return ok({ kind: 'administrator' });
  if (uid !== undefined && agent.memberIndex.entries.has(resellerMember(uid)))
    return ok({ kind: 'reseller', uid });
  const reason = 'only root sees it, and resellers their part of it';
  return httpError({ status: 403, action: 'show the policy', reason });
}

function authorOf({ caller, agent }: RequestContext): PolicyJob['author'] {
  if (caller.kind === 'token') return {};
  const nameOf = (uid: number) => agent.console.accountOf(uid, undefined)?.user ?? `uid ${uid}`;
  const who = { uid: caller.uid, user: nameOf(caller.uid) };
  if (caller.kind !== 'session') return who;
  const isOther = caller.byUid !== caller.uid;
  return { ...who, session: caller.id, ...(isOther && { loginBy: nameOf(caller.byUid) }) };
}
