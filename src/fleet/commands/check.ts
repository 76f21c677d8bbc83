/** `bulkhead fleet check`: every mistake in fleet.xml, also in what becomes of it on each host. */
import type { Command } from 'commander';
import { count } from '../../../packages/base/list.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { print, printError, printJson, showDiagnostics } from '../../cli/shared/output.ts';
import type { Diagnostic } from '../../policy/diagnostic.ts';
import { FleetRenderer } from '../../policy/fleet/render.ts';
import type { AlertWords } from '../../policy/settings.ts';
import { checkHosts } from './check-hosts.ts';
import { type DirectoryOptions, withFleetOptions } from './shared-options.ts';
import type { FleetCheckJson } from './json.ts';
import { readFleetText, wordsFor, type ReadFleetText } from './read-fleet.ts';

function check(options: DirectoryOptions, command: Command): ExitCode {
  const read = readFleetText(options.directory);
  if (read === undefined) return exitCodes.failed;
  const checked = checkText(read, wordsFor(command));
  if (options.json === true) printJson(checked);
  else show(checked, read.file);
  return checked.ok ? exitCodes.done : exitCodes.failed;
}

function checkText(
  { fleet, diagnostics: { list } }: ReadFleetText,
  words: AlertWords,
): FleetCheckJson {
  if (fleet === undefined)
    return { ok: false, diagnostics: list, hosts: 0, groups: 0, waves: 0, policies: 0 };
  const { diagnostics, policies } = checkHosts(fleet, new FleetRenderer(fleet), words);
  const all = [...list, ...diagnostics];
  return {
    ok: !all.some(isError),
    diagnostics: all,
    fleet: fleet.name,
    hosts: fleet.hosts.length,
    groups: fleet.groups.length,
    waves: fleet.waves.length,
    policies,
  };
}

const isError = ({ severity }: Diagnostic) => severity === 'error';

function show(checked: FleetCheckJson, file: string): void {
  showDiagnostics(checked.diagnostics, 'note');
  if (checked.ok) return print(`${file} is correct: ${sizes(checked)}`);
  printError(`${count(checked.diagnostics.filter(isError).length, 'error')} in ${file}`);
}

const sizes = ({ hosts, groups, waves, policies }: FleetCheckJson): string =>
  [
    count(hosts, 'host'),
    count(groups, 'group'),
    count(waves, 'wave'),
    count(policies, 'different policy', 'different policies'),
  ].join(', ');

export const command: CommandModule = {
  define(command, run) {
    withFleetOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet check', 'check fleet.xml of this directory'],
          ['bulkhead fleet check -C ~/fleet', 'in another directory'],
        ),
      )
      .action(run(check));
  },
};
