/**
 * Splits pools into those that move from the distribution's php-fpm to a tenant's service, and those that stay,
 * with the reason. A file moves whole or not at all. A pool that is not understood stays where it is served, here
 * or there.
 */
import { formatCause, type Cause } from '../../../../../packages/base/problem.ts';
import type { Site } from '../../../../policy/policy.ts';
import { poolOfSection, type FpmSection } from '../dump.ts';
import type { FpmFile } from '../file.ts';
import { socketDirectory, listenOf, type Listen } from './listen.ts';

export interface PoolFile extends FpmFile {
  readonly path: string;
  readonly text: string;
  /** Whether an account without rights may read it. */
  readonly isPublic: boolean;
}

/** The facts about a tenant that its service needs. */
export interface ServiceTenant {
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  /** The limit of concurrent requests; absent if there is none. */
  readonly entries?: number;
  /** Whether no other tenant has its group. */
  readonly hasOwnGroup: boolean;
  readonly sites?: readonly ServiceSite[];
}

export interface ServiceSite extends Pick<Site, 'name' | 'madeBy'> {
  readonly entries?: number;
}

export interface SplitFacts {
  /** Returns the tenant for the user of a pool; nothing if the user is not a tenant. */
  readonly tenantOf: (user: string) => ServiceTenant | undefined;
  readonly isChosen: (uid: number) => boolean;
  readonly gidOf: (group: string) => number | undefined;
  /** Returns a clause that names who other than root could change the file, if anybody could. */
  readonly unsafeFile: (path: string) => Cause | undefined;
  /** Returns why the directory of a socket cannot be used, as a clause. */
  readonly unsafeDirectory: (path: string) => Cause | undefined;
  /** Whether a service listens there that stays as it is installed, whatever pool files contain now. */
  readonly isPinned: (listen: string) => boolean;
  /** Returns the other build of PHP that has a pool at an address at which the tenant has no service yet. */
  readonly claimedBy?: (listen: string, uid: number) => string | undefined;
  /** Returns the one site of the tenant that the listener there serves; nothing if it serves others, too. */
  readonly siteOf: (tenant: ServiceTenant, listen: string) => string | undefined;
}

export interface ServicePool {
  readonly name: string;
  readonly listen: Listen;
  readonly owner?: string;
  readonly group?: string;
  readonly mode: string;
  readonly backlog: number;
  /** `static`, `dynamic` or `ondemand`. */
  readonly pm: string;
  /** The section as php-fpm understands it; absent for a pool that Bulkhead writes. */
  readonly section?: FpmSection;
}

export interface SplitService {
  readonly tenant: ServiceTenant;
  /** The site; absent for a service of everything else. */
  readonly site?: string;
  readonly pools: readonly ServicePool[];
  readonly files: readonly PoolFile[];
  /** The reason why the master has to be root, if it has to. */
  readonly asRoot?: string;
}

export interface KeptPool {
  /** The pool's name. */
  readonly pool: string;
  /** The account that it runs as. */
  readonly user: string;
  /** The uid of the user, if it is a tenant. */
  readonly uid?: number;
  /** The socket. */
  readonly listen: string;
  /** `FILE:LINE`; empty if it is not in a file that the main file includes. */
  readonly place: string;
  /** All files that have a part of it. */
  readonly files: readonly string[];
  /** The reason why it stays; absent if nobody wants it to leave. */
  readonly reason?: string;
}

export interface Split {
  /** Services sorted by uid. For each tenant, the one without a site comes first. */
  readonly services: readonly SplitService[];
  readonly kept: readonly KeptPool[];
  /** Files of pools that stay, in the order in which php-fpm reads them. */
  readonly keptFiles: readonly PoolFile[];
}

interface Placed {
  readonly section: FpmSection;
  readonly listen: string;
  /** The places of its section: more than one if it begins in one file and continues in another. */
  readonly places: readonly { readonly file: PoolFile; readonly line: number }[];
  readonly tenant: ServiceTenant | undefined;
}

