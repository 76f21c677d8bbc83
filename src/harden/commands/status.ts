/** `bulkhead harden status`: each setting, and whether what `enable` has set is in force. */
import type { Command } from 'commander';
import type { SecurityItem } from '../../../packages/base/security-item.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { pathsFor, print, printJson, failWith } from '../../cli/shared/output.ts';
import { table } from '../../cli/shared/terminal.ts';
import { judgeSettings } from '../core/judge.ts';
import type { KeptSetting } from '../core/plan.ts';
import { readHardenRecord } from '../io/apply-plan.ts';
import { hardenPathsOf, sysctlReader } from '../io/places.ts';
import { verdictWords } from './items-text.ts';
import type { HardenStatusJson } from './json.ts';

interface Row {
  readonly item: SecurityItem;
  /** The record of `enable`; absent if it has not set this item. */
  readonly kept: KeptSetting | undefined;
}

function status({ json }: { readonly json?: boolean }, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const places = hardenPathsOf(paths);
  const record = readHardenRecord(places);
  if (!record.ok) return failWith(record.error);
  const rows = judgeSettings(sysctlReader(places)).map((item): Row => {
    const kept = record.value.find(({ key }) => key === item.key);
    return { item, kept };
  });
  if (json === true)
    printJson({ file: places.file, items: rows.map(rowJson) } satisfies HardenStatusJson);
  else print(statusText(rows));
  return rows.some(isLost) ? exitCodes.found : exitCodes.done;
}

/** Whether `enable` has set the item, and something has changed it since. */
const isLost = ({ item, kept }: Row): boolean =>
  kept !== undefined && item.verdict !== 'good' && item.verdict !== 'unavailable';

function statusText(rows: readonly Row[]): string {
  const head = ['Item', 'Setting', 'Now', 'Wanted', 'State', 'Set by Bulkhead'];
  const body = rows.map(({ item, kept }) => [
    item.item,
    item.key,
    item.now ?? '-',
    item.wanted ?? '-',
    verdictWords[item.verdict],
    kept === undefined ? 'no' : `to ${kept.set}, was ${kept.before}`,
  ]);
  return table([head, ...body]);
}

const rowJson = ({ item, kept }: Row) => ({
  item: item.item,
  key: item.key,
  now: item.now ?? null,
  wanted: item.wanted ?? null,
  verdict: item.verdict,
  set: kept?.set ?? null,
  before: kept?.before ?? null,
});

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addHelpText('after', examples(['bulkhead harden status', '']))
      .action(run(status));
  },
};
