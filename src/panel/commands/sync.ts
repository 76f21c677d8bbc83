/** `bulkhead panel sync`: reads the panel anew, for a policy that follows it. */
import type { Command } from 'commander';
import { count, listSome } from '../../../packages/base/list.ts';
import { policyReaderOf } from '../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { failWith, pathsFor, print, printError, printJson } from '../../cli/shared/session.ts';
import { panelRecordPath, readPanelRecord } from '../../host/panel-record.ts';
import type { RecordChanges } from '../core/follow.ts';
import { syncPanel, type Synced } from '../io/sync.ts';
import type { PanelSyncJson } from './json.ts';

async function sync(options: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const { document, problem } = (await policyReaderOf(command)).read(options.policy, paths);
  const followed = document?.panel?.source;
  const record = document === undefined ? readPanelRecord(paths) : undefined;
  // The policy in force may follow the same panel as before, though its file is broken now.
  const source = followed ?? (record?.ok === true ? record.value.source : 'auto');
  const done = await syncPanel({ paths, root: '' }, source);
  if (!done.ok) return failWith(done.error);
  if (options.json === true) printJson(syncJson(done.value));
  else print(syncText(done.value, panelRecordPath(paths)));
  if (document === undefined)
    printError(
      `warning: the policy cannot be read, so ${source === 'auto' ? 'the first panel' : `"${source}"`} was read${problem === undefined ? '' : `: ${problem.reason}`}`,
    );
  else if (followed === undefined) {
    const hint = 'add <panel source="auto"/>, or nothing uses what was read';
    printError(`warning: the policy ${options.policy} does not follow the panel; ${hint}`);
  }
  return exitCodes.done;
}

function syncText(synced: Synced | undefined, file: string): string {
  if (synced === undefined)
    return 'Another "panel sync" waits already, and reads the panel for this one';
  const { data, record, changes } = synced;
  const { problems } = data;
  const incomplete =
    problems.length === 0
      ? ''
      : `\n${count(problems.length, 'problem')}: what could not be read stays as it was; see "bulkhead panel status"`;
  return `${data.panel}: ${count(record.members.length, 'account')} in ${file}; ${changesText(changes)}${incomplete}`;
}

function changesText({ added, changed, removed }: RecordChanges): string {
  const parts = [
    ['new', added],
    ['changed', changed],
    ['gone', removed],
  ] as const;
  const some = parts.flatMap(([word, names]) =>
    names.length === 0 ? [] : [`${names.length} ${word} (${listSome(names)})`],
  );
  return some.length === 0 ? 'nothing has changed' : some.join(', ');
}

const syncJson = (synced: Synced | undefined): PanelSyncJson => ({
  panel: synced?.data.panel ?? null,
  accounts: synced?.record.members.length ?? null,
  added: synced?.changes.added ?? [],
  changed: synced?.changes.changed ?? [],
  removed: synced?.changes.removed ?? [],
  problems: synced?.data.problems ?? [],
  readsLater: synced === undefined,
});

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead panel sync', "in a hook of the panel: a new account's plan counts at once"],
          ['bulkhead panel sync --json', 'the accounts that changed, for a program'],
        ),
      )
      .action(run(sync));
  },
};
