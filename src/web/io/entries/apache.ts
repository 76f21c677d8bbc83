/**
 * Entries at Apache: the files that are wanted, and how they are written without an interruption. Apache reads its
 * whole configuration before and after. If it does not accept the new one, everything is as before.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { packageFile } from '../../../sys/package-files.ts';
import {
  apacheMemberFile,
  apacheMemberFileName,
  apacheServerFile,
  memberOfFile,
} from '../../core/entries/apache-files.ts';
import {
  apacheSiteEntries,
  fileBound,
  membersFor,
  notIncluded,
  notOfSite,
} from '../../core/entries/apache-enforcement.ts';
import { isEnforced, type SiteEntries } from '../../core/entries/enforcement.ts';
import type { EntryLimits } from '../../core/entries/limits.ts';
import { mark } from '../../core/entries/nginx-file.ts';
import { alike, type Note } from '../../core/notes.ts';
import type { SiteView } from '../../core/overview.ts';
import type { Member } from '../../../usage/member.ts';
import { runBounded } from '../../../sys/processes/run-bounded.ts';
import { readApache, type ApacheProgram } from '../servers.ts';
import type { Survey } from '../survey.ts';
import { reloadApache } from './apache-process.ts';
import { domainInclude, isAmong, namesFile, remembered } from './domain-includes.ts';
import type { FileChange } from '../../../sys/files/file-transaction.ts';
import { changesTo, type WantedFile } from './file-changes.ts';
import {
  applyServerChanges,
  problemText,
  serverAccepted,
  type ServerEntries,
} from './server-entries.ts';
import { vhostEdits, vhostRestorations, type MissingLine } from './vhost-edits.ts';
import { namesIn } from '../../../../packages/base/io/read.ts';

interface Setting {
  readonly limits: EntryLimits;
  readonly socket: string;
  /** Whether the lines that vhosts need are written into their files. */
  readonly editVhosts?: boolean;
}

export const apacheEntriesPath = ({ ownFile }: ApacheProgram): string => ownFile;

const memberFilePath = ({ directory }: ApacheProgram, member: Member) =>
  `${directory}/bulkhead/${apacheMemberFileName(member)}`;

/** Plans what `enable` or a later sync would change. */
export async function planApache(
  apache: ApacheProgram,
  survey: Survey,
  { limits, socket, editVhosts = false }: Setting,
): Promise<Result<ServerEntries, Problem>> {
  const accepted = serverAccepted(survey, 'apache2');
  if (!accepted.ok) return accepted;
  const includeOf = remembered(domainInclude);
  const willInclude = ({ file }: SiteView, members: readonly Member[]) =>
    includeOf(file) === undefined
      ? members.find((each) => namesFile(file, memberFilePath(apache, each)))
      : members[0];
  const hasModQos = await readHasModQos(apache);
  const sites = apacheSiteEntries(survey.sites, { limits, hasModQos, willInclude });
  const files = memberFiles(apache, sites, limits);
  if (!files.ok) return files;
  const domains = sites.flatMap(({ site, state }): readonly WantedFile[] => {
    const path = includeOf(site.file);
    if (state === 'nothing to count' || path === undefined || site.owner === undefined) return [];
    const [member] = membersFor(site, limits);
    return [{ path, text: `${mark}${includeLine(apache, member)}\n`, inHome: true }];
  });
  const wanted = [
    ...files.value,
    ...new Map(domains.map((each) => [each.path, each])).values(),
    { path: apacheEntriesPath(apache), text: apacheServerFile(socket) },
  ];
  const edits = editVhosts ? vhostEdits(missingLines(apache, sites, limits)) : [];
  return planned(apache, survey, { sites, wanted, edits, notes: notesOf(apache, sites, limits) });
}

const includeLine = (apache: ApacheProgram, member: Member): string =>
  `IncludeOptional ${memberFilePath(apache, member)}`;

function missingLines(
  apache: ApacheProgram,
  sites: readonly SiteEntries[],
  limits: EntryLimits,
): readonly MissingLine[] {
  return sites.flatMap(({ site, reason }) => {
    if (reason !== notIncluded) return [];
    const { file, line } = site;
    return [{ file, line, directive: includeLine(apache, membersFor(site, limits)[0]) }];
  });
}

/**
 * Returns the files of every tenant and site that has vhosts with limits, and the files that vhosts include. Files
 * of tenants without limits are removed: vhosts include them only if they exist.
 */
