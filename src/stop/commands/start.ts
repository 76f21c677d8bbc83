/** `bulkhead start TENANT`: lets a tenant that was stopped run again. */
import type { Command } from 'commander';
import { printable } from '../../../packages/base/printable.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { print, printError } from '../../cli/shared/session.ts';
import { stopText } from '../../host/stops.ts';
import { tenantCgroup } from '../../plan/wanted.ts';
import { setFrozen } from '../io/kill-tenant.ts';
import { startTenant } from '../io/stop-tenant.ts';
import { subjectOf } from './tenant.ts';

async function start(name: string, options: PolicyOptions, command: Command): Promise<ExitCode> {
  const subject = await subjectOf(command, name, options.policy);
  if (typeof subject === 'number') return subject;
  const { tenant, driver, paths } = subject;
  const { stop, problems } = await startTenant(paths, tenant.uid, () =>
    setFrozen(driver, tenantCgroup(tenant), false),
  );
  for (const problem of problems) printError(problem);
  if (stop === undefined) print(`${subject.name} is not stopped`);
  else print(`${subject.name} may run again; it was ${printable(stopText(stop))}`);
  return problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .addHelpText('after', examples(['bulkhead start erin', 'after "bulkhead stop erin"']))
      .action(run(start));
  },
};
