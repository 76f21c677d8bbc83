/** `bulkhead modules gate disable`: every module loads again; only the gate's lists stay. */
import type { Command } from 'commander';
import { ok } from '../../../../packages/base/result.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import { removeBootFiles } from '../../io/gate/boot-files.ts';
import { GateLists } from '../../io/gate/gate-lists.ts';
import { dropGate, gateLock, gateMode } from '../../io/gate/kernel-gate.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print, printJson, failWith } from '../../../cli/shared/output.ts';
import type { ModulesGateDisableJson } from '../json.ts';

function disable({ json }: { readonly json?: boolean }, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const before = gateMode(paths);
  const lists = new GateLists(paths);
  const steps = [() => lists.keepMode('off'), () => removeBootFiles(paths), () => dropGate(paths)];
  const done = underLock(gateLock(paths), () => {
    for (const step of steps) {
      const stepped = step();
      if (!stepped.ok) return stepped;
    }
    return ok(undefined);
  });
  if (!done.ok) return failWith(done.error);
  if (json === true) printJson({ mode: 'off', before } satisfies ModulesGateDisableJson);
  else print(before === 'off' ? 'The gate was off' : 'The gate is off: every module loads');
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print the outcome as JSON')
      .addHelpText('after', examples(['bulkhead modules gate disable', '']))
      .action(run(disable));
  },
};
