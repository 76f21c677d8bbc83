/**
 * `GET /v1/tenants/NAME/apps`: the applications of a tenant. `POST` changes one that the tenant defines itself:
 * `?set=blog&command=node+server.js`, or `?remove=blog`.
 */
import { fail, ok } from '../../../packages/base/result.ts';
import { ownAppAttributes } from '../../policy/apps/own-apps.ts';
import type { AppsResponse, SetAppResponse } from '../api/api.ts';
import { maySeeCommands } from '../api/caller.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { QueryReader } from '../api/query-reader.ts';
import type { RequestContext } from '../api/request-context.ts';
import type { OwnAppChange } from '../part.ts';
import type { MemberEntry } from '../sampling/member-index.ts';
import { namedEntry } from './members.ts';

const action = 'change applications of';
const show = 'show applications of';

export async function answerApps(
  request: RequestContext,
  name: string,
): Promise<HttpResult<AppsResponse>> {
  const found = tenantEntry(request, name, show);
  if (!found.ok) return found;
  const { who } = found.value;
  if (!maySeeCommands(request.caller, found.value)) {
    const reason = 'only root and the tenant itself see them';
    return httpError({ status: 403, action: show, object: name, reason });
  }
  const listed = (await request.agent.apps?.list(who.uid)) ?? none;
  return listed.ok ? ok({ who, ...listed.value }) : fail({ object: who.name, ...listed.error });
}

const none = ok({ max: 0, apps: [] });

/** Accepts only the tenant itself, identified by the kernel, also from its jail: nothing starts outside it. */
export async function answerSetApp(
  request: RequestContext,
  name: string,
): Promise<HttpResult<SetAppResponse>> {
  const { agent, caller, query } = request;
  const refuse = (reason: string, hint?: string) =>
    httpError({ status: 403, action, object: name, reason, ...(hint !== undefined && { hint }) });
  if (caller.kind === 'token') return refuse('a token changes nothing');
  if (caller.uid === 0) {
    const reason = 'tenants define them; the administrator does so in the policy';
    const hint = 'write <app> there';
    return httpError({ status: 403, action: "change a tenant's own applications", reason, hint });
  }
  const found = tenantEntry(request, name, action);
  if (!found.ok) return found;
  const { who } = found.value;
  const owner = who.uid === caller.uid ? agent.membership.ownerOf(who.member) : undefined;
  if (owner === undefined || agent.apps === undefined) return refuse('only the tenant itself may');
  const change = readChange(query);
  if (!change.ok) return fail({ object: who.name, ...change.error });
  const made = await agent.apps.make(who.uid, owner, change.value, request.slot);
  if (!made.ok) return fail({ object: change.value.name, ...made.error });
  return ok({ who, state: made.value });
}

/** Finds the tenant. Callers who name themselves learn that they are none. */
function tenantEntry(
  request: RequestContext,
  name: string,
  wanted: string,
): HttpResult<MemberEntry> {
  const { caller } = request;
  const found = namedEntry(request, name);
  if (found.ok && found.value.who.kind === 'tenant') return found;
  const uid = caller.kind === 'token' ? undefined : caller.uid;
  const isOwn = found.ok ? found.value.who.uid === uid : name === String(uid);
  if (!found.ok && !isOwn) return found;
  const object = found.ok ? found.value.who.name : `uid ${name}`;
  const reason = isOwn ? 'you are not a tenant of this host' : 'it is not a tenant';
  return httpError({ status: 404, action: wanted, object, reason });
}

function readChange(query: QueryReader): HttpResult<OwnAppChange> {
  const [set, remove] = [query.text('set'), query.text('remove')];
  if (remove !== undefined && set === undefined) return ok({ kind: 'remove', name: remove });
  if (set === undefined || remove !== undefined)
    return httpError({ status: 400, action, reason: 'it needs either "set" or "remove"' });
  const texts = ownAppAttributes.flatMap((attribute) => {
    const text = query.text(attribute);
    return text === undefined ? [] : [[attribute, text] as const];
  });
  return ok({ kind: 'set', name: set, texts: { ...Object.fromEntries(texts), name: set } });
}
