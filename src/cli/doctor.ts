/** `bulkhead doctor`: what this host can hold, what it cannot, why, and what would help. */
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import type { Command } from 'commander';
import { diskName } from '../host/file-systems.ts';
import { probeDriver } from '../host/probe.ts';
import type { Level, Support } from '../limits/limit.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from './command.ts';
import { complain, pathsFor, print, printJson } from './session.ts';
import { table, terminalOf } from './terminal.ts';

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
  const { colors } = terminalOf(process.stdout);
  print(`Kernel   ${release()}`);
  print(`Driver   ${capabilities.driver}: ${capabilities.reason}`);
  const disks = capabilities.devices.map((each) => `${diskName(each, paths)} (${each})`);
  print(`Disks    ${disks.length === 0 ? 'none that can be throttled' : disks.join(', ')}\n`);
  const paint = { full: colors.green, partial: colors.yellow, none: colors.red };
  const rows = [...capabilities.limits].map(([key, support]) => [
    key.replace('.', ' '),
    paint[support.level](support.level),
    explanation(support),
  ]);
  print(table([['LIMIT', 'HELD', 'WHY NOT MORE'].map(colors.dim), ...rows]));
  const notes = [
    ...capabilities.remarks,
    ...missing.map(
      (each) => `${each} is missing: "bulkhead exec" needs it; install util-linux and libc-bin`,
    ),
  ];
  if (notes.length > 0) print(`\n${notes.map((each) => `Note: ${each}`).join('\n')}`);
  print(`\n${summary([...capabilities.limits.values()].map((each) => each.level))}`);
  return exitCodes.done;
}

function explanation({ reason, help }: Support): string {
  if (reason === undefined) return '';
  return help === undefined ? reason : `${reason}. Would help: ${help}`;
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
