/** Writes a command's text to standard output, or to a file that is not replaced unless asked to. */
import { createPolicyFile } from '../../host/policy-file.ts';
import { exitCodes, type ExitCode } from './command.ts';
import { printError, print } from './session.ts';

export interface OutputOptions {
  readonly output?: string;
  readonly force?: boolean;
}

export function writeOut(text: string, { output, force }: OutputOptions): ExitCode {
  if (output === undefined) {
    print(text);
    return exitCodes.done;
  }
  const created = createPolicyFile(output, text, { overwrite: force === true });
  if (created.ok) return exitCodes.done;
  printError(created.error);
  return exitCodes.failed;
}
