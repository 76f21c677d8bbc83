/** `bulkhead plan`: the changes that apply would make. */
import type { Command } from 'commander';
import { planPolicy } from '../../../apply/apply.ts';
import { planParts } from '../../../apply/parts.ts';
import { formatPlan, type Marks } from '../../../plan/format.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type PolicyOptions,
} from '../../shared/command.ts';
import { policyArgument, policyOption, takingFile } from '../../shared/policy-option.ts';
import { print, printJson, withPolicy } from '../../shared/session.ts';
import { terminalOf } from '../../shared/terminal.ts';
import { capabilitiesOf } from '../../capability.ts';
import type { PlanJson } from '../json.ts';

export function planMarks(): Marks {
  const { colors } = terminalOf(process.stdout);
  return { add: colors.green, change: colors.yellow, remove: colors.red };
}

function plan(options: PolicyOptions, command: Command) {
  return withPolicy(command, options.policy, async (policy, driver, paths) => {
    const planned = planPolicy(policy, driver);
    const more = await planParts(capabilitiesOf(command), policy, paths);
    if (options.json === true) {
      const { driver: name } = driver.capabilities;
      printJson({ driver: name, ...planned, more } satisfies PlanJson);
      return exitCodes.done;
    }
    // "Nothing to change" must be true of everything.
    if (more.length === 0 || planned.operations.length > 0) print(formatPlan(planned, planMarks()));
    for (const line of more) print(planMarks().change(line));
    const { kept } = driver.capabilities;
    if (kept !== undefined) print(`Note: ${kept}`);
    return exitCodes.done;
  });
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, policyArgument);
    command
      .addOption(policyOption())
      .option('--json', 'print the operations as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead plan', 'the difference between the policy and the kernel'],
          ['bulkhead plan new.xml', 'what another policy would change'],
        ),
      )
      .action(run(takingFile(plan)));
  },
};
