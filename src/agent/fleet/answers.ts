/** `/v1/fleet…`: this host in its fleet. */
import { ok } from '../../../packages/base/result.ts';
import type { FleetAgent } from './fleet-agent.ts';
import { isAdministrator, mayChange } from '../api/caller.ts';
import type { FleetAnswerResponse, FleetOutboxResponse, FleetResponse } from '../api/fleet-api.ts';
import type { FleetHostsResponse } from '../api/fleet-hosts-api.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { bodyOf } from '../api/request-body.ts';
import type { RequestContext } from '../api/request-context.ts';
import { isSystemAccount } from '../api/system-account.ts';

/** The account that may hand over releases. */
const courierAccount = 'bulkhead-fleet';
/** A policy of 16 MiB in base64, and the documents around it. */
const bodyBytesMax = 24 * 2 ** 20;
const recordBytesMax = 64 * 2 ** 10;
const reasonLengthMax = 200;

export const fleetChanges = ['keep', 'back', 'hold', 'resume'] as const;
export type FleetChange = (typeof fleetChanges)[number];

export function answerFleet(request: RequestContext): HttpResult<FleetResponse> {
  if (isAdministrator(request.caller) || isCourier(request))
    return ok(request.agent.fleet?.status() ?? { state: 'none', problems: [] });
  return refused('show the fleet');
}

export async function answerHosts({
  agent,
  caller,
}: RequestContext): Promise<HttpResult<FleetHostsResponse>> {
  if (!isAdministrator(caller)) return refused('show the hosts of the fleet');
  const hosts = await agent.fleet?.hosts();
  return ok(hosts ?? { isCentre: false, count: 0, hosts: [], problems: [] });
}

export function answerOutbox(request: RequestContext): HttpResult<FleetOutboxResponse> {
  const action = 'show what the centre gets';
  if (!isAdministrator(request.caller) && !isCourier(request)) return refused(action);
  const after = request.query.whole('after', 0, Number.MAX_SAFE_INTEGER);
  if (!after.ok) return after;
  return request.agent.fleet?.outbox(request.query.text('epoch'), after.value) ?? none(action);
}

/** `?question=`: what the centre asks. The fleet bounds what can be asked, and how often. */
export function answerQuestion(request: RequestContext): Promise<HttpResult<FleetAnswerResponse>> {
  const action = 'answer the centre';
  if (!isAdministrator(request.caller) && !isCourier(request))
    return Promise.resolve(refused(action));
  const question = request.query.text('question') ?? '';
  return request.agent.fleet?.answer(question) ?? Promise.resolve(none(action));
}

/** `?any-wave=yes`: root wants it now, whatever wave controllers have opened. */
export function answerRelease(request: RequestContext): Promise<HttpResult<FleetResponse>> {
  const isRoot = mayChange(request.caller);
  const isAnyWave = isRoot && request.query.text('any-wave') === 'yes';
  const wait = isRoot || !isCourier(request) ? 0 : (request.agent.fleet?.admitCourier() ?? 0);
  // Before the body, which may be large.
  if (wait > 0) return Promise.resolve(tooMany(wait));
  return handed(request, 'take the release', bodyBytesMax, (fleet, text) =>
    fleet.take(text, { isAnyWave }),
  );
}

export function answerRecord(request: RequestContext): Promise<HttpResult<FleetResponse>> {
  const isRoot = mayChange(request.caller);
  return handed(request, 'take the record', recordBytesMax, (fleet, text) =>
    fleet.follow(text, { isRoot }),
  );
}

/** Gives the agent a document that root, or the courier, has handed over. */
async function handed(
  request: RequestContext,
  action: string,
  bytesMax: number,
  give: (
    fleet: FleetAgent,
    text: string,
  ) => HttpResult<FleetResponse> | Promise<HttpResult<FleetResponse>>,
): Promise<HttpResult<FleetResponse>> {
  if (!mayChange(request.caller) && !isCourier(request)) return refused(action);
  const { fleet } = request.agent;
  if (fleet === undefined) return none(action);
  const body = await bodyOf(request.request, bytesMax);
  if (!body.ok) return body;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body.value);
  } catch {
    return httpError({ status: 400, action, reason: 'it is not UTF-8' });
  }
  return give(fleet, text);
}

export function answerFleetChange(
  request: RequestContext,
  change: FleetChange,
): HttpResult<FleetResponse> {
  const action = `${change} in the fleet`;
  if (!mayChange(request.caller)) return refused(action);
  const { fleet } = request.agent;
  return fleet === undefined ? none(action) : changed(fleet, request, change);
}

function changed(
  fleet: FleetAgent,
  { query }: RequestContext,
  change: FleetChange,
): HttpResult<FleetResponse> {
  const seen = query.text('generation');
  const generation = fleet.status().release?.generation;
  if (seen !== undefined && seen !== `${generation}`) {
    const reason = generation === undefined ? 'none is in force' : `${generation} is in force`;
    const action = `${change} generation ${seen}`;
    return httpError({ status: 409, action, reason, hint: 'look again, then decide' });
  }
  if (change !== 'hold') return fleet[change]();
  const seconds = query.whole('seconds', 0, Number.MAX_SAFE_INTEGER);
  if (!seconds.ok) return seconds;
  return fleet.hold(seconds.value, (query.text('reason') ?? '').slice(0, reasonLengthMax));
}

const isCourier = (request: RequestContext) => isSystemAccount(request, courierAccount);

const tooMany = (wait: number) =>
  httpError({
    status: 429,
    action: 'take the release',
    reason: 'too many were handed over',
    hint: `retry in ${wait} s`,
    retryAfterSeconds: wait,
  });

const refused = (action: string) => httpError({ status: 403, action, reason: 'only root may' });

const none = (action: string) =>
  httpError({ status: 404, action, reason: 'this host is in no fleet' });
