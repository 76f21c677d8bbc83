/** `/v1/fleet…`: this host in its fleet. */
import { ok } from '../../../packages/base/result.ts';
import type { FleetAgent } from './fleet-agent.ts';
import { isAdministrator, mayChange } from '../api/caller.ts';
import type { FleetOutboxResponse, FleetResponse } from '../api/fleet-api.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { bodyOf } from '../api/request-body.ts';
import type { RequestContext } from '../api/request-context.ts';

/** The account that may hand over releases. */
const courierAccount = 'bulkhead-fleet';
/** A policy of 16 MiB in base64, and the documents around it. */
const bodyBytesMax = 24 * 2 ** 20;
const reasonLengthMax = 200;

export const fleetChanges = ['keep', 'back', 'hold', 'resume'] as const;
export type FleetChange = (typeof fleetChanges)[number];

export function answerFleet(request: RequestContext): HttpResult<FleetResponse> {
  if (isAdministrator(request.caller) || isCourier(request))
    return ok(request.agent.fleet?.status() ?? { state: 'none', problems: [] });
  return refused('show the fleet');
}

export function answerOutbox(request: RequestContext): HttpResult<FleetOutboxResponse> {
  const action = 'show what the centre gets';
  if (!isAdministrator(request.caller) && !isCourier(request)) return refused(action);
  const after = request.query.whole('after', 0, Number.MAX_SAFE_INTEGER);
  if (!after.ok) return after;
  return request.agent.fleet?.outbox(request.query.text('epoch'), after.value) ?? none(action);
}

export async function answerRelease(request: RequestContext): Promise<HttpResult<FleetResponse>> {
  const action = 'take the release';
  const isRoot = mayChange(request.caller);
  if (!isRoot && !isCourier(request)) return refused(action);
  const { fleet } = request.agent;
  if (fleet === undefined) return none(action);
  const body = await bodyOf(request.request, bodyBytesMax);
  if (!body.ok) return body;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body.value);
    return await fleet.take(text, isRoot);
  } catch {
    return httpError({ status: 400, action, reason: 'it is not UTF-8' });
  }
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
  if (change !== 'hold') return fleet[change]();
  const seconds = query.whole('seconds', 0, Number.MAX_SAFE_INTEGER);
  if (!seconds.ok) return seconds;
  return fleet.hold(seconds.value, (query.text('reason') ?? '').slice(0, reasonLengthMax));
}

/** Whether it is a process of the account, which is one of the system, outside jails and without a session of the console. */
function isCourier({ caller, agent }: RequestContext): boolean {
  if (caller.kind !== 'uid' || caller.uid === 0) return false;
  return agent.console.systemAccountOf(caller.uid) === courierAccount;
}

const refused = (action: string) => httpError({ status: 403, action, reason: 'only root may' });

const none = (action: string) =>
  httpError({ status: 404, action, reason: 'this host is in no fleet' });
