/** Another program that sets the same limits or disk quotas as Bulkhead. The last writer wins, so customers' limits change. */
import { listSome } from './list.ts';
import { printable } from './printable.ts';

export interface OtherWriter {
  /** The name of the program, or of the means by which a program does it. */
  readonly name: string;
  /** `limits`: of users' systemd slices. `quotas`: of users' disk space and files. */
  readonly sets: 'limits' | 'quotas';
  /** The files that show it. */
  readonly files: readonly string[];
  /** How to turn it off, or how both get along. */
  readonly remedy: string;
}

const filesShownMax = 3;

export function otherWriterText({ name, sets, files, remedy }: OtherWriter): string {
  const shown = listSome(files.map(printable), filesShownMax);
  return sets === 'limits'
    ? `Something else limits users: ${name} (${shown}). Two programs cannot both set these limits: ${remedy}`
    : `Something else sets disk quotas: ${name} (${shown}). Two programs cannot both set the same quota: ${remedy}`;
}