export function splitPools(
  sections: readonly FpmSection[],
  files: readonly PoolFile[],
  facts: SplitFacts,
): Split {
  const placed = placeSections(sections, files, facts);
  const shared = sharedAddresses(sections);
  const verdicts = new Map(placed.map((each) => [each, blockerTo(each, shared, facts)]));
  const inside = Map.groupBy(
    placed.flatMap((each) => each.places.map(({ file }) => ({ file, each }))),
    ({ file }) => file,
  );
  const poolsIn = (file: PoolFile) => (inside.get(file) ?? []).map(({ each }) => each);
  const leaving = new Set(
    files.filter((file) => {
      const pools = poolsIn(file);
      return pools.length > 0 && pools.every((each) => verdicts.get(each) === undefined);
    }),
  );
  const isPinned = (file: PoolFile) => poolsIn(file).some(({ listen }) => facts.isPinned(listen));
  const isLeaving = ({ places: [first] }: Placed) => first !== undefined && leaving.has(first.file);
  const staying = placed.filter((each) => !isLeaving(each));
  return {
    services: servicesOf(placed.filter(isLeaving), [...leaving], facts),
    kept: staying.map((each) => keptOf(each, verdicts.get(each))),
    keptFiles: files.filter((file) => !leaving.has(file) && !isPinned(file)),
  };
}

function placeSections(
  sections: readonly FpmSection[],
  files: readonly PoolFile[],
  { tenantOf }: SplitFacts,
): readonly Placed[] {
  const byName = new Map<string, { file: PoolFile; line: number }[]>();
  for (const file of files)
    for (const { name, line } of file.sections)
      byName.set(name, [...(byName.get(name) ?? []), { file, line }]);
  return sections.map((section) => ({
    section,
    listen: section.values.get('listen') ?? '',
    places: byName.get(section.name) ?? [],
    tenant: tenantOf(poolOfSection(section).user),
  }));
}

function sharedAddresses(sections: readonly FpmSection[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { values } of sections) {
    const listen = values.get('listen') ?? '';
    if (seen.has(listen)) shared.add(listen);
    seen.add(listen);
  }
  return shared;
}

/** The reason why a pool has to stay: `not wanted` if nobody has asked for it to move. */
type Blocker = 'not wanted' | Cause;

function blockerTo(
  { section, listen, places: [first, ...others], tenant }: Placed,
  shared: ReadonlySet<string>,
  facts: SplitFacts,
): Blocker | undefined {
  if (tenant === undefined || !facts.isChosen(tenant.uid)) return 'not wanted';
  if (facts.isPinned(listen)) return { reason: 'its service stays as it is' };
  if (first === undefined)
    return { reason: 'its section is in none of the files that the main file includes' };
  if (others.length > 0) {
    const where = others.map(({ file, line }) => `${file.path}:${line}`).join(', ');
    return { reason: `its section goes on at ${where}` };
  }
  return fileBlocker(first.file, tenant, facts) ?? poolBlocker(section, tenant, shared, facts);
}

function fileBlocker(
  file: PoolFile,
  tenant: ServiceTenant,
  { unsafeFile }: SplitFacts,
): Cause | undefined {
  const { path, sections, includes, loose, isPublic } = file;
  if (sections.some(({ name }) => name === 'global'))
    return { reason: 'its file has a [global] section' };
  if (includes.length > 0) return { reason: 'its file includes another one' };
  if (loose !== undefined)
    return {
      reason: `line ${loose} of its file is before any section, and so changes another pool`,
    };
  if (!isPublic && !tenant.hasOwnGroup)
    return {
      reason: `its file is not for everybody to read, and other tenants have the group of ${tenant.user}`,
    };
  return unsafeFile(path);
}

const plainName = /^[A-Za-z0-9_.-]{1,80}$/;
const plainAccount = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

function poolBlocker(
  section: FpmSection,
  tenant: ServiceTenant,
  shared: ReadonlySet<string>,
  { gidOf, unsafeDirectory, claimedBy }: SplitFacts,
): Cause | undefined {
  const { name, values } = section;
  const text = values.get('listen') ?? '';
  if (!plainName.test(name))
    return { reason: 'its name has other characters than letters, digits, "_", "." and "-"' };
  if (shared.has(text)) return { reason: `another pool listens at ${text}, too` };
  const other = claimedBy?.(text, tenant.uid);
  if (other !== undefined)
    return {
      reason: `a pool of PHP ${other} listens at ${text}, too`,
      hint: 'remove one of the two',
    };
  const listen = listenOf(text);
  if (!listen.ok) return listen.error;
  if (values.has('listen.acl_users') || values.has('listen.acl_groups'))
    return { reason: 'its socket has an access list (listen.acl_users, listen.acl_groups)' };
  if (values.has('pm.status_listen'))
    return { reason: 'it has a socket for its status (pm.status_listen)' };
  for (const key of ['listen.owner', 'listen.group'])
    if (!plainAccount.test(values.get(key) ?? 'root'))
      return { reason: `its ${key} is not a name` };
  const group = values.get('group');
  if (group !== undefined && gidOf(group) === undefined)
    return { reason: `its group ${group} is not known` };
  if (!plainAccount.test(tenant.user))
    return { reason: 'its user has a name that systemd does not accept' };
  return unsafeDirectory(socketDirectory(text));
}

