/** `bulkhead modules gate sync [RELEASE…]`: makes the lists again, or loads a saved one. */
import type { Command } from 'commander';
import { formatGateList } from '../../core/gate/list-text.ts';
import { GateLists } from '../../io/gate/gate-lists.ts';
import { syncGate } from '../../io/gate/kernel-gate.ts';
import { plainRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson, failWith } from '../../../cli/shared/output.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { requireOption, type DemandOptions } from '../setup.ts';
import { loadSaved } from './load-saved.ts';
import { makeList, type MadeList } from './make-list.ts';
import type { ModulesGateSyncJson } from '../json.ts';

interface SyncOptions extends DemandOptions {
  readonly saved?: boolean;
  readonly json?: boolean;
}

async function sync(
  releases: readonly string[],
  options: SyncOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const wrong = releases.find((each) => !plainRelease(each));
  if (wrong !== undefined) {
    printError(
      `"${printable(wrong)}" is not the release of a kernel, such as 6.12.118+deb13-amd64`,
    );
    return exitCodes.usage;
  }
  const lists = new GateLists(paths);
  if (options.saved === true) {
    if (releases.length === 0) return loadSaved(paths, lists);
    printError('--saved takes no release: it loads the list of the running kernel');
    return exitCodes.usage;
  }
  const made: MadeList[] = [];
  for (const release of releases.length > 0 ? releases : [undefined]) {
    const one = await makeList(release, options, command, lists);
    if (typeof one === 'number') return one;
    made.push(one);
  }
  for (const { list } of made) {
    const written = lists.write(list);
    if (written.ok) continue;
    return failWith(written.error);
  }
  const synced = syncGate(paths, lists);
  if (!synced.ok) return failWith(synced.error);
  if (options.json === true) printJson(made satisfies ModulesGateSyncJson);
  else print(made.map(({ list, change }) => formatGateList(list, change)).join('\n'));
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'kernels, as in /lib/modules (default: the running one)');
    command
      .option('--saved', 'load the saved list and judge no module, as at boot')
      .option('--json', 'print the lists as JSON')
      .addOption(requireOption())
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead modules gate sync', 'after the policy or a module has changed'],
          ['bulkhead modules gate sync 6.12.118+deb13-amd64', 'a kernel that is not running yet'],
          ['bulkhead modules gate sync --saved', 'as the unit does at boot'],
        ),
      )
      .action(run(sync));
  },
};
