/** `bulkhead verify`: reads every value back from the kernel and reports what has drifted. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { planPolicy, policyLock } from '../../../apply/apply.ts';
import { planParts } from '../../../apply/parts.ts';
import type { DriftReport } from '../../../agent/api/report-api.ts';
import { keepReport } from '../../../host/kept-reports.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Operation } from '../../../plan/operations.ts';
import { underLockAsync } from '../../../sys/files/under-lock.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../shared/command.ts';
import { printError } from '../../shared/output.ts';
import {
  defaultPolicy,
  policyArgument,
  policyOption,
  takingFile,
} from '../../shared/policy-option.ts';
import { count, failWith, pathsFor, print, printJson, withPolicy } from '../../shared/session.ts';
import { terminalOf } from '../../shared/terminal.ts';
import { capabilitiesOf } from '../../capability.ts';
import type { VerifyJson } from '../json.ts';
import { describeDrift, driftLines } from './drift.ts';

interface Drift {
  readonly tenants: number;
  readonly operations: readonly Operation[];
  /** Changes other than limits, a line each. */
  readonly more: readonly string[];
}

async function verify(options: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const found: Drift[] = [];
  const looked = await betweenApplies(paths, () =>
    withPolicy(command, options.policy, async (policy, driver) => {
      const { operations } = planPolicy(policy, driver);
      const more = await planParts(capabilitiesOf(command), policy, paths);
      if (options.policy === defaultPolicy) keepForConsole(paths, operations, more);
      found.push({ tenants: policy.tenants.length, operations, more });
      return exitCodes.done;
    }),
  );
  if (!looked.ok) return failWith(looked.error);
  const [drift] = found;
  // Nobody has to wait for whoever reads what this prints.
  return drift === undefined ? looked.value : report(drift, options);
}

/**
 * Looks while nothing is being applied: values that an apply has not written yet are no drift. Others than root cannot
 * lock, and before the first apply there is nothing to lock.
 */
const betweenApplies = async (
  paths: Paths,
  look: () => Promise<ExitCode>,
): Promise<Result<ExitCode, Problem>> =>
  process.geteuid?.() === 0 && existsSync(paths.runtime)
    ? underLockAsync(policyLock(paths), async () => ok(await look()))
    : ok(await look());

function report({ tenants, operations, more }: Drift, options: PolicyOptions): ExitCode {
  const differences = operations.length + more.length;
  if (options.json === true) printJson({ drift: operations, more } satisfies VerifyJson);
  else if (differences === 0) {
    print(`The kernel matches ${options.policy} for ${count(tenants, 'tenant')}`);
  } else {
    const { colors } = terminalOf(process.stdout);
    const shown = operations.filter((each) => each.kind !== 'reload' || operations.length === 1);
    const lines = [...shown.map(describeDrift), ...more.map((each) => `to do: ${each}`)];
    print(lines.map((each) => colors.yellow(each)).join('\n'));
    print(`\n${count(lines.length, 'difference')}; "bulkhead apply" corrects them`);
  }
  return differences === 0 ? exitCodes.done : exitCodes.found;
}

const keptLinesMax = 20;

/** Keeps what was found of the policy in force, for the console's overview. */
function keepForConsole(
  paths: Paths,
  operations: readonly Operation[],
  more: readonly string[],
): void {
  const lines = [...operations.flatMap(driftLines), ...more.map((each) => `to do: ${each}`)];
  const differences = operations.length + more.length;
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
