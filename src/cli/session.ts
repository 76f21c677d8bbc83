/** What most commands begin with: the paths of the instance, the policy, the driver. */
import type { Command } from 'commander';
import { loadPolicy, type Loaded } from '../agent/load.ts';
import type { Driver } from '../host/driver.ts';
import { instancePattern, pathsOf, type Paths } from '../host/paths.ts';
import { probeDriver } from '../host/probe.ts';
import { printDiagnostic, type Diagnostic } from '../policy/diagnostic.ts';
import type { Policy } from '../policy/policy.ts';
import { exitCodes, type ExitCode } from './command.ts';
import { terminalOf } from './terminal.ts';
import { printable, printableJson } from '../units/printable.ts';

export function pathsFor(command: Command): Paths | undefined {
  const { instance } = command.optsWithGlobals<{ instance: string }>();
  if (instancePattern.test(instance)) return pathsOf(instance);
  complain(`"${instance}" cannot name an instance; use small letters, digits and "-"`);
  return undefined;
}

/** One line, whatever names and texts of others are in it. */
export function complain(message: string): void {
  process.stderr.write(`bulkhead: ${printable(message)}\n`);
}

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** `1 tenant`, `2 tenants`. */
export const count = (number: number, noun: string) =>
  `${number} ${noun}${number === 1 ? '' : 's'}`;

export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value, undefined, 2))}\n`);
}

/** As many lines as a person reads; the rest is counted. */
const mostDiagnostics = 200;

export function showDiagnostics(
  diagnostics: readonly Diagnostic[],
  minimum: Diagnostic['severity'] = 'warning',
): void {
  const { colors } = terminalOf(process.stderr);
  const paint = { error: colors.red, warning: colors.yellow, note: colors.dim };
  const shown = diagnostics.filter((each) => minimum === 'note' || each.severity !== 'note');
  for (const each of shown.slice(0, mostDiagnostics)) {
    process.stderr.write(`${paint[each.severity](printDiagnostic(each))}\n`);
  }
  const more = shown.length - mostDiagnostics;
  if (more > 0) process.stderr.write(`… and ${more} more\n`);
}

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
