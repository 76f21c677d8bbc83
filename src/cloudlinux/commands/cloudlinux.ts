/**
 * `bulkhead cloudlinux`: installs CloudLinux's commands on this host, for panels that call them.
 */
import type { Command } from 'commander';
import { isAbsolute, resolve } from 'node:path';
import { packageFile } from '../../sys/package-files.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import {
  installLve,
  lveStatus,
  uninstallLve,
  wrapped,
  type LveStatus,
  type WrapperDestination,
  type WrapperState,
} from '../io/wrappers.ts';
import { printError, pathsFor, print, printJson } from '../../cli/shared/session.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { CloudlinuxStatusJson } from './json.ts';

interface LveOptions {
  readonly prefix: string;
  readonly json?: boolean;
}

const program = packageFile('bulkhead');

function settingOf({ prefix }: LveOptions, command: Command): WrapperDestination | undefined {
  const paths = pathsFor(command);
  if (paths === undefined) return undefined;
  if (prefix === '' || isAbsolute(prefix)) {
    return { paths, prefix: resolve('/', prefix).replace(/\/$/, ''), program };
  }
  printError(`"${printable(prefix)}" is not a directory for --prefix; give an absolute path`);
  return undefined;
}

function enable(options: LveOptions, command: Command): ExitCode {
  const setting = settingOf(options, command);
  if (setting === undefined) return exitCodes.usage;
  const problems = installLve(setting);
  if (problems.length > 0) return refuse(problems);
  print(
    `Installed ${wrapped.join(', ')} in ${setting.prefix}/usr/sbin; the agent writes ${setting.prefix}/var/lve/info once it is started again: systemctl restart bulkhead`,
  );
  return exitCodes.done;
}

function disable(options: LveOptions, command: Command): ExitCode {
  const setting = settingOf(options, command);
  if (setting === undefined) return exitCodes.usage;
  const problems = uninstallLve(setting);
  if (problems.length > 0) return refuse(problems);
  print("Removed CloudLinux's commands and /var/lve/info as far as they were Bulkhead's");
  return exitCodes.done;
}

function refuse(problems: readonly Problem[]): ExitCode {
  for (const problem of problems) printError(formatProblem(problem));
  return exitCodes.failed;
}

function status(options: LveOptions, command: Command): ExitCode {
  const setting = settingOf(options, command);
  if (setting === undefined) return exitCodes.usage;
  const found = lveStatus(setting);
  if (options.json === true) printJson(found satisfies CloudlinuxStatusJson);
  else print(statusText(found));
  return exitCodes.done;
}

const stateTexts: Readonly<Record<WrapperState, string>> = {
  absent: 'not installed',
  ours: 'calls Bulkhead',
  foreign: "not Bulkhead's",
};

function statusText({ cloudLinux, commands, infoDirectory, infoWritten }: LveStatus): string {
  const lines = commands.map(({ path, is }) => `${printable(path)}: ${stateTexts[is]}`);
  const info =
    infoDirectory === undefined
      ? 'The agent does not write /var/lve/info'
      : `${printable(infoDirectory)}/info: ${infoWritten ? 'written by the agent' : 'not written by the agent yet'}`;
  const here =
    cloudLinux === undefined
      ? []
      : [`CloudLinux is installed on this host: ${printable(cloudLinux)} exists`];
  return [...lines, info, ...here].join('\n');
}

export const command: CommandModule = {
  define(noun, run) {
    noun.addHelpText(
      'after',
      examples(
        ['bulkhead cloudlinux enable', ''],
        ['bulkhead cloudlinux status --json', ''],
        ['bulkhead cloudlinux disable', ''],
      ),
    );
    const verb = (name: string, does: string) =>
      noun
        .command(name)
        .description(does)
        .option('--prefix <directory>', 'prepend this to every path', '')
        .addHelpText('after', examples([`bulkhead cloudlinux ${name}`, '']));
    verb(
      'enable',
      'install the commands in /usr/sbin, and have the agent write /var/lve/info',
    ).action(run(enable));
    verb('disable', 'remove what enable created').action(run(disable));
    verb('status', 'show what is installed')
      .option('--json', 'print it as JSON')
      .action(run(status));
  },
};
