/**
 * Which pools leave the distribution's php-fpm for a service of their tenant's, and which stay and why. A file is
 * moved whole or not at all; whatever is not understood stays where it is served, here or there.
 */
import type { Site } from '../../../../policy/policy.ts';
import { poolOf, type FpmSection } from '../dump.ts';
import type { FpmFile } from '../file.ts';
import { directoryOf, listenOf, type Listen } from './listen.ts';

export interface PoolFile extends FpmFile {
  readonly path: string;
  readonly text: string;
  /** Whether an account without rights may read it. */
  readonly isPublic: boolean;
}

/** A tenant as far as its service needs to know it. */
export interface ServiceTenant {
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  /** Concurrent requests; absent without a limit. */
  readonly entries?: number;
  /** Whether no other tenant has its group. */
  readonly hasOwnGroup: boolean;
  readonly sites?: readonly ServiceSite[];
}

export interface ServiceSite extends Pick<Site, 'name' | 'madeBy'> {
  readonly entries?: number;
}

export interface SplitFacts {
  /** By the user of a pool; nothing where it is not a tenant. */
  readonly tenantOf: (user: string) => ServiceTenant | undefined;
  readonly isChosen: (uid: number) => boolean;
  readonly gidOf: (group: string) => number | undefined;
  /** Who other than root could change the file, as a clause. */
  readonly unsafeFile: (path: string) => string | undefined;
  /** Why the directory of a socket cannot be used, as a clause. */
  readonly unsafeDirectory: (path: string) => string | undefined;
  /** Where services listen that stay as they are installed, whatever is in files by now. */
  readonly isPinned: (listen: string) => boolean;
  /** The site of the tenant that what listens there serves, and nothing else. */
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
  /** As php-fpm understands it; absent for a pool that Bulkhead writes. */
  readonly section?: FpmSection;
}

export interface Service {
  readonly tenant: ServiceTenant;
  /** Absent for all that is not of a site. */
  readonly site?: string;
  readonly pools: readonly ServicePool[];
  readonly files: readonly PoolFile[];
  /** Why the master has to be root, if it has to. */
  readonly asRoot?: string;
}

export interface Kept {
  readonly pool: string;
  readonly user: string;
  /** Of the user, where it is a tenant. */
  readonly uid?: number;
  readonly listen: string;
  /** `FILE:LINE`; empty where it is not in a file that the main file includes. */
  readonly place: string;
  /** All files that have a part of it. */
  readonly files: readonly string[];
  /** Absent where nobody wants it to leave. */
  readonly reason?: string;
}

export interface Split {
  /** By uid; of each the one without a site first. */
  readonly services: readonly Service[];
  readonly kept: readonly Kept[];
  /** Files of pools that stay, in the order in which php-fpm reads them. */
  readonly keptFiles: readonly PoolFile[];
}

