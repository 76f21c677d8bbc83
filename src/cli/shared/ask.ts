/** What the commands for looking begin and end with: a question to the agent. */
import type { Command } from 'commander';
import { callAgent, type Query } from '../../agent/api/client.ts';
import type { Paths } from '../../host/paths.ts';
import type { Result } from '../../base/result.ts';
import { exitCodes, type ExitCode } from './command.ts';
import { printError, pathsFor } from './session.ts';
import { harmless } from './width.ts';

export interface JsonOption {
  readonly json?: boolean;
}

/** Asks one question of the agent of this instance. */
export type Ask = <CommandResult>(path: string, query?: Query) => Promise<Result<CommandResult>>;

export const asker =
  (paths: Paths): Ask =>
  (path, query) =>
    callAgent(paths, path, query);

/** Runs `action` with what asks the agent; a wrong command line has been complained about. */
export async function withAgent(
  command: Command,
  action: (ask: Ask, paths: Paths) => Promise<ExitCode>,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  return paths === undefined ? exitCodes.usage : action(asker(paths), paths);
}

/** The answer, or nothing after its problem has been shown. */
export function responseOrReport<CommandResult>(
  answer: Result<CommandResult>,
): CommandResult | undefined {
  if (answer.ok) return answer.value;
  printError(harmless(answer.error));
  return undefined;
}

export function usageError(message: string): ExitCode {
  printError(harmless(message));
  return exitCodes.usage;
}

const tenantPath = (tenant: string) => `/v1/tenants/${encodeURIComponent(tenant)}`;
export const processesPath = (tenant: string) => `${tenantPath(tenant)}/processes`;
