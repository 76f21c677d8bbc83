/** `bulkhead fleet explain HOST TENANT`: each limit of a tenant on a host, and the line of fleet.xml that sets it. */
import type { Command } from 'commander';
import { formatCause } from '../../../packages/base/problem.ts';
import { findSubject, printExplanation } from '../../cli/commands/policy/explain.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import { explain as explainSubject } from '../../policy/explain.ts';
import { linesOf } from '../../policy/fleet/merged.ts';
import { isUnknownUid, resolveElsewhere } from '../../policy/fleet/plan/resolve-elsewhere.ts';
import { type DirectoryOptions, withFleetOptions } from './shared-options.ts';
import type { FleetExplainJson } from './json.ts';
import { documentOrReport, fleetOrReport } from './read-fleet.ts';

function explain(
  host: string,
  tenant: string,
  options: DirectoryOptions,
  command: Command,
): ExitCode {
  const read = fleetOrReport(options.directory, command);
  const document = read && documentOrReport(read, host, 'explain the policy of');
  if (document === undefined) return exitCodes.failed;
  const policy = resolveElsewhere(document);
  const found = findSubject(policy, tenant);
  if (!found.ok)
    return failWith({
      action: `explain for host ${host} the tenant`,
      object: tenant,
      reason: `it is not ${formatCause(found.error)}`,
      hint: 'a tenant that only the host\'s own policy names is explained there, by "bulkhead explain"',
    });
  const { uid, ...rest } = explainSubject(found.value, policy, linesOf(policy));
  const explained = { host, ...(!isUnknownUid({ uid }) && { uid }), ...rest };
  if (options.json === true) printJson(explained satisfies FleetExplainJson);
  else {
    print(`On ${host}, before what the host's own policy says:`);
    printExplanation(explained);
  }
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    const [host, tenant] = command.registeredArguments;
    if (host !== undefined) host.description = 'a host of the fleet';
    if (tenant !== undefined) tenant.description = 'a tenant that fleet.xml names, or its site';
    withFleetOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet explain web-017 alice', 'in the directory with fleet.xml'],
          ['bulkhead fleet explain web-017 alice/shop.example', 'one of her sites'],
        ),
      )
      .action(run(explain));
  },
};
