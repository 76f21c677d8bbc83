/** `bulkhead digest set`: a customer or reseller chooses when its own digest reports something, and how often it comes. */
import type { Command } from 'commander';
import type { DigestResponse } from '../../agent/api/api.ts';
import { responseOrReport, withAgent, type JsonOption } from '../../cli/shared/agent-request.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import type { DigestSetJson } from './json.ts';

interface SetOptions extends JsonOption {
  readonly use?: string;
  readonly every?: string;
}

const set = ({ use, every, json }: SetOptions, command: Command): Promise<ExitCode> =>
  withAgent(command, async (ask) => {
    const changes = { ...(use !== undefined && { use }), ...(every !== undefined && { every }) };
    const method = Object.keys(changes).length === 0 ? 'GET' : 'POST';
    const response = responseOrReport(await ask<DigestResponse>('/v1/digest', changes, method));
    if (response === undefined) return exitCodes.failed;
    if (json === true) printJson(response satisfies DigestSetJson);
    else print(digestText(response));
    return exitCodes.done;
  });

/** Returns what the caller gets now, a line for each digest. */
export function digestText({ use, every, digests }: DigestResponse): string {
  if (digests.length === 0) return 'You get no digest: the policy has none for you';
  const lines = digests.map((each) => {
    const whose = each.to === 'reseller' ? 'Digest of your customers' : 'Digest';
    const mayChoose = each.useMin !== null;
    if (mayChoose && every === 'off') return `${whose}: off`;
    const often = (mayChoose ? every : null) ?? each.every;
    const share = each.useMin === null || use === null ? each.use : largerOf(use, each.useMin);
    const choice = mayChoose ? `you may set ${each.useMin} to 100%` : 'you cannot change it';
    return `${whose}: every ${often}, reports use of ${share} of a limit or more; ${choice}`;
  });
  return lines.join('\n');
}

/** Returns the larger one of two percentages: a choice never goes below what the policy allows. */
const largerOf = (a: string, b: string) => (Number.parseFloat(a) < Number.parseFloat(b) ? b : a);

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--use <percent>', 'report use of this share of a limit or more: 90%; or default')
      .option('--every <time>', 'week, off, or default')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead digest set', 'as a customer: what you get now'],
          ['bulkhead digest set --use 90% --every week', 'later, and at most once a week'],
          ['bulkhead digest set --every off', ''],
        ),
      )
      .action(run(set));
  },
};
