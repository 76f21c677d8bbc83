/** Writes a command's text to standard output, or to a file that is not replaced unless asked to. */
import { createTextFile } from '../../sys/files/edited-file.ts';
import { exitCodes, type ExitCode } from './command.ts';
import { print, failWith } from './session.ts';

export interface OutputOptions {
  readonly output?: string;
  readonly force?: boolean;
}

export function writeOut(text: string, { output, force }: OutputOptions): ExitCode {
  if (output === undefined) {
    print(text);
    return exitCodes.done;
  }
  const created = createTextFile(output, text, { overwrite: force === true });
  if (created.ok) return exitCodes.done;
  return failWith(created.error);
}
