/** `GET /v1/protection` and `GET /v1/modules`: what protects the host besides limits, for root. */
import { formatProblem } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import { readReport, type ReportName } from '../../host/kept-reports.ts';
import { isAdministrator } from '../api/caller.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type {
  KeptReport,
  LadderReport,
  ModulesReport,
  ModulesResponse,
  ProofReport,
  ProtectionResponse,
} from './protection-response.ts';
import type { RequestContext } from '../api/request-context.ts';

export function answerProtection(request: RequestContext): HttpResult<ProtectionResponse> {
  const { agent, caller } = request;
  if (!isAdministrator(caller)) return onlyRoot('show what protects the host');
  const problems: string[] = [];
  const ladder = kept<LadderReport>(agent.state, 'setup-status', problems);
  const proof = kept<ProofReport>(agent.state, 'prove', problems);
  const entriesCountedSince = agent.entriesCountedSince();
  return ok({
    guards: agent.protections(),
    ...(entriesCountedSince !== undefined && { entriesCountedSince }),
    ...(ladder !== undefined && { ladder }),
    ...(proof !== undefined && { proof }),
    problems,
  });
}

export function answerModules({ agent, caller }: RequestContext): HttpResult<ModulesResponse> {
  if (!isAdministrator(caller)) return onlyRoot('show kernel modules');
  const problems: string[] = [];
  const scan = kept<ModulesReport>(agent.state, 'modules-scan', problems);
  return ok({ ...(scan !== undefined && { scan }), problems });
}

const onlyRoot = (action: string) =>
  httpError({ status: 403, action, reason: 'only root may see the state of the host' });

/** Returns what a command of this version kept, with the types that it has kept it by. */
function kept<Report>(
  state: string,
  name: ReportName,
  problems: string[],
): KeptReport<Report> | undefined {
  const read = readReport(state, name);
  if (!read.ok) {
    problems.push(formatProblem(read.error));
    return undefined;
  }
  return read.value as KeptReport<Report> | undefined;
}
