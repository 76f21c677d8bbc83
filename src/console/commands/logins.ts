/** `bulkhead console logins`: lists recorded logins. */
import type { Command } from 'commander';
import type { ConsoleLogin, ConsoleLoginsResponse } from '../../agent/api/console-api.ts';
import { responseOrReport, withAgent, type JsonOption } from '../../cli/shared/agent-request.ts';
import { exitCodes, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { dateTime } from '../../cli/shared/format.ts';
import { print, printError, printJson } from '../../cli/shared/output.ts';
import { parsePeriod, withPeriodOptions, type PeriodOptions } from '../../cli/shared/period.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { ConsoleLoginsJson } from './json.ts';

function logins(
  options: PeriodOptions & JsonOption,
  command: Command,
): ExitCode | Promise<ExitCode> {
  const period = parsePeriod(options, Date.now());
  if (!period.ok) {
    printError(period.error);
    return exitCodes.usage;
  }
  const { from, to } = period.value;
  return withAgent(command, async (ask) => {
    const query = { from: `${from}`, to: `${to}`, count: '1000' };
    const response = responseOrReport(
      await ask<ConsoleLoginsResponse>('/v1/console/logins', query),
    );
    if (response === undefined) return exitCodes.failed;
    if (options.json === true) printJson(response satisfies ConsoleLoginsJson);
    else if (response.logins.length === 0) print('No logins were recorded in this period');
    else print(response.logins.map(lineOf).join('\n'));
    return exitCodes.done;
  });
}

/** Returns a line: `2026-11-30 17:20:03  alice (uid 1001), by root, read-only: began, session 9f3a…`. */
function lineOf({ at, kind, session, user, uid, by, readOnly, count }: ConsoleLogin): string {
  const time = dateTime(at);
  if (kind === 'refused') return `${time}  ${count ?? 0} codes or tokens were refused`;
  const facts = [
    `${printable(user ?? 'unknown')} (uid ${uid ?? 'unknown'})`,
    ...(by === undefined || (by === user && kind === 'began') ? [] : [`by ${printable(by)}`]),
    ...(readOnly === true ? ['read-only'] : []),
  ];
  return `${time}  ${facts.join(', ')}: ${kind}, session ${session ?? 'unknown'}`;
}

export const command: CommandModule = {
  define(command, run) {
    withPeriodOptions(command, '1w').option('--json', 'print as JSON').action(run(logins));
  },
};
