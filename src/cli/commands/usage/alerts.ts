/** `bulkhead alerts test`: sends a test message through each rule of the policy. */
import { docPage } from '../../../sys/package-files.ts';
import type { Command } from 'commander';
import type { AlertsTestResponse } from '../../../agent/api/api.ts';
import { callAgent } from '../../../agent/api/client.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import { pathsFor, print, printJson, sayItWaits, failWith } from '../../shared/session.ts';
import { printable } from '../../../../packages/base/printable.ts';
import type { AlertsTestJson } from '../json.ts';

async function testAlerts(options: { json?: boolean }, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const answer = await callAgent<AlertsTestResponse>(
    paths,
    '/v1/alerts/test',
    {},
    {
      method: 'POST',
      onSlow: sayItWaits,
    },
  );
  if (!answer.ok) return failWith(answer.error);
  const { results } = answer.value;
  if (options.json === true) printJson(answer.value satisfies AlertsTestJson);
  else if (results.length === 0) {
    print(`The policy has no <alerts>, so no alerts are sent; see ${docPage('alerts')}`);
  }
  if (options.json !== true) {
    for (const { to, ok, problem } of results) {
      print(
        `${ok ? 'sent' : 'FAILED'}  ${printable(to)}${problem === undefined ? '' : `: ${printable(problem)}`}`,
      );
    }
  }
  return results.every((each) => each.ok) ? exitCodes.done : exitCodes.failed;
}

export const command: CommandModule = {
  define(alerts, run) {
    alerts.addHelpText('after', examples(['bulkhead alerts test', 'to every receiver of alerts']));
    alerts
      .command('test')
      .description('send a test message through each rule of the policy and show the results')
      .option('--json', 'print as JSON')
      .addHelpText('after', examples(['bulkhead alerts test', 'to every receiver of alerts']))
      .action(run(testAlerts));
  },
};
