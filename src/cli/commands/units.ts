/** `bulkhead units enable|disable|status`: Bulkhead's systemd services on this host. */
import type { Command } from 'commander';
import type { Problem } from '../../../packages/base/problem.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import {
  agentSocket,
  disableUnits,
  enableUnits,
  isActive,
  ownUnits,
  unitFile,
  writeUnits,
} from '../../host/systemd/own-units.ts';
import { systemctl } from '../../host/systemd/systemctl.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../shared/command.ts';
import { policyOption } from '../shared/policy-option.ts';
import { pathsFor, print, printError, printJson } from '../shared/session.ts';
import { table } from '../shared/terminal.ts';
import { policyReaderOf } from '../capability.ts';
import type { UnitRow, UnitsDisableJson, UnitsStatusJson } from './json.ts';

interface UnitsOptions {
  readonly policy: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

function ready(command: Command): Paths | ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const cannot = { action: 'manage units', object: 'of systemd' };
  if (process.geteuid?.() !== 0)
    return refuse([{ ...cannot, reason: 'only root may', hint: 'run it as root' }]);
  if (paths.instance !== 'bulkhead')
    return refuse([{ ...cannot, reason: 'units are for the instance "bulkhead" only' }]);
  return runsSystemd()
    ? paths
    : refuse([{ ...cannot, reason: 'systemd is not the init of this host' }]);
}

function refuse(problems: readonly Problem[]): ExitCode {
  for (const each of problems) printError(each);
  return exitCodes.failed;
}

/** Returns the units; the socket, which keeps the port, is one of them if the policy has a port. */
async function wantedUnits(
  policy: string,
  command: Command,
  paths: Paths,
): Promise<readonly string[]> {
  const reader = await policyReaderOf(command);
  const listens = reader.load(policy, paths).policy?.agent.listen !== undefined;
  return ownUnits.map(({ name }) => name).filter((name) => listens || name !== agentSocket);
}

async function enable(options: UnitsOptions, command: Command): Promise<ExitCode> {
  const paths = ready(command);
  if (typeof paths === 'number') return paths;
  const names = await wantedUnits(options.policy, command, paths);
  if (options.dryRun === true) {
    const changed = names.filter(
      (each) => !['current', 'packaged'].includes(unitFile(paths, each)),
    );
    print(changed.length === 0 ? 'Nothing would be written' : changed.join('\n'));
    return exitCodes.done;
  }
  const written = writeUnits(paths, names);
  if (!written.ok) return refuse([written.error]);
  const done = await enableUnits(names);
  if (!done.ok) return refuse([done.error]);
  return show(names, paths, options);
}

async function disable(options: UnitsOptions, command: Command): Promise<ExitCode> {
  const paths = ready(command);
  if (typeof paths === 'number') return paths;
  if (options.dryRun === true) {
    const there = ownUnits.filter(({ name }) => unitFile(paths, name) !== 'absent');
    print(there.length === 0 ? 'No unit is installed' : there.map(({ name }) => name).join('\n'));
    return exitCodes.done;
  }
  const done = await disableUnits(paths);
  if (!done.ok) return refuse(done.error);
  if (options.json === true) printJson({ removed: done.value } satisfies UnitsDisableJson);
  else
    print(
      done.value.length === 0
        ? 'No unit of Bulkhead is left'
        : `Stopped and removed: ${done.value.join(', ')}; limits stay in force`,
    );
  return exitCodes.done;
}

async function status(options: UnitsOptions, command: Command): Promise<ExitCode> {
  const paths = ready(command);
  if (typeof paths === 'number') return paths;
  return show(await wantedUnits(options.policy, command, paths), paths, options);
}

async function show(
  names: readonly string[],
  paths: Paths,
  { json }: UnitsOptions,
): Promise<ExitCode> {
  const units: UnitRow[] = [];
  for (const { name, use } of ownUnits.filter((each) => names.includes(each.name))) {
    const file = unitFile(paths, name);
    const enabled = use !== 'called' && (await systemctl('is-enabled', '--quiet', name)).ok;
    const active = !name.includes('@') && (await isActive(name));
    units.push({ name, file, use, enabled, active });
  }
  if (json === true) printJson({ units } satisfies UnitsStatusJson);
  else {
    const rows = units.map(({ name, file, use, enabled, active }) => [
      name,
      file,
      use === 'called' ? 'when needed' : enabled ? 'yes' : 'no',
      active ? 'yes' : 'no',
    ]);
    print(table([['UNIT', 'FILE', 'AT BOOT', 'ACTIVE'], ...rows]));
  }
  const isWanted = ({ file, use, enabled }: UnitRow) =>
    (file === 'current' || file === 'packaged') && (use !== 'enabled' || enabled);
  return units.every(isWanted) ? exitCodes.done : exitCodes.found;
}

export const command: CommandModule = {
  define(noun, run) {
    noun.addHelpText(
      'after',
      examples(
        ['bulkhead units enable', 'the agent, and what runs at boot'],
        ['bulkhead units status', 'exits with 3 if one is missing or old'],
        ['bulkhead units disable', 'stop the agent, and remove the units'],
      ),
    );
    const verb = (name: string, does: string) =>
      noun
        .command(name)
        .description(does)
        .addOption(policyOption())
        .option('--json', 'print as JSON')
        .addHelpText('after', examples([`bulkhead units ${name}`, '']));
    verb('enable', 'install the units, start them, and have them start at boot')
      .option('--dry-run', 'print what would be written; changes nothing')
      .action(run(enable));
    verb('disable', 'stop them and remove what enable has installed')
      .option('--dry-run', 'print what would be removed; changes nothing')
      .action(run(disable));
    verb('status', 'show which are installed, enabled and active').action(run(status));
  },
};
