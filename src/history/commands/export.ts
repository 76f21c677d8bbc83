/** `bulkhead history export TENANT --to FILE`: a tenant's history for the host to which it moves. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { count } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { failed } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { capabilitiesOf, type HostSeal } from '../../cli/capability.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import type { Paths } from '../../host/paths.ts';
import { exportMember, findTenant, type ExportedRecord } from '../../store/moved/export-member.ts';
import { pack, readMoved } from '../../store/moved/moved-file.ts';
import { mergeRecords, movedBytesMax, type MovedRecord } from '../../store/moved/moved-record.ts';
import { parseMovedRecords } from '../../store/moved/parse-moved.ts';
import { createFile } from '../../sys/files/edited-file.ts';
import { loadIncidentKinds } from '../../usage/incident-kinds.ts';
import { historyFileText, type HistoryFile, type HistoryHead } from './history-file.ts';
import type { HistoryExportJson } from './json.ts';
import { asRoot, historyDirectoryOf, type Place } from './shared.ts';

interface ExportOptions {
  readonly to: string;
  readonly json?: boolean;
}

const action = 'export the history of';

const exportHistory = (
  tenant: string,
  options: ExportOptions,
  command: Command,
): Promise<ExitCode> =>
  asRoot(command, action, tenant, (place) => exportIn(place, tenant, options, command));

async function exportIn(
  { paths, seal }: Place,
  tenant: string,
  options: ExportOptions,
  command: Command,
): Promise<ExitCode> {
  const member = seal?.memberOf(paths) ?? ok(undefined);
  if (!member.ok) return failWith(member.error);
  const host = member.value?.host ?? hostname();
  const kinds = await loadIncidentKinds(capabilitiesOf(command));
  const records = recordsOf(paths, tenant, { host, kinds, now: Date.now() });
  if (!records.ok) return failWith(records.error);
  const { all } = records.value;
  const file = fileOf(all, { fleet: member.value?.fleet ?? null, host }, paths, seal);
  if (!file.ok) return failWith(file.error);
  const text = historyFileText(file.value);
  // Only root may read it: it has command lines. An existing file might have another mode.
  const written = createFile(options.to, text);
  // The usual hint is for commands that can replace a file.
  if (!written.ok)
    return failWith({ ...written.error, hint: 'name a new file in a directory of root' });
  const bytes = Buffer.byteLength(text);
  const shown = shownOf({ ...records.value, file: file.value, to: options.to, bytes, seal });
  if (options.json === true) printJson(shown);
  else print(textOf(shown));
  return exitCodes.done;
}

interface Exported extends Records {
  readonly file: HistoryFile;
  readonly to: string;
  readonly bytes: number;
  readonly seal: HostSeal | undefined;
}

function shownOf({ all, withoutEvidence, file, to, bytes, seal }: Exported): HistoryExportJson {
  const [own] = all;
  const { fleet, host, tenant } = file.head;
  return {
    file: to,
    fleet,
    host,
    tenant,
    hours: own.hours.starts.length,
    incidents: own.incidents.length,
    withoutEvidence,
    origins: all.map((each) => each.host),
    bytes,
    ...(file.seal !== undefined && { fingerprint: seal?.fingerprintOf(file.seal.key) ?? '' }),
  };
}

interface Records {
  /** This host's own record first. */
  readonly all: readonly [MovedRecord, ...MovedRecord[]];
  readonly withoutEvidence: number;
}

/** Returns what this host has measured of a tenant, and what came with it from others. */
function recordsOf(
  paths: Paths,
  tenant: string,
  options: Parameters<typeof exportMember>[2],
): Result<Records, Problem> {
  const history = historyDirectoryOf(paths);
  const found = findTenant(history, tenant);
  if (!found.ok) return found;
  if (found.value === undefined)
    return failed({
      action,
      object: tenant,
      reason: 'the agent knows no tenant of that name now',
      hint: 'export it before its account or its element in the policy is removed',
    });
  const moved = readMoved(history, found.value.member);
  if (!moved.ok) return moved;
  const before = moved.value?.since === found.value.since ? moved.value.records : [];
  const room = movedBytesMax - Buffer.byteLength(JSON.stringify(before));
  const own = exportMember(history, found.value, { ...options, bytesMax: room });
  if (!own.ok) return own;
  const { record, withoutEvidence }: ExportedRecord = own.value;
  const all: Records['all'] = [record, ...mergeRecords([], before).records];
  // Whatever the files of the store have, the next host can read what is written here.
  const parsed = parseMovedRecords(all, options);
  return parsed.ok
    ? ok({ all, withoutEvidence })
    : failed({ action, object: tenant, ...parsed.error });
}

function fileOf(
  records: Records['all'],
  { fleet, host }: Pick<HistoryHead, 'fleet' | 'host'>,
  paths: Paths,
  seal: HostSeal | undefined,
): Result<HistoryFile, Problem> {
  const json = JSON.stringify(records);
  const bytes = Buffer.byteLength(json);
  const [{ name, until }] = records;
  if (bytes > movedBytesMax)
    return failed({
      action,
      object: name,
      reason: `it would have ${shortBytes(bytes)}, without evidence; at most ${shortBytes(movedBytesMax)} may be`,
    });
  const sha256 = createHash('sha256').update(json).digest('hex');
  const made = new Date(until).toISOString();
  const head: HistoryHead = { format: 1, fleet, host, tenant: name, made, sha256, bytes };
  const headText = JSON.stringify(head);
  const packed = Buffer.from(pack(json)).toString('base64');
  if (fleet === null || seal === undefined) return ok({ head, headText, packed });
  const sealed = seal.seal(paths, headText);
  if (!sealed.ok) return sealed;
  const { key, signature } = sealed.value;
  return ok({ head, headText, seal: { key, signature }, packed });
}

function textOf({
  file,
  tenant,
  hours,
  incidents,
  withoutEvidence,
  origins,
  bytes,
  ...more
}: HistoryExportJson): string {
  const [, ...others] = origins;
  const lines = [
    `${tenant}: ${count(hours, 'hour')} and ${count(incidents, 'incident')} written to ${file}, ${shortBytes(bytes)}`,
    ...(others.length > 0 ? [`with what came from ${others.join(', ')}`] : []),
    ...(withoutEvidence > 0
      ? [`${count(withoutEvidence, 'incident')} without evidence, which had no room`]
      : []),
    more.fingerprint === undefined
      ? 'not signed, since this host is in no fleet: import it with --as ${tenant} --unverified'
      : `signed by ${more.host}: import it with --as ${tenant} --key ${more.fingerprint}`,
  ];
  return lines.map(printable).join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name or uid of the tenant');
    command
      .requiredOption('--to <file>', 'the file to write; only root can read it')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples([
          'bulkhead history export alice --to alice.history',
          'before the account is removed',
        ]),
      )
      .action(run(exportHistory));
  },
};
