/** `bulkhead jail diff TENANT`: compares what the tenant sees with what the host has. */
import type { Command } from 'commander';
import { printable } from '../../../packages/base/printable.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { print, printError, printJson, failWith } from '../../cli/shared/session.ts';
import { terminalOf, wrap } from '../../cli/shared/terminal.ts';
import { comparedDirectories, compareNames, type Difference } from '../core/compare.ts';
import { buildElsewhere } from '../io/build-elsewhere.ts';
import { jailPathsOf } from '../io/jail-paths.ts';
import { readStateFile } from '../io/state-files.ts';
import { findJail, siteOption, type FindOptions } from './find.ts';
import { formatJailState } from './state-text.ts';
import type { JailDiffJson } from './json.ts';

interface DiffOptions extends FindOptions {
  readonly all?: boolean;
}

async function diff(name: string, options: DiffOptions, command: Command): Promise<ExitCode> {
  const action = 'compare the jail of';
  const found = await findJail(name, action, options, command);
  if (typeof found === 'number') return found;
  const { paths, of, key } = found;
  const { uid, site, jail } = of;
  const stateFile = readStateFile(jailPathsOf(paths), key);
  if (stateFile?.state !== 'ready')
    return failWith({
      action,
      object: name,
      reason: formatJailState(stateFile),
      hint: 'run bulkhead apply',
    });
  const directories = [...comparedDirectories, ...jail.paths.map(({ at }) => at)];
  const request = { kind: 'list', instance: paths.instance, key, directories } as const;
  const answer = await buildElsewhere(request);
  const [problem] = answer.ok ? answer.value.problems : [answer.error];
  if (!answer.ok || problem !== undefined) {
    if (problem !== undefined) printError(problem);
    return exitCodes.failed;
  }
  const differences = answer.value.listings
    .filter(({ host, jail: inside }) => host !== undefined || inside !== undefined)
    .map(({ directory, host = [], jail: inside = [] }) =>
      compareNames(directory, host.filter(isName(directory)), inside.filter(isName(directory))),
    );
  if (options.json === true)
    printJson({ uid, site, directories: differences } satisfies JailDiffJson);
  else for (const each of differences) printDifference(each, options.all === true);
  return exitCodes.done;
}

/** Returns which names of a directory are compared: processes in /proc come and go. */
const isName = (directory: string) => (name: string) =>
  directory !== '/proc' || !/^\d+$/.test(name);

const shownMax = 12;

function printDifference({ directory, hidden, added, same }: Difference, all: boolean): void {
  const { colors, columns } = terminalOf(process.stdout);
  print(
    `${colors.bold(directory)}  ${same} the same, ${hidden.length} hidden, ${added.length} only inside`,
  );
  const list = (names: readonly string[], sign: string) => {
    if (names.length === 0) return;
    const shown = all ? names : names.slice(0, shownMax);
    const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : '';
    print(wrap(`  ${sign} ${shown.map(printable).join(' ')}${more}`, columns, '    '));
  };
  list(hidden, '-');
  list(added, '+');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .addOption(siteOption())
      .option('--all', 'print all names')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead jail diff alice', 'names that are hidden (-) or only inside (+)'],
          ['bulkhead jail diff alice --all', 'all of them'],
          ['bulkhead jail diff alice --site shop.example', "a site's jail"],
        ),
      )
      .action(run(diff));
  },
};
