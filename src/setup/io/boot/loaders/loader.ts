/** The interface of boot loaders whose command line Bulkhead changes. */
import type { Problem } from '../../../../../packages/base/problem.ts';
import type { Result } from '../../../../../packages/base/result.ts';
import type { LoaderName } from '../../../core/boot/record.ts';
import type { BootWord } from '../../../core/boot/words.ts';
import type { BootEdit, PlannedHost } from '../boot-file.ts';

export type Commands = readonly (readonly string[])[];

export interface LoaderPlan {
  readonly edits: readonly BootEdit[];
  /** Commands to run afterwards, in this order. */
  readonly commands: Commands;
}

export interface BootLoader {
  readonly name: LoaderName;
  /** The name for people. */
  readonly title: string;
  readonly isThere: (host: PlannedHost) => boolean;
  /** Returns the texts in which words could be already. A word is in place if each of them has it. */
  readonly read: (host: PlannedHost) => Result<readonly string[], Problem>;
  /** Plans the change; without words, what makes the boot loader read its files again. */
  readonly plan: (host: PlannedHost, words: readonly BootWord[]) => Result<LoaderPlan, Problem>;
  /** Returns the commands by which the boot loader forgets the words after the files have been restored. */
  readonly undoCommands: (host: PlannedHost, words: readonly BootWord[]) => Commands;
  /** Checks that the boot loader will pass the words; returns remarks. */
  readonly check: (
    host: PlannedHost,
    words: readonly string[],
  ) => Result<readonly string[], Problem>;
}
