/**
 * `set` and `unset` by a tenant for its own sites, or by its reseller: the agent saves and applies the change, if the
 * policy lets them.
 */
import type { Command } from 'commander';
import type { SetLimitsResponse } from '../../../agent/api/api.ts';
import type { Query } from '../../../agent/api/client.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { limitsPath, responseOrReport, usageError, withAgent } from '../../shared/agent-request.ts';
import { exitCodes, type ExitCode } from '../../shared/command.ts';
import type { EditOptions } from '../../shared/edit-policy.ts';
import { print } from '../../shared/session.ts';

export interface OwnChange {
  /** Limits as typed: `cpu=50%`. */
  readonly set: readonly string[];
  readonly unset: readonly string[];
}

export async function changeOwn(
  name: string,
  { set, unset }: OwnChange,
  options: EditOptions,
  command: Command,
): Promise<ExitCode> {
  if (!options.apply) {
    const reason = 'what you set is applied at once';
    return usageError({ action: 'use --no-apply', reason, hint: 'leave it out' });
  }
  return withAgent(command, async (ask) => {
    const query: Query = { set, unset, check: options.dryRun === true };
    const answer = responseOrReport(await ask<SetLimitsResponse>(limitsPath(name), query, 'POST'));
    if (answer === undefined) return exitCodes.failed;
    print(messages[answer.state](`site "${printable(answer.who.name)}"`));
    return exitCodes.done;
  });
}

const messages: Readonly<Record<SetLimitsResponse['state'], (what: string) => string>> = {
  'in force': (what) => `Changed ${what}; it is in force`,
  kept: (what) => `Changed ${what}; it is not in force yet, and will be with the policy`,
  checked: (what) => `Would change ${what}`,
};
