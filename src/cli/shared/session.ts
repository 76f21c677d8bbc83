/** The first steps of commands: the paths of the instance, the policy, the driver. Output is in output.ts. */
import type { Command } from 'commander';
import type { Loaded } from '../../apply/load-policy.ts';
import type { Driver } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import type { Policy } from '../../policy/policy.ts';
import { policyReaderOf } from '../capability.ts';
import { exitCodes, type CommandResult, type ExitCode } from './command.ts';
import {
  failWith,
  printError,
  sayItWaits,
  count,
  pathsFor,
  print,
  printJson,
  showDiagnostics,
} from './output.ts';

export { failWith, printError, sayItWaits, count, pathsFor, print, printJson, showDiagnostics };

/** Loads the policy; undefined after its errors have been printed. */
export async function loadPolicyOrReport(
  command: Command,
  file: string,
  paths: Paths,
): Promise<(Loaded & { policy: Policy }) | undefined> {
  const loaded = (await policyReaderOf(command)).load(file, paths);
  if (loaded.problem !== undefined) printError(loaded.problem);
  showDiagnostics(loaded.diagnostics);
  if (loaded.policy !== undefined) return { ...loaded, policy: loaded.policy };
  const errors = loaded.diagnostics.filter((each) => each.severity === 'error').length;
  if (errors > 0) printError(`${count(errors, 'error')} in ${file}; nothing was changed`);
  return undefined;
}

function driverOrReport(paths: Paths, policy?: Policy): Driver | undefined {
  const driver = probeDriver(paths, policy?.driver);
  if (driver.ok) return driver.value;
  printError(driver.error);
  return undefined;
}

/** Runs an action that needs all three; if one is missing, prints the reason. */
export async function withPolicy(
  command: Command,
  file: string,
  action: (policy: Policy, driver: Driver, paths: Paths) => CommandResult,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = await loadPolicyOrReport(command, file, paths);
  if (loaded === undefined) return exitCodes.failed;
  const driver = driverOrReport(paths, loaded.policy);
  if (driver === undefined) return exitCodes.failed;
  return action(loaded.policy, driver, paths);
}