interface Placed {
  readonly section: FpmSection;
  readonly listen: string;
  /** More than one where it is begun in a file and gone on with in another. */
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
  const verdicts = new Map(placed.map((each) => [each, obstacleTo(each, shared, facts)]));
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
    tenant: tenantOf(poolOf(section).user),
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

/** Why a pool has to stay: `not wanted` for those that nobody has asked for. */
type Obstacle = { readonly kind: 'not wanted' } | { readonly kind: 'reason'; readonly why: string };

const because = (why: string): Obstacle => ({ kind: 'reason', why });

function obstacleTo(
  { section, listen, places: [first, ...others], tenant }: Placed,
  shared: ReadonlySet<string>,
  facts: SplitFacts,
): Obstacle | undefined {
  if (tenant === undefined || !facts.isChosen(tenant.uid)) return { kind: 'not wanted' };
  if (facts.isPinned(listen)) return because('its service stays as it is');
  if (first === undefined)
    return because('its section is in none of the files that the main file includes');
  if (others.length > 0)
    return because(
      `its section goes on at ${others.map(({ file, line }) => `${file.path}:${line}`).join(', ')}`,
    );
  const why =
    fileObstacle(first.file, tenant, facts) ?? poolObstacle(section, tenant, shared, facts);
  return why === undefined ? undefined : because(why);
}

function fileObstacle(
  file: PoolFile,
  tenant: ServiceTenant,
  { unsafeFile }: SplitFacts,
): string | undefined {
  const { path, sections, includes, loose, isPublic } = file;
  if (sections.some(({ name }) => name === 'global')) return 'its file has a [global] section';
  if (includes.length > 0) return 'its file includes another one';
  if (loose !== undefined)
    return `line ${loose} of its file is before any section, and so changes another pool`;
  if (!isPublic && !tenant.hasOwnGroup)
    return `its file is not for everybody to read, and other tenants have the group of ${tenant.user}`;
  return unsafeFile(path);
}

const plainName = /^[A-Za-z0-9_.-]{1,80}$/;
const plainAccount = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

function poolObstacle(
  section: FpmSection,
  tenant: ServiceTenant,
  shared: ReadonlySet<string>,
  { gidOf, unsafeDirectory }: SplitFacts,
): string | undefined {
  const { name, values } = section;
  const text = values.get('listen') ?? '';
  if (!plainName.test(name))
    return 'its name has other characters than letters, digits, "_", "." and "-"';
  if (shared.has(text)) return `another pool listens at ${text}, too`;
  const listen = listenOf(text);
  if (typeof listen === 'string') return listen;
  if (values.has('listen.acl_users') || values.has('listen.acl_groups'))
    return 'its socket has an access list (listen.acl_users, listen.acl_groups)';
  if (values.has('pm.status_listen')) return 'it has a socket for its status (pm.status_listen)';
  for (const key of ['listen.owner', 'listen.group'])
    if (!plainAccount.test(values.get(key) ?? 'root')) return `its ${key} is not a name`;
  const group = values.get('group');
  if (group !== undefined && gidOf(group) === undefined) return `its group ${group} is not known`;
  if (!plainAccount.test(tenant.user)) return 'its user has a name that systemd does not accept';
  return unsafeDirectory(directoryOf(text));
}

function keptOf({ section, listen, places, tenant }: Placed, obstacle: Obstacle | undefined): Kept {
  const [first] = places;
  const kept = {
    pool: section.name,
    user: section.values.get('user') ?? '',
    ...(tenant === undefined ? {} : { uid: tenant.uid }),
    listen,
    place: first === undefined ? '' : `${first.file.path}:${first.line}`,
    files: places.map(({ file }) => file.path),
  };
  if (obstacle?.kind === 'not wanted') return kept;
  return { ...kept, reason: obstacle?.why ?? 'another pool of its file has to stay' };
}

function servicesOf(
  placed: readonly Placed[],
  files: readonly PoolFile[],
  facts: SplitFacts,
): readonly Service[] {
  const siteOf = siteReader(placed, facts);
  const byService = Map.groupBy(placed, (each) => `${each.tenant?.uid} ${siteOf(each) ?? ''}`);
  return [...byService.values()]
    .flatMap((of): readonly Service[] => {
      const [first] = of;
      const tenant = first?.tenant;
      if (tenant === undefined) return [];
      const site = first === undefined ? undefined : siteOf(first);
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

export const byUidAndSite = (a: Service, b: Service): number =>
  a.tenant.uid - b.tenant.uid || ((a.site ?? '') < (b.site ?? '') ? -1 : 1);

/** A file goes whole into one service: that of a site where all of its pools serve that site. */
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

/** What only a master that runs as root can do for its workers. */
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

/** Source: fpm_unix.c, fpm_unix_resolve_socket_permissions(): 0660, and root's where it names nobody. */
function servicePool(section: FpmSection): ServicePool {
  const { name, values } = section;
  const listen = listenOf(values.get('listen') ?? '');
  if (typeof listen === 'string') throw new Error(listen);
  const owner = values.get('listen.owner');
  const group = values.get('listen.group');
  const mode = values.get('listen.mode') ?? '';
  const backlog = Number(values.get('listen.backlog') ?? defaultBacklog);
  return {
    name,
    listen,
    ...(owner === undefined ? {} : { owner }),
    ...(group === undefined ? {} : { group }),
    mode: /^0?[0-7]{3}$/.test(mode) ? mode.padStart(4, '0') : '0660',
    backlog: backlog > 0 ? backlog : defaultBacklog,
    pm: values.get('pm') ?? '',
    section,
  };
}

/** Of FPM where the pool names none, which it prints as -1. */
const defaultBacklog = 511;
