/** The common start of the entries commands: root, the policy, and the web servers' own configurations. */
import type { Command } from 'commander';
import { exitCodes, type ExitCode, type PolicyOptions } from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import {
  loadPolicyOrReport,
  pathsFor,
  failWith,
  print,
  printJson,
} from '../../../cli/shared/session.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Policy } from '../../../policy/policy.ts';
import { entryLimitsOf, type EntryLimits } from '../../core/entries/limits.ts';
import { entriesSocket } from '../../io/entries/entries-socket.ts';
import { readEntriesRecord } from '../../io/entries/record.ts';
import type { Run } from '../../io/entries/server-entries.ts';
import { findWebPrograms } from '../../io/find-programs.ts';
import type { WebPrograms } from '../../io/servers.ts';
import { surveyWeb, type Survey } from '../../io/survey.ts';
import type { WebEntriesDisableJson } from '../json.ts';
import { tenancyOf } from '../tenancy.ts';

export interface EntriesOptions extends PolicyOptions {
  readonly dryRun?: boolean;
  readonly strict?: boolean;
  readonly editVhosts?: boolean;
  /** Set by `whenLocked`. */
  readonly undone?: Run['undone'];
}

export const withEntriesOptions = (command: Command, dryRun: string): Command =>
  command.addOption(policyOption()).option('--dry-run', dryRun).option('--json', 'print as JSON');

export interface EntriesSession {
  readonly programs: WebPrograms;
  readonly survey: Survey;
  /** Reads the web servers' configurations again. */
  readonly again: () => Promise<EntriesSession>;
  readonly limits: EntryLimits;
  readonly socket: string;
  readonly strict: boolean;
  readonly paths: Paths;
}

/** Returns the session, or an exit status after the reason has been printed. */
export async function entriesSession(
  { policy: file, strict }: EntriesOptions,
  command: Command,
): Promise<EntriesSession | ExitCode> {
  const paths = rootPaths(command);
  if (typeof paths === 'number') return paths;
  const policy = (await loadPolicyOrReport(command, file, paths))?.policy;
  return policy === undefined
    ? exitCodes.failed
    : sessionWith(paths, findServers(paths), policy, strict);
}

/** Returns a session for removal, which works whatever the policy says, and without one. */
export async function sessionWithoutPolicy(
  { json = false }: EntriesOptions,
  command: Command,
): Promise<EntriesSession | ExitCode> {
  const paths = rootPaths(command);
  if (typeof paths === 'number') return paths;
  const programs = findServers(paths);
  if (hasServer(programs) || readEntriesRecord(paths) !== undefined)
    return sessionWith(paths, programs, undefined, false);
  if (json) printJson({ servers: [] } satisfies WebEntriesDisableJson);
  else print('Entries are not enabled here');
  return exitCodes.done;
}

function rootPaths(command: Command): Paths | ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() === 0) return paths;
  const reason = 'web servers are configured by root alone';
  return failWith({ action: 'use web servers', reason, hint: 'run it as root' });
}

async function sessionWith(
  paths: Paths,
  programs: WebPrograms,
  policy: Policy | undefined,
  strict: boolean | undefined,
): Promise<EntriesSession | ExitCode> {
  if (!hasServer(programs))
    return failWith({ action: 'use web servers', reason: noServer(programs) });
  return sessionOf(paths, policy, programs, strict);
}

export const hasServer = ({ nginx, apache }: WebPrograms): boolean =>
  nginx !== undefined || apache !== undefined;

/** Finds the web servers that entries can be limited at, and those that have Bulkhead's files. */
export const findServers = (paths: Paths): WebPrograms =>
  findWebPrograms('', { hasEntries: readEntriesRecord(paths) !== undefined });

const noServer = (programs: WebPrograms): string =>
  refusedServer(programs) ??
  'there is neither nginx nor Apache where a distribution or a panel installs it';

/** Returns why Bulkhead serves a web server of this host not; undefined if it serves all. */
export function refusedServer({ nginx, apache, notServed = [] }: WebPrograms): string | undefined {
  const served = new Set([nginx?.program, apache?.program]);
  const other = notServed.find(
    ({ server, program }) => server !== undefined && !served.has(program),
  );
  return other && `it cannot serve ${other.program} (${other.configuration}): ${other.reason}`;
}

/** Returns the session at these web servers. */
export function sessionOf(
  paths: Paths,
  policy: Policy | undefined,
  programs: WebPrograms,
  strict = readEntriesRecord(paths)?.strict === true,
): Promise<EntriesSession> {
  const now = async (): Promise<EntriesSession> => ({
    programs,
    survey: await surveyWeb(programs, tenancyOf(paths, policy)),
    again: now,
    limits: policy === undefined ? new Map() : entryLimitsOf(policy),
    socket: entriesSocket(paths),
    strict,
    paths,
  });
  return now();
}
