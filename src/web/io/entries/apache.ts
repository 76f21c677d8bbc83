/**
 * Entries at Apache: which files are to be there, and writing them so that what served goes on serving. Apache reads
 * its whole configuration before and after; where it does not accept the new one, everything is as before.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { packageFile } from '../../../sys/package-files.ts';
import {
  apacheServerFile,
  apacheTenantFile,
  apacheTenantFileName,
} from '../../core/entries/apache-files.ts';
import { apacheSiteEntries, notIncluded } from '../../core/entries/apache-holding.ts';
import type { EntryLimits, SiteEntries } from '../../core/entries/holding.ts';
import { mark } from '../../core/entries/nginx-file.ts';
import { alike, type Note } from '../../core/notes.ts';
import type { SiteView } from '../../core/overview.ts';
import { runBounded } from '../run-bounded.ts';
import { readApache, type ApacheProgram } from '../servers.ts';
import type { Survey } from '../survey.ts';
import { reloadApache } from './apache-process.ts';
import { domainInclude, namesFile, remembered } from './domain-includes.ts';
import { changesTo, type WantedFile } from './file-changes.ts';
import { applyChanges, serverAccepted, type ServerEntries } from './server-entries.ts';

interface Setting {
  readonly limits: EntryLimits;
  readonly socket: string;
}

export const apacheEntriesPath = ({ directory }: ApacheProgram): string =>
  `${directory}/conf-enabled/bulkhead.conf`;

const tenantFilePath = ({ directory }: ApacheProgram, uid: number) =>
  `${directory}/bulkhead/${apacheTenantFileName(uid)}`;

/** What enabling, or writing again, would change. */
export async function planApache(
  apache: ApacheProgram,
  survey: Survey,
  { limits, socket }: Setting,
): Promise<Result<ServerEntries, Problem>> {
  const accepted = serverAccepted(survey, 'apache2');
  if (!accepted.ok) return accepted;
  const includeOf = remembered(domainInclude);
  const willInclude = ({ file, owner }: SiteView) =>
    includeOf(file) !== undefined ||
    (owner !== undefined && namesFile(file, tenantFilePath(apache, owner.uid)));
  const hasModQos = await readHasModQos(apache);
  const sites = apacheSiteEntries(survey.sites, { limits, hasModQos, willInclude });
  const files = tenantFiles(apache, sites, limits);
  if (!files.ok) return files;
  const domains = sites.flatMap(({ site, state }): readonly WantedFile[] => {
    const path = includeOf(site.file);
    if (state === 'nothing to count' || path === undefined || site.owner === undefined) return [];
    const line = `IncludeOptional ${tenantFilePath(apache, site.owner.uid)}\n`;
    return [{ path, text: `${mark}${line}`, inHome: true }];
  });
  const wanted = [
    ...files.value,
    ...new Map(domains.map((each) => [each.path, each])).values(),
    { path: apacheEntriesPath(apache), text: apacheServerFile(socket) },
  ];
  return planned(apache, survey, { sites, wanted, notes: notesOf(apache, sites) });
}

/** Those of tenants that have no limit any more go: a vhost includes them only if they are there. */
function tenantFiles(
  apache: ApacheProgram,
  sites: readonly SiteEntries[],
  limits: EntryLimits,
): Result<readonly WantedFile[], Problem> {
  const page = readFileSync(packageFile('web/508.html'), 'utf8');
  const owners = new Set(
    sites.flatMap(({ site, limit }) => (limit === undefined ? [] : (site.owner?.uid ?? []))),
  );
  const files: WantedFile[] = [];
  for (const uid of owners) {
    const text = apacheTenantFile(limits.get(uid) ?? 0, page);
    if (!text.ok) return text;
    files.push({ path: tenantFilePath(apache, uid), text: text.value });
  }
  const kept = new Set(files.map(({ path }) => path));
  return ok([...files, ...oldFiles(apache).filter(({ path }) => !kept.has(path))]);
}

function oldFiles({ directory }: ApacheProgram): readonly WantedFile[] {
  return namesIn(`${directory}/bulkhead`)
    .filter((name) => /^u\d{1,10}\.conf$/.test(name))
    .map((name) => ({ path: `${directory}/bulkhead/${name}`, text: undefined }));
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

export function planApacheRemoval(
  apache: ApacheProgram,
  survey: Survey,
): Result<ServerEntries, Problem> {
  const accepted = serverAccepted(survey, 'apache2');
  if (!accepted.ok) return accepted;
  const domains = survey.sites
    .filter(({ server }) => server === 'apache')
    .flatMap(({ file }) => domainInclude(file) ?? []);
  const wanted: readonly WantedFile[] = [
    { path: apacheEntriesPath(apache), text: undefined },
    ...[...new Set(domains)].map((path) => ({ path, text: undefined, inHome: true })),
    ...oldFiles(apache),
  ];
  return planned(apache, survey, { sites: [], wanted, notes: [] });
}

interface Parts {
  readonly sites: readonly SiteEntries[];
  readonly wanted: readonly WantedFile[];
  readonly notes: readonly Note[];
}

function planned(
  apache: ApacheProgram,
  survey: Survey,
  { sites, wanted, notes }: Parts,
): Result<ServerEntries, Problem> {
  const changes = changesTo(wanted, mark);
  if (!changes.ok) return changes;
  const held = sites.filter(({ state }) => state === 'held').map(({ site }) => site);
  return ok({
    server: 'apache2',
    enabled: namesIn(`${apache.directory}/conf-enabled`).includes(
      basename(apacheEntriesPath(apache)),
    ),
    sites,
    held: held.map(({ owner, names }) => ({ name: names[0] ?? '', uid: owner?.uid ?? 0 })),
    changes: changes.value,
    notes,
    apply: () =>
      applyChanges(changes.value, {
        problem: () => unaccepted(apache),
        reload: () => reloadApache(apache, survey.apachePidFile),
      }),
  });
}

async function unaccepted(apache: ApacheProgram): Promise<Problem | undefined> {
  const [problem] = (await readApache(apache)).problems;
  if (problem === undefined) return undefined;
  const { file = '', line = '', message } = problem;
  const reason = file === '' ? message : `${file}:${line}: ${message}`;
  return { action: 'hold tenants to their entries at Apache', reason };
}

/** ` qos_module (shared)` */
async function readHasModQos({ program, args, environment }: ApacheProgram): Promise<boolean> {
  const run = await runBounded(program, [...args, '-M'], { environment });
  return run.ok && /^ qos_module /m.test(Buffer.from(run.value.stdout).toString('utf8'));
}

function notesOf(apache: ApacheProgram, sites: readonly SiteEntries[]): readonly Note[] {
  return alike(
    sites.flatMap(({ site, state, reason = '' }) => {
      if (state !== 'not held') return [];
      const place = `${site.file}:${site.line}`;
      const line = `IncludeOptional ${tenantFilePath(apache, site.owner?.uid ?? 0)}`;
      const isMissing = reason === notIncluded;
      return [[isMissing ? `Add the line "${line}" to the vhost` : `Not held: ${reason}`, place]];
    }),
  );
}
