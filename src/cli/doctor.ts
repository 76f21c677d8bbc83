/** `bulkhead doctor`: what this host can hold, what it cannot, why, and what would help. */
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import type { Command } from 'commander';
import { diskName } from '../host/file-systems.ts';
import { probeDriver } from '../host/probe.ts';
import type { Level, LimitKey, Support } from '../limits/limit.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from './command.ts';
import { complain, pathsFor, print, printJson } from './session.ts';
import { terminalOf, wrap } from './terminal.ts';

/** Everything stands in one column behind the words at the left. */
const indent = ' '.repeat(9);

/** What the launcher calls; both are part of every Debian. */
const tools = ['/usr/bin/setpriv', '/usr/bin/getent'];

function doctor(options: { readonly json?: boolean }, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const driver = probeDriver(paths);
  if (!driver.ok) {
    if (options.json === true) printJson({ kernel: release(), problem: driver.error });
    else complain(driver.error);
    return exitCodes.failed;
  }
  const { capabilities } = driver.value;
  const missing = tools.filter(
    (each) => !existsSync(each) && !existsSync(each.replace('/usr', '')),
  );
  if (options.json === true) {
    const { driver: name, reason, devices, remarks } = capabilities;
    printJson({
      kernel: release(),
      driver: name,
      reason,
      devices,
      remarks,
      missing,
      limits: Object.fromEntries(capabilities.limits),
    });
    return exitCodes.done;
  }
  const { columns } = terminalOf(process.stdout);
  print(wrap(`Kernel   ${release()}`, columns, indent));
  print(wrap(`Driver   ${capabilities.driver}: ${capabilities.reason}`, columns, indent));
  const disks = capabilities.devices.map((each) => `${diskName(each, paths)} (${each})`);
  const shown = disks.length === 0 ? 'none that can be throttled' : disks.join(', ');
  print(`${wrap(`Disks    ${shown}`, columns, indent)}\n`);
  for (const group of alike(capabilities.limits)) printGroup(group);
  const notes = [
    ...capabilities.remarks,
    ...missing.map(
      (each) => `${each} is missing: "bulkhead exec" needs it; install util-linux and libc-bin`,
    ),
  ];
  for (const note of notes) print(wrap(`Note: ${note}`, columns, '      '));
  print(`\n${summary([...capabilities.limits.values()].map((each) => each.level))}`);
  return exitCodes.done;
}

interface Group {
  readonly support: Support;
  readonly names: readonly string[];
}

const order: readonly Level[] = ['full', 'partial', 'none'];

/** Limits that are held alike, for the same reason, are said together; the best first. */
function alike(limits: ReadonlyMap<LimitKey, Support>): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const [key, support] of limits) {
    const id = JSON.stringify(support);
    const names = [...(groups.get(id)?.names ?? []), key.replace('.', ' ')];
    groups.set(id, { support, names });
  }
  return [...groups.values()].toSorted(
    (a, b) => order.indexOf(a.support.level) - order.indexOf(b.support.level),
  );
}

function printGroup({ support, names }: Group): void {
  const { colors, columns } = terminalOf(process.stdout);
  const paint = { full: colors.green, partial: colors.yellow, none: colors.red };
  const { level, reason, help } = support;
  const head = wrap(`${level.padEnd(indent.length)}${names.join(', ')}`, columns, indent);
  print(paint[level](level) + head.slice(level.length));
  if (reason !== undefined) print(wrap(`${indent}because ${reason}`, columns, `${indent}  `));
  if (help !== undefined) print(wrap(`${indent}would help: ${help}`, columns, `${indent}  `));
  print('');
}

function summary(levels: readonly Level[]): string {
  const count = (level: Level) => levels.filter((each) => each === level).length;
  return `${count('full')} limits are held in full, ${count('partial')} in part, ${count('none')} not at all`;
}

export const command: CommandModule = {
  define(program, run) {
    program
      .command('doctor')
      .description(
        'show what this host can hold, what it cannot, and what would help; changes nothing',
      )
      .option('--json', 'print it as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead doctor', ''], ['bulkhead doctor --json', 'for a program']),
      )
      .action(run(doctor));
  },
};