function memberFiles(
  apache: ApacheProgram,
  sites: readonly SiteEntries[],
  limits: EntryLimits,
): Result<readonly WantedFile[], Problem> {
  const page = readFileSync(packageFile('web/508.html'), 'utf8');
  const members = new Set(
    sites
      .filter(({ bounds }) => bounds.length > 0)
      .flatMap(({ site }) => [...membersFor(site, limits), site.entriesOf ?? []].flat()),
  );
  const files: WantedFile[] = [];
  for (const member of members) {
    const bound = fileBound(member, limits);
    if (bound === undefined) continue;
    const text = apacheMemberFile(bound, page);
    if (!text.ok) return text;
    files.push({ path: memberFilePath(apache, member), text: text.value });
  }
  const kept = new Set(files.map(({ path }) => path));
  return ok([...files, ...oldFiles(apache).filter(({ path }) => !kept.has(path))]);
}

function oldFiles({ directory }: ApacheProgram): readonly WantedFile[] {
  return namesIn(`${directory}/bulkhead`)
    .map((name) => `${directory}/bulkhead/${name}`)
    .filter((path) => memberOfFile(path) !== undefined)
    .map((path) => ({ path, text: undefined }));
}

export function planApacheRemoval(
  apache: ApacheProgram,
  survey: Survey,
): Result<ServerEntries, Problem> {
  const accepted = serverAccepted(survey, 'apache2');
  if (!accepted.ok) return accepted;
  const files = survey.sites.filter(({ server }) => server === 'apache').map(({ file }) => file);
  const domains = files.flatMap((file) => domainInclude(file) ?? []);
  const edits = vhostRestorations(files);
  const wanted: readonly WantedFile[] = [
    { path: apacheEntriesPath(apache), text: undefined },
    ...[...new Set(domains)].map((path) => ({ path, text: undefined, inHome: true })),
    ...oldFiles(apache),
  ];
  return planned(apache, survey, { sites: [], wanted, edits, notes: [] });
}

interface Parts {
  readonly sites: readonly SiteEntries[];
  readonly wanted: readonly WantedFile[];
  readonly edits: readonly FileChange[];
  readonly notes: readonly Note[];
}

function planned(
  apache: ApacheProgram,
  survey: Survey,
  { sites, wanted, edits, notes }: Parts,
): Result<ServerEntries, Problem> {
  const wanting = changesTo(wanted, mark);
  if (!wanting.ok) return wanting;
  const changes = [...wanting.value, ...edits];
  const enforced = sites.filter(isEnforced).map(({ site }) => site);
  return ok({
    server: 'apache2',
    enabled: namesIn(dirname(apache.ownFile)).includes(basename(apache.ownFile)),
    sites,
    enforced: enforced.map(({ owner, names }) => ({ name: names[0] ?? '', uid: owner?.uid ?? 0 })),
    changes,
    notes,
    apply: (run) =>
      applyServerChanges({ server: 'apache2', changes }, run, {
        problem: () => unaccepted(apache, changes),
        reload: () => reloadApache(apache, survey.apachePidFiles),
      }),
  });
}

async function unaccepted(
  apache: ApacheProgram,
  changes: readonly FileChange[],
): Promise<Problem | undefined> {
  const action = 'enforce entries at Apache';
  const read = await readApache(apache);
  const [problem] = read.problems;
  if (problem !== undefined) return { action, reason: problemText(problem) };
  const path = apacheEntriesPath(apache);
  const isWanted = changes.some((each) => each.path === path && each.after !== undefined);
  // Without mod_qos, the file has no directive that counts.
  if (!isWanted || isAmong(path, read.files) || !(await readHasModQos(apache))) return undefined;
  const reason = `its configuration does not include ${path}`;
  return { action, reason, hint: `add the line: IncludeOptional ${path}` };
}

/** Whether `apache2 -M` prints ` qos_module (shared)`. */
async function readHasModQos({ program, args, environment }: ApacheProgram): Promise<boolean> {
  const run = await runBounded(program, [...args, '-M'], { environment });
  return run.ok && /^ qos_module /m.test(Buffer.from(run.value.stdout).toString('utf8'));
}

function notesOf(
  apache: ApacheProgram,
  sites: readonly SiteEntries[],
  limits: EntryLimits,
): readonly Note[] {
  return alike(
    sites.flatMap(({ site, state, reason = '' }) => {
      if (state !== 'not enforced' && state !== 'partly enforced') return [];
      const place = `${site.file}:${site.line}`;
      const [member, other] = membersFor(site, limits);
      const line = includeLine(apache, member);
      if (reason === notIncluded)
        return [[`Add the line "${line}" to the vhost, or enable with --edit-vhosts`, place]];
      if (reason !== notOfSite || other === undefined) return [[`Not enforced: ${reason}`, place]];
      const instead = memberFilePath(apache, other);
      return [[`Change the line "IncludeOptional ${instead}" of the vhost to "${line}"`, place]];
    }),
  );
}
