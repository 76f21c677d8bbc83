/** `bulkhead history import FILE`: the history of a tenant that moved here, kept apart from this host's own. */
import { Option, type Command } from 'commander';
import { count } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { capabilitiesOf } from '../../cli/capability.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import type { Paths } from '../../host/paths.ts';
import { findTenant, type FoundTenant } from '../../store/moved/export-member.ts';
import { movedLock, readMoved, writeMoved } from '../../store/moved/moved-file.ts';
import { mergeRecords, type MovedRecord } from '../../store/moved/moved-record.ts';
import { lockFile } from '../../sys/files/flock.ts';
import { loadIncidentKinds } from '../../usage/incident-kinds.ts';
import { uidOf } from '../../usage/member.ts';
import type { HistoryFile } from './history-file.ts';
import { whyNotTrusted, type TrustOptions } from './trusted.ts';
import { readHistoryFile, readRecords, sealState } from './read-history-file.ts';
import type { HistoryImportJson } from './json.ts';
import { asRoot, historyDirectoryOf, type Place } from './shared.ts';

interface ImportOptions extends TrustOptions {
  readonly as: string;
  readonly json?: boolean;
}

const action = 'import the history';

const importHistory = (path: string, options: ImportOptions, command: Command): Promise<ExitCode> =>
  asRoot(command, action, path, (place) => importIn(place, path, options, command));

async function importIn(
  { paths, seal }: Place,
  path: string,
  options: ImportOptions,
  command: Command,
): Promise<ExitCode> {
  const read = readHistoryFile(path);
  if (!read.ok) return failWith(read.error);
  const file = read.value;
  const own = seal?.memberOf(paths) ?? ok(undefined);
  if (!own.ok) return failWith(own.error);
  const distrust = whyNotTrusted(file, own.value?.fleet, sealState(file, seal), options);
  if (distrust !== undefined) return failWith({ action, object: path, ...distrust });
  const kinds = await loadIncidentKinds(capabilitiesOf(command));
  const records = readRecords(file, { kinds, now: Date.now() });
  if (!records.ok) return failWith({ action, object: path, ...records.error });
  const kept = keep(paths, options.as, own.value?.host, records.value);
  if (!kept.ok) return failWith(kept.error);
  const shown: HistoryImportJson = { tenant: kept.value.tenant.name, ...kept.value.counts };
  if (options.json === true) printJson(shown);
  else print(textOf(shown, file));
  return exitCodes.done;
}

interface Kept {
  readonly tenant: FoundTenant;
  readonly counts: Omit<HistoryImportJson, 'tenant'>;
}

/** Keeps the records for a tenant of this host. */
function keep(
  paths: Paths,
  name: string,
  ownHost: string | undefined,
  records: readonly MovedRecord[],
): Result<Kept, Problem> {
  const history = historyDirectoryOf(paths);
  const lock = lockFile(movedLock(history), { waitMs: lockMilliseconds });
  if (!lock.ok) return lock;
  using held = lock.value;
  void held;
  const found = findTenant(history, name);
  if (!found.ok) return found;
  if (found.value === undefined) return failed(unknownTenant(name));
  const tenant = found.value;
  const { member, since } = tenant;
  const before = readMoved(history, member);
  if (!before.ok) return before;
  const known = before.value?.since === since ? before.value.records : [];
  // What this host has measured of the same account is in its own history.
  const others = records.filter(
    (each) => each.host !== ownHost || each.uid !== uidOf(member) || each.since !== since,
  );
  const { records: all, taken } = mergeRecords(known, others);
  if (taken.length > 0) {
    const written = writeMoved(history, member, { since, records: all });
    if (!written.ok) return written;
  }
  const hours = taken.reduce((sum, each) => sum + each.hours.starts.length, 0);
  const incidents = taken.reduce((sum, each) => sum + each.incidents.length, 0);
  return ok({ tenant, counts: { origins: taken.map(({ host }) => host), hours, incidents } });
}

const lockMilliseconds = 10_000;

const unknownTenant = (object: string): Problem => ({
  action: 'import the history for',
  object,
  reason: 'the agent knows no tenant of that name now',
  hint: 'run "bulkhead apply" once the account exists',
});

function textOf(
  { tenant, origins, hours, incidents }: HistoryImportJson,
  file: HistoryFile,
): string {
  if (origins.length === 0)
    return printable(`${tenant}: nothing new in it; all of it was imported before`);
  const renamed = file.head.tenant === tenant ? '' : `, where it was ${file.head.tenant}`;
  return printable(
    `${tenant}: ${count(hours, 'hour')} and ${count(incidents, 'incident')} from ${origins.join(', ')}${renamed}`,
  );
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the file that "bulkhead history export" has written');
    command
      .requiredOption('--as <tenant>', 'the tenant here, whatever its name was there')
      .option('--key <fingerprint>', 'the fingerprint that the export printed')
      .addOption(
        new Option(
          '--unverified',
          'take it without a signature, or without comparing the key',
        ).conflicts('key'),
      )
      .option('--other-fleet', 'take it from a host of another fleet')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead history import alice.history --as alice --key SHA256:0TqcnQ0y…', ''],
          ['bulkhead history import alice.history --as alice2 --unverified', ''],
        ),
      )
      .action(run(importHistory));
  },
};
