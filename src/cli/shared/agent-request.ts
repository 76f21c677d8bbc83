/** Shared parts of the commands that ask the agent: the request, and its failure. */
import type { Command } from 'commander';
import {
  answerMilliseconds,
  callAgent,
  type AgentFailure,
  type Query,
} from '../../agent/api/client.ts';
import type { Paths } from '../../host/paths.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { exitCodes, type ExitCode } from './command.ts';
import { printable } from '../../../packages/base/printable.ts';
import { pathsFor, printError, sayItWaits } from './output.ts';

export interface JsonOption {
  readonly json?: boolean;
}

/** Sends one request to the agent of this instance. */
export type AgentRequest = <Response>(
  path: string,
  query?: Query,
  method?: 'GET' | 'POST',
  waitMilliseconds?: number,
) => Promise<Result<Response, AgentFailure>>;

/**
 * Returns the request function. Only the first request prints that it waits: later ones come from a screen that is
 * already open. With `--json` none does.
 */
export function agentRequest(paths: Paths, { json }: JsonOption = {}): AgentRequest {
  let first = json !== true;
  return (path, query, method = 'GET', waitMilliseconds = answerMilliseconds) => {
    const options = { method, waitMilliseconds, ...(first ? { onSlow: sayItWaits } : {}) };
    first = false;
    return callAgent(paths, path, query, options);
  };
}

/** Runs `action` with a client of the agent, unless the command line is wrong, which is printed. */
export async function withAgent(
  command: Command,
  action: (ask: AgentRequest, paths: Paths) => Promise<ExitCode>,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  return paths === undefined ? exitCodes.usage : action(agentRequest(paths), paths);
}

/** Returns the response, or undefined after its problem has been printed. */
export function responseOrReport<Response>(
  response: Result<Response, Problem>,
): Response | undefined {
  if (response.ok) return response.value;
  printError(printable(formatProblem(response.error)));
  return undefined;
}

export function usageError(problem: Problem): ExitCode {
  printError(printable(formatProblem(problem)));
  return exitCodes.usage;
}

const tenantPath = (tenant: string) => `/v1/tenants/${encodeURIComponent(tenant)}`;
export const processesPath = (tenant: string) => `${tenantPath(tenant)}/processes`;
export const appsPath = (tenant: string) => `${tenantPath(tenant)}/apps`;
export const limitsPath = (tenant: string) => `${tenantPath(tenant)}/limits`;

/** Returns the caller's uid; undefined for root, which is not a tenant. */
export const ownUid = () => (process.getuid?.() === 0 ? undefined : String(process.getuid?.()));
