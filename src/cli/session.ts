/** What commands begin with: the paths of the instance, the policy, the driver. What they say is in output.ts. */
import type { Command } from 'commander';
import { loadPolicy, type Loaded } from '../agent/load.ts';
import type { Driver } from '../host/driver.ts';
import type { Paths } from '../host/paths.ts';
import { probeDriver } from '../host/probe.ts';
import type { Policy } from '../policy/policy.ts';
import { exitCodes, type ExitCode } from './command.ts';
import { complain, count, pathsFor, print, printJson, showDiagnostics } from './output.ts';

export { complain, count, pathsFor, print, printJson, showDiagnostics };

/** The policy, or nothing after its errors have been shown. */
export function policyOrComplain(
  file: string,
  paths: Paths,
): (Loaded & { policy: Policy }) | undefined {
  const loaded = loadPolicy(file, paths);
  if (loaded.problem !== undefined) complain(loaded.problem);
  showDiagnostics(loaded.diagnostics);
  if (loaded.policy !== undefined) return { ...loaded, policy: loaded.policy };
  const errors = loaded.diagnostics.filter((each) => each.severity === 'error').length;
  if (errors > 0)
    complain(`${errors} ${errors === 1 ? 'error' : 'errors'} in ${file}; nothing was changed`);
  return undefined;
}

export function driverOrComplain(paths: Paths, policy?: Policy): Driver | undefined {
  const driver = probeDriver(paths, policy?.driver);
  if (driver.ok) return driver.value;
  complain(driver.error);
  return undefined;
}

/** For actions that need all three; any that is missing has been complained about. */
export function withPolicy(
  command: Command,
  file: string,
  action: (policy: Policy, driver: Driver, paths: Paths) => ExitCode,
): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = policyOrComplain(file, paths);
  if (loaded === undefined) return exitCodes.failed;
  const driver = driverOrComplain(paths, loaded.policy);
  if (driver === undefined) return exitCodes.failed;
  return action(loaded.policy, driver, paths);
}
