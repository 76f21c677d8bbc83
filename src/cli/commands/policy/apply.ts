/** `bulkhead apply`: applies the policy. */
import type { Command } from 'commander';
import { applyPolicy, policyLock, type Applied } from '../../../apply/apply.ts';
import { recordApplied } from '../../../apply/change-record.ts';
import { applyParts, followParts, planParts } from '../../../apply/parts.ts';
import type { ExecuteOptions } from '../../../host/driver.ts';
import { linuxHost } from '../../../host/host.ts';
import type { Paths } from '../../../host/paths.ts';
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { ok } from '../../../../packages/base/result.ts';
import { underLockAsync } from '../../../sys/files/under-lock.ts';
import { ownTextOf } from '../../../policy/fleet/merged.ts';
import type { Policy } from '../../../policy/policy.ts';
import { formatOperation } from '../../../plan/format.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  wayOf,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../shared/command.ts';
import { missingAccountsOf } from './missing-accounts.ts';
import { planMarks } from './plan.ts';
import { policyArgument, policyOption, takingFile } from '../../shared/policy-option.ts';
import {
  printError,
  count,
  pathsFor,
  loadPolicyOrReport,
  print,
  printJson,
  failWith,
} from '../../shared/session.ts';
import { showProgress } from '../../shared/progress.ts';
import { capabilitiesOf } from '../../capability.ts';
import type { ApplyJson, ProblemJson } from '../json.ts';

interface ApplyOptions extends PolicyOptions, ExecuteOptions {
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

async function apply(options: ApplyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  return paths === undefined ? exitCodes.usage : applyFile(options, command, paths);
}

/** Applies the policy after a command has edited it. */
export function applyAfterEdit(
  file: string,
  command: Command,
  paths: Paths,
  quiet = false,
): Promise<ExitCode> {
  return applyFile({ policy: file, kill: false, force: false, quiet }, command, paths);
}

async function applyFile(options: ApplyOptions, command: Command, paths: Paths): Promise<ExitCode> {
  const done = await underLockAsync(policyLock(paths), async () =>
    ok(await applyLocked(options, command, paths)),
  );
  if (done.ok) return done.value;
  return failWith(done.error);
}

async function applyLocked(
  options: ApplyOptions,
  command: Command,
  paths: Paths,
): Promise<ExitCode> {
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  const capabilities = capabilitiesOf(command);
  const more = await planParts(capabilities, loaded.policy, paths);
  const parts = await applyParts(capabilities, loaded.policy, paths, 'command');
  if (!parts.ok) return failWith(parts.error);
  const progress = showProgress('Applying');
  const applied = applyPolicy(loaded.policy, linuxHost(paths), options, (done, total) =>
    progress.update(done, total),
  );
  progress.done();
  if (!applied.ok) return failWith(applied.error);
  const problems = [...parts.value, ...(await followParts(capabilities, loaded.policy, paths))];
  const all = [...applied.value.failures.map(({ problem }) => problem), ...problems];
  const recorded = recordApplied(paths, {
    file: options.policy,
    text: ownTextOf(loaded.policy),
    way: wayOf(command),
    outcome: all.length === 0 ? 'in force' : 'failed',
    problems: all.map(formatProblem),
    keepMilliseconds: loaded.policy.agent.history.incidentsMilliseconds,
  });
  if (!recorded.ok) printError(recorded.error);
  report({ ...applied.value, more, problems }, loaded.policy, options);
  return applied.value.failures.length + problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

interface Report extends Applied {
  /** Changes other than limits, a line each. */
  readonly more: readonly string[];
  readonly problems: readonly Problem[];
}

function report(
  { driver, operations, failures, more, problems }: Report,
  policy: Policy,
  options: ApplyOptions,
): void {
  if (options.json === true) {
    printJson({
      driver: driver.capabilities.driver,
      operations,
      failures: failures.map(({ problem, operation }) => ({ ...failureOf(problem), operation })),
      more,
      problems: problems.map(failureOf),
      missingAccounts: missingAccountsOf(policy),
    } satisfies ApplyJson);
    return;
  }
  for (const problem of problems) printError(problem);
  for (const { problem } of failures) printError(problem);
  if (options.quiet === true) return;
  if (options.verbose === true) {
    for (const each of operations) print(formatOperation(each, planMarks()));
    for (const line of more) print(planMarks().change(line));
  }
  const failed = failures.length === 0 ? '' : `, ${failures.length} of them failed`;
  const changed = operations.length + more.length;
  const changes = count(changed, 'change');
  const tenants = count(policy.tenants.length, 'tenant');
  print(
    changed === 0
      ? `Nothing to change: the limits of ${tenants} are enforced as the policy requires`
      : `Applied ${changes}${failed}: the limits of ${tenants} are enforced; the driver is ${driver.capabilities.driver}`,
  );
}

const failureOf = (problem: Problem): ProblemJson => ({
  message: formatProblem(problem),
  ...problem,
});

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, policyArgument);
    command
      .addOption(policyOption())
      .option('--kill', 'kill the processes of tenants that are no longer in the policy', false)
      .option('--force', 'lower memory limits even if processes must be killed for it', false)
      .option('-v, --verbose', 'print every operation')
      .option('-q, --quiet', 'print only failures')
      .option('--json', 'print the operations and failures as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead apply', 'apply /etc/bulkhead/policy.xml'],
          ['bulkhead apply ve.cfg', 'apply a CloudLinux configuration as it is'],
        ),
      )
      .action(run(takingFile(apply)));
  },
};
