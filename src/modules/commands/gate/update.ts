/** `bulkhead modules gate update [RELEASE…]`: makes the lists again. */
import type { Command } from 'commander';
import { listText } from '../../core/gate/list-text.ts';
import { GateLists } from '../../io/gate/gate-lists.ts';
import { refreshGate } from '../../io/gate/kernel-gate.ts';
import { plainRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson } from '../../../cli/shared/output.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { requireOption, type DemandOptions } from '../setup.ts';
import { makeList, type MadeList } from './make-list.ts';

interface UpdateOptions extends DemandOptions {
  readonly json?: boolean;
}

async function update(
  releases: readonly string[],
  options: UpdateOptions,
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
  const made: MadeList[] = [];
  for (const release of releases.length > 0 ? releases : [undefined]) {
    const one = await makeList(release, options, command, lists);
    if (typeof one === 'number') return one;
    made.push(one);
  }
  for (const { list } of made) {
    const written = lists.write(list);
    if (written.ok) continue;
    printError(written.error);
    return exitCodes.failed;
  }
  const refreshed = refreshGate(paths, lists);
  if (!refreshed.ok) {
    printError(refreshed.error);
    return exitCodes.failed;
  }
  if (options.json === true) printJson(made);
  else print(made.map(({ list, change }) => listText(list, change)).join('\n'));
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'kernels, as in /lib/modules (default: the running one)');
    command
      .option('--json', 'print the lists as JSON')
      .addOption(requireOption())
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead modules gate update', 'after the policy or a module has changed'],
          ['bulkhead modules gate update 6.12.118+deb13-amd64', 'a kernel that is not running yet'],
        ),
      )
      .action(run(update));
  },
};
