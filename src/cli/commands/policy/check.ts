/** `bulkhead check`: reads a policy and reports every mistake in it. */
import type { Command } from 'commander';
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import type { Paths } from '../../../host/paths.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import type { Policy } from '../../../policy/policy.ts';
import type { AgentSettings } from '../../../policy/settings.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../shared/command.ts';
import { policyArgument, policyOption, takingFile } from '../../shared/policy-option.ts';
import {
  printError,
  count,
  pathsFor,
  print,
  printJson,
  showDiagnostics,
} from '../../shared/output.ts';
import { tokenPortRemark } from '../../shared/token-port.ts';
import { capabilitiesOf, policyReaderOf } from '../../capability.ts';
import type { CheckJson } from '../json.ts';

async function check(options: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const { policy, diagnostics, problem } = (await policyReaderOf(command)).load(
    options.policy,
    paths,
  );
  const remarks = policy === undefined ? [] : await remarksOn(command, policy, paths);
  const code = policy === undefined ? exitCodes.failed : exitCodes.done;
  if (options.json === true) {
    const { tenants, resellers } = policy ?? { tenants: [], resellers: [] };
    printJson({
      ok: policy !== undefined,
      ...(problem === undefined ? {} : { problem: formatProblem(problem) }),
      diagnostics,
      remarks,
      tenants: tenants.length,
      resellers: resellers.length,
    } satisfies CheckJson);
    return code;
  }
  if (problem !== undefined) printError(problem);
  showDiagnostics(diagnostics, 'note');
  if (policy === undefined) {
    const errors = diagnostics.filter((each) => each.severity === 'error').length;
    if (errors > 0) printError(`${count(errors, 'error')} in ${options.policy}`);
  } else {
    const sizes = `${count(policy.tenants.length, 'tenant')}, ${count(policy.resellers.length, 'reseller')}`;
    for (const each of remarks) printError(`warning: ${each}`);
    print(`${options.policy} is correct: ${sizes}`);
  }
  return code;
}

async function remarksOn(
  command: Command,
  policy: Policy,
  paths: Paths,
): Promise<readonly string[]> {
  const found: string[] = [];
  const port = await portRemark(policy.agent, paths);
  if (port !== undefined) found.push(port);
  for (const { remarks } of capabilitiesOf(command))
    found.push(...((await remarks?.())?.(paths, policy) ?? []));
  return found;
}

/** Returns a remark about the policy's TCP port. If the policy has none, the agent is not asked. */
async function portRemark(settings: AgentSettings, paths: Paths): Promise<string | undefined> {
  if (tokenPortRemark(settings, undefined, paths.proc) === undefined) return undefined;
  const { briefly, callAgent } = await import('../../../agent/api/client.ts');
  const asked = await callAgent<StatusResponse>(paths, '/v1/status', {}, briefly);
  return tokenPortRemark(settings, asked.ok ? asked.value : undefined, paths.proc);
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, policyArgument);
    command
      .addOption(policyOption())
      .option('--json', 'print the result as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead check', 'check the policy in force'],
          ['bulkhead check new.xml', 'check another file'],
        ),
      )
      .action(run(takingFile(check)));
  },
};
