/** `bulkhead verify`: reads every value back from the kernel and reports what has drifted. */
import type { Command } from 'commander';
import { planPolicy } from '../../../apply/apply.ts';
import { planParts } from '../../../apply/parts.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type PolicyOptions,
} from '../../shared/command.ts';
import { policyArgument, policyOption, takingFile } from '../../shared/policy-option.ts';
import { count, print, printJson, withPolicy } from '../../shared/session.ts';
import { terminalOf } from '../../shared/terminal.ts';
import { capabilitiesOf } from '../../capability.ts';
import type { VerifyJson } from '../json.ts';
import { describeDrift } from './drift.ts';

function verify(options: PolicyOptions, command: Command) {
  return withPolicy(command, options.policy, async (policy, driver, paths) => {
    const { operations } = planPolicy(policy, driver);
    const more = await planParts(capabilitiesOf(command), policy, paths);
    const differences = operations.length + more.length;
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
