/** The options of `setup boot`, and its one question. */
import type { BootOptionName } from '../../core/boot/option.ts';
import type { LoaderName } from '../../core/boot/record.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { printError } from '../../../cli/shared/output.ts';

export interface BootOptions {
  readonly add?: readonly BootOptionName[];
  readonly loader?: LoaderName;
  readonly undo?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** A question with the answer yes or no; undefined if nobody can be asked. */
export type Ask = (question: string) => Promise<boolean | undefined>;

export function nobodyToAsk(action: string): ExitCode {
  printError({ action, reason: 'nobody can be asked here', hint: 'add --yes' });
  return exitCodes.usage;
}
