/** `bulkhead verify`: reads every value back from the kernel and reports what has drifted. */
import type { Command } from 'commander';
import { planPolicy } from '../../../apply/apply.ts';
import { planParts } from '../../../apply/parts.ts';
import type { DriftReport } from '../../../agent/api/report-api.ts';
import { keepReport } from '../../../host/kept-reports.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Operation } from '../../../plan/operations.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type PolicyOptions,
} from '../../shared/command.ts';
import { printError } from '../../shared/output.ts';
import {
  defaultPolicy,
  policyArgument,
  policyOption,
  takingFile,
} from '../../shared/policy-option.ts';
import { count, print, printJson, withPolicy } from '../../shared/session.ts';
import { terminalOf } from '../../shared/terminal.ts';
import { capabilitiesOf } from '../../capability.ts';
import type { VerifyJson } from '../json.ts';
import { describeDrift, driftLines } from './drift.ts';

function verify(options: PolicyOptions, command: Command) {
  return withPolicy(command, options.policy, async (policy, driver, paths) => {
    const { operations } = planPolicy(policy, driver);
    const more = await planParts(capabilitiesOf(command), policy, paths);
    const differences = operations.length + more.length;
    if (options.policy === defaultPolicy) keepForConsole(paths, differences, operations, more);
    if (options.json === true) printJson({ drift: operations, more } satisfies VerifyJson);
    else if (differences === 0) {
      print(`The kernel matches ${options.policy} for ${count(policy.tenants.length, 'tenant')}`);
    } else {
      const { colors } = terminalOf(process.stdout);
      const shown = operations.filter((each) => each.kind !== 'reload' || operations.length === 1);
      const lines = [...shown.map(describeDrift), ...more.map((each) => `to do: ${each}`)];
      print(lines.map((each) => colors.yellow(each)).join('\n'));
      print(`\n${count(lines.length, 'difference')}; "bulkhead apply" corrects them`);
    }
    return differences === 0 ? exitCodes.done : exitCodes.found;
  });
}

const keptLinesMax = 20;

/** Keeps what was found of the policy in force, for the console's overview. */
function keepForConsole(
  paths: Paths,
  differences: number,
  operations: readonly Operation[],
  more: readonly string[],
): void {
  const lines = [...operations.flatMap(driftLines), ...more.map((each) => `to do: ${each}`)];
  const report: DriftReport = { differences, lines: lines.slice(0, keptLinesMax) };
  const kept = keepReport(paths, 'verify', report);
  if (!kept.ok) printError(kept.error);
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, policyArgument);
    command
      .addOption(policyOption())
      .option('--json', 'print the differences as JSON')
      .addHelpText('after', examples(['bulkhead verify', 'check that the policy is in force']))
      .action(run(takingFile(verify)));
  },
};
