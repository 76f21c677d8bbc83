/** Writes a command's result to standard output, or to a file that is not replaced unless asked to. */
import { createFile } from '../../sys/files/edited-file.ts';
import { exitCodes, type ExitCode } from './command.ts';
import { print, failWith } from './session.ts';

export interface OutputOptions {
  readonly output?: string;
  readonly force?: boolean;
}

export function writeOut(content: string | Uint8Array, { output, force }: OutputOptions): ExitCode {
  if (output === undefined) {
    if (typeof content === 'string') print(content);
    else process.stdout.write(content);
    return exitCodes.done;
  }
  const created = createFile(output, content, { overwrite: force === true });
  if (created.ok) return exitCodes.done;
  return failWith(created.error);
}
