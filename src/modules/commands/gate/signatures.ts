/**
 * `bulkhead modules gate signatures`: makes the kernel itself require signatures until the next
 * boot, which needs no list.
 */
import type { Command } from 'commander';
import { hostRoots, runningRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import { GateLists } from '../../io/gate/gate-lists.ts';
import { gateFacts, requireSignatures } from '../../io/gate/host-facts.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson, failWith } from '../../../cli/shared/output.ts';
import type { ModulesGateSignaturesJson } from '../json.ts';

interface Options {
  readonly yes?: boolean;
  readonly json?: boolean;
}

function signatures({ yes, json }: Options, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const list = new GateLists(paths).read(runningRelease(hostRoots) ?? '');
  const { signaturesRequired } = gateFacts(paths, list.ok ? list.value : undefined);
  if (signaturesRequired === true) {
    if (json === true)
      printJson({ signaturesRequired: true, changed: false } satisfies ModulesGateSignaturesJson);
    else print('The kernel requires signatures of modules already');
    return exitCodes.done;
  }
  if (yes !== true) {
    printError(
      'From then on, until the next boot, no module loads that is not signed with a key that the kernel trusts, which those built by DKMS are not unless their key is enrolled; it cannot be taken back. Add --yes to do it',
    );
    return exitCodes.usage;
  }
  const done = requireSignatures(paths);
  if (!done.ok) return failWith(done.error);
  if (json === true)
    printJson({ signaturesRequired: true, changed: true } satisfies ModulesGateSignaturesJson);
  else
    print(
      'The kernel requires signatures of modules until the next boot; "module.sig_enforce=1" on its command line does so at each',
    );
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--yes', 'do it, knowing that it cannot be undone before the next boot')
      .option('--json', 'print the outcome as JSON')
      .addHelpText(
        'after',
        examples([
          'bulkhead modules gate signatures --yes',
          'nothing unsigned loads until the next boot',
        ]),
      )
      .action(run(signatures));
  },
};
