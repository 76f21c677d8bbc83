/** Runs one entries command at a time: a sync that waited must not restore what has been disabled meanwhile. */
import type { Command } from 'commander';
import { ok } from '../../../../packages/base/result.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { pathsFor, failWith } from '../../../cli/shared/session.ts';
import { underLockAsync } from '../../../sys/files/under-lock.ts';
import { entriesLock } from '../../io/entries/record.ts';
import { undoKilledEntries } from '../../io/entries/server-entries.ts';
import { type EntriesOptions } from './session.ts';

type Action = (options: EntriesOptions, command: Command) => ExitCode | Promise<ExitCode>;

/**
 * Runs `act` under the lock, so that it reads what it decides by after it has the lock, and after what a killed run
 * had begun was undone. A dry run waits for nobody.
 */
export const whenLocked =
  (act: Action): Action =>
  async (options, command) => {
    const paths = pathsFor(command);
    if (paths === undefined) return exitCodes.usage;
    if (options.dryRun === true || process.geteuid?.() !== 0) return act(options, command);
    const done = await underLockAsync(entriesLock(paths), async () => {
      const undone = undoKilledEntries(paths);
      return undone.ok ? ok(await act({ ...options, undone: undone.value }, command)) : undone;
    });
    return done.ok ? done.value : failWith(done.error);
  };
