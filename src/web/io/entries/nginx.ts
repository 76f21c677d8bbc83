/**
 * Entries at nginx: the files that are wanted, and how they are written without an interruption. nginx reads its
 * whole configuration before and after. If it does not accept the new one, everything is as before.
 */
import { hostname } from 'node:os';
import { readFileSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { realPathOf } from '../../../../packages/base/io/read.ts';
import { packageFile } from '../../../sys/package-files.ts';
import { enforcementOf, type Enforcement } from '../../core/entries/enforcement.ts';
import type { EntryLimits } from '../../core/entries/limits.ts';
import { mark, nginxEntriesFile } from '../../core/entries/nginx-file.ts';
import {
  emptySiteFile,
  includeLine,
  lackingWithout,
  nginxSiteFiles,
  siteFileFor,
  siteFileNames,
} from '../../core/entries/nginx-site-files.ts';
import { entriesNotes } from '../../core/entries/notes.ts';
import type { NginxHttp } from '../../core/nginx/http-level.ts';
import type { SiteView } from '../../core/overview.ts';
import { nginxEntriesPath, readNginx, type NginxProgram } from '../servers.ts';
import type { Survey } from '../survey.ts';
import { domainInclude, remembered } from './domain-includes.ts';
import type { FileChange } from '../../../sys/files/file-transaction.ts';
import { changesTo, type WantedFile } from './file-changes.ts';
import { vhostEdits, vhostRestorations, type MissingLine } from './vhost-edits.ts';
import { readNginxBuild, reloadNginx } from './nginx-process.ts';
import {
  applyServerChanges,
  problemText,
  serverAccepted,
  type ReloadResult,
  type Run,
  type ServerEntries,
} from './server-entries.ts';

export interface NginxEntries {
  readonly nginx: NginxProgram;
  readonly http: NginxHttp;
  readonly enforcement: Enforcement;
  /** Whether its file exists. */
  readonly enabled: boolean;
  /** All file changes together. */
  readonly changes: readonly FileChange[];
}

interface Setting {
  readonly limits: EntryLimits;
  readonly socket: string;
  /** Whether a program whose visitor has disconnected keeps its entry until it ends. */
  readonly strict?: boolean;
  /** Whether the lines that vhosts need are written into their files. */
  readonly editVhosts?: boolean;
}

export const siteFilePath = ({ directory }: NginxProgram, name: string): string =>
  `${directory}/bulkhead/${name}`;

/** Plans what `enable` or a later sync would change. */
export async function planNginx(
  nginx: NginxProgram,
  survey: Survey,
  { limits, socket, strict = false, editVhosts = false }: Setting,
): Promise<Result<NginxEntries, Problem>> {
  const http = acceptedHttp(survey);
  if (!http.ok) return http;
  const includeOf = remembered(domainInclude);
  const willInclude = ({ file }: SiteView) => includeOf(file) !== undefined;
  const context = { limits, http: http.value, hostName: hostname(), willInclude };
  const enforcement = enforcementOf(survey.sites, context);
  const page = readFileSync(packageFile('web/508.html'), 'utf8');
  const named = [...enforcement.enforced, ...enforcement.waiting];
  const siteFiles = nginxSiteFiles(named, page, socket);
  if (!siteFiles.ok) return siteFiles;
  const { log, passing } = await readNginxBuild(nginx);
  const waitFor = strict ? passing : [];
  const text = nginxEntriesFile(named, http.value, { socket, defaultLog: log, waitFor });
  const wanted: readonly WantedFile[] = [
    ...[...siteFiles.value].map(([name, each]) => ({
      path: siteFilePath(nginx, name),
      text: each,
    })),
    ...domainFiles(nginx, enforcement, http.value, includeOf),
    { path: nginxEntriesPath(nginx), text },
  ];
  const edits = editVhosts
    ? vhostEdits(missingLines(nginx, enforcement, http.value, includeOf))
    : [];
  return planned(nginx, http.value, enforcement, { wanted, edits });
}

/**
 * Plans the removal. nginx would not accept a vhost that includes a missing file: such a file is left, and does
 * nothing.
 */
export function planNginxRemoval(
  nginx: NginxProgram,
  survey: Survey,
): Result<NginxEntries, Problem> {
  const http = acceptedHttp(survey);
  if (!http.ok) return http;
  const enforcement = { enforced: [], waiting: [], sites: [] };
  const domains = http.value.files.filter((each) => each.endsWith(domainSuffix));
  const edits = vhostRestorations(http.value.files);
  const byHand = survey.sites.some(
    ({ vhost, file }) =>
      vhost?.page === true &&
      !domains.includes(domainInclude(file) ?? '') &&
      !isRestored(file, edits, nginx),
  );
  const siteFiles = siteFileNames.map((name) => {
    const path = siteFilePath(nginx, name);
    const isNeeded = byHand && http.value.files.includes(path);
    return { path, text: isNeeded ? emptySiteFile : undefined };
  });
  const wanted = [
    { path: nginxEntriesPath(nginx), text: undefined },
    ...domains.map((path) => ({ path, text: undefined, inHome: true })),
    ...siteFiles,
  ];
  return planned(nginx, http.value, enforcement, { wanted, edits });
}

/** Whether the vhosts of a file include nothing of ours any more. */
function isRestored(file: string, edits: readonly FileChange[], nginx: NginxProgram): boolean {
  const real = realPathOf(file);
  const restored = edits.find(({ path }) => path === real);
  return restored?.after?.includes(siteFilePath(nginx, 'site')) === false;
}

function acceptedHttp(survey: Survey): Result<NginxHttp, Problem> {
  const accepted = serverAccepted(survey, 'nginx');
  if (!accepted.ok) return accepted;
  if (survey.nginxHttp !== undefined) return ok(survey.nginxHttp);
  return failed({ action: 'use the configuration of nginx', reason: 'it printed nothing' });
}

function planned(
  nginx: NginxProgram,
  http: NginxHttp,
  enforcement: Enforcement,
  {
    wanted,
    edits,
  }: { readonly wanted: readonly WantedFile[]; readonly edits: readonly FileChange[] },
): Result<NginxEntries, Problem> {
  const changes = changesTo(wanted, mark);
  if (!changes.ok) return changes;
  const path = nginxEntriesPath(nginx);
  const all = [...changes.value, ...edits];
  return ok({ nginx, http, enforcement, enabled: http.files.includes(path), changes: all });
}

function missingLines(
  nginx: NginxProgram,
  { sites }: Enforcement,
  http: NginxHttp,
  includeOf: typeof domainInclude,
): readonly MissingLine[] {
  return sites.flatMap(({ site: { file, line, vhost }, state }) => {
    if (state === 'nothing to count' || vhost === undefined) return [];
    if (includeOf(file) !== undefined || lackingWithout(vhost, http).length === 0) return [];
    return [{ file, line, directive: includeLine(siteFilePath(nginx, siteFileFor(vhost, http))) }];
  });
}

const domainSuffix = '_bulkhead';

/** Returns our files in the directories that panels read for each domain. */
function domainFiles(
  nginx: NginxProgram,
  { sites }: Enforcement,
  http: NginxHttp,
  includeOf: typeof domainInclude,
): readonly WantedFile[] {
  const files = new Map<string, WantedFile>();
  for (const { site, state } of sites) {
    if (state === 'nothing to count' || site.vhost === undefined) continue;
    const path = includeOf(site.file);
    if (path === undefined) continue;
    const name = siteFilePath(nginx, siteFileFor(site.vhost, http));
    files.set(path, { path, text: `${mark}include ${name};\n`, inHome: true });
  }
  return [...files.values()];
}

export const applyNginx = (
  entries: NginxEntries,
  run: Run,
): Promise<Result<ReloadResult, Problem>> =>
  applyServerChanges({ server: 'nginx', changes: entries.changes }, run, {
    problem: () => unaccepted(entries),
    reload: () => reloadNginx(entries.nginx, entries.http),
  });

async function unaccepted({ nginx, changes }: NginxEntries): Promise<Problem | undefined> {
  const read = await readNginx(nginx);
  const [problem] = read.problems;
  const action = 'enforce entries at nginx';
  if (problem !== undefined) return { action, reason: problemText(problem) };
  const path = nginxEntriesPath(nginx);
  const isWanted = changes.some((each) => each.path === path && each.after !== undefined);
  if (!isWanted || read.http?.files.includes(path) === true) return undefined;
  const reason = `${nginx.directory}/nginx.conf does not include ${nginx.directory}/conf.d/*.conf`;
  return { action, reason };
}

/** Converts the entries to the type that all web servers share. */
export function asServerEntries(entries: NginxEntries): ServerEntries {
  const { nginx, http, enforcement, enabled, changes } = entries;
  return {
    server: 'nginx',
    enabled,
    sites: enforcement.sites,
    enforced: enforcement.enforced,
    changes,
    notes: entriesNotes(enforcement, http, (name) => siteFilePath(nginx, name)),
    apply: (run) => applyNginx(entries, run),
  };
}