const anotherStays: Cause = { reason: 'another pool of its file has to stay' };

function keptOf(
  { section, listen, places, tenant }: Placed,
  blocker: Blocker | undefined,
): KeptPool {
  const [first] = places;
  const kept = {
    pool: section.name,
    user: section.values.get('user') ?? '',
    ...(tenant === undefined ? {} : { uid: tenant.uid }),
    listen,
    place: first === undefined ? '' : `${first.file.path}:${first.line}`,
    files: places.map(({ file }) => file.path),
  };
  if (blocker === 'not wanted') return kept;
  return { ...kept, reason: formatCause(blocker ?? anotherStays) };
}

function servicesOf(
  placed: readonly Placed[],
  files: readonly PoolFile[],
  facts: SplitFacts,
): readonly SplitService[] {
  const siteOf = siteReader(placed, facts);
  const byService = Map.groupBy(placed, (each) => `${each.tenant?.uid} ${siteOf(each) ?? ''}`);
  return [...byService.values()]
    .flatMap((of): readonly SplitService[] => {
      const [first] = of;
      const tenant = first?.tenant;
      if (first === undefined || tenant === undefined) return [];
      const site = siteOf(first);
      const sections = of.map(({ section }) => section);
      const asRoot = sections.map((each) => rootReason(each, tenant, facts)).find(Boolean);
      return [
        {
          tenant,
          ...(site === undefined ? {} : { site }),
          pools: sections.map(servicePool),
          files: files.filter((file) => of.some(({ places }) => places[0]?.file === file)),
          ...(asRoot === undefined ? {} : { asRoot }),
        },
      ];
    })
    .sort(byUidAndSite);
}

export const byUidAndSite = (a: SplitService, b: SplitService): number =>
  a.tenant.uid - b.tenant.uid || ((a.site ?? '') < (b.site ?? '') ? -1 : 1);

/**
 * Returns the site of a pool's service. A file goes whole into one service: a site's if all of its pools serve
 * that site.
 */
function siteReader(placed: readonly Placed[], { siteOf }: SplitFacts) {
  const byFile = Map.groupBy(placed, ({ places: [first] }) => first?.file);
  const sites = new Map(
    [...byFile].map(([file, pools]) => {
      const [first, ...others] = pools.map(({ tenant, listen }) =>
        tenant === undefined ? undefined : siteOf(tenant, listen),
      );
      return [file, others.every((each) => each === first) ? first : undefined] as const;
    }),
  );
  return ({ places: [first] }: Placed): string | undefined => sites.get(first?.file);
}

/** Returns a setting that only a root master can apply to its workers, if the pool has one. */
function rootReason(
  { name, values }: FpmSection,
  tenant: ServiceTenant,
  { gidOf }: SplitFacts,
): string | undefined {
  const group = values.get('group');
  if (group !== undefined && gidOf(group) !== tenant.gid) return `pool ${name} has group ${group}`;
  const set = (key: string) => (values.get(key) ?? '0') !== '0';
  const key = [
    'chroot',
    'access.log',
    'slowlog',
    'process.priority',
    'rlimit_files',
    'rlimit_core',
  ].find(set);
  return key === undefined ? undefined : `pool ${name} has ${key}`;
}

/**
 * Returns the pool for a unit. Defaults are 0660 and root. Source: fpm_unix.c,
 * fpm_unix_resolve_socket_permissions().
 */
function servicePool(section: FpmSection): ServicePool {
  const { name, values } = section;
  const listen = listenOf(values.get('listen') ?? '');
  if (!listen.ok) throw new Error(formatCause(listen.error));
  const owner = values.get('listen.owner');
  const group = values.get('listen.group');
  const mode = values.get('listen.mode') ?? '';
  const backlog = Number(values.get('listen.backlog') ?? defaultBacklog);
  return {
    name,
    listen: listen.value,
    ...(owner === undefined ? {} : { owner }),
    ...(group === undefined ? {} : { group }),
    mode: /^0?[0-7]{3}$/.test(mode) ? mode.padStart(4, '0') : '0660',
    backlog: backlog > 0 ? backlog : defaultBacklog,
    pm: values.get('pm') ?? '',
    section,
  };
}

/** The backlog that FPM uses if the pool names none, which it prints as -1. */
const defaultBacklog = 511;
