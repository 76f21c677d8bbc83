/** `GET /v1/tenants/NAME/processes`: the processes running now. */
import type { Driver } from '../../host/driver.ts';
import type { ProcessSet } from '../../host/evidence/evidence-reader.ts';
import type { MemberEntry, MemberIndex } from '../sampling/member-index.ts';
import type { LiveProcess, ProcessesResponse } from '../api/api.ts';
import { maySeeCommands } from '../api/caller.ts';
import { ok } from '../../../packages/base/result.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { type RequestContext } from '../api/request-context.ts';
import { namedEntry } from './members.ts';

const processesMax = 1000;

export async function answerProcesses(
  request: RequestContext,
  name: string,
): Promise<HttpResult<ProcessesResponse>> {
  const { agent, caller } = request;
  const named = namedEntry(request, name);
  if (!named.ok) return named;
  if (agent.driver === undefined) {
    return httpError({ status: 503, action: 'list processes', reason: 'no policy is in force' });
  }
  const entry = named.value;
  const sets = memberProcesses(entry, agent.memberIndex, agent.driver);
  const found = await agent.evidence.read(sets, processesMax);
  const showCommands = maySeeCommands(caller, entry);
  const processes = found.map(({ command, request: served, ...rest }): LiveProcess => ({
    ...rest,
    ...(showCommands ? { command, ...(served && { request: served }) } : {}),
    ...shareOf(rest),
  }));
  return ok({ who: entry.who, at: Date.now(), processes, processCount: countOf(sets) });
}

function shareOf({ cpuSeconds, ageSeconds }: Pick<LiveProcess, 'cpuSeconds' | 'ageSeconds'>) {
  if (cpuSeconds === undefined || ageSeconds === undefined) return {};
  return { cpu: cpuSeconds / Math.max(0.01, ageSeconds) };
}

/**
 * Returns the processes of a member. A reseller has the processes of its tenants; a tenant's
 * include its sites' processes.
 */
export function memberProcesses(
  entry: MemberEntry,
  memberIndex: MemberIndex,
  driver: Driver,
): readonly ProcessSet[] {
  const all = [...memberIndex.entries.values()];
  const tenants =
    entry.who.kind === 'reseller'
      ? all.filter((each) => each.who.kind === 'tenant' && each.resellerUid === entry.who.uid)
      : [entry];
  return tenants.map(({ who, cgroup }) => ({ member: who.member, pids: driver.processes(cgroup) }));
}

export const countOf = (sets: readonly ProcessSet[]) =>
  sets.reduce((sum, { pids }) => sum + pids.length, 0);
