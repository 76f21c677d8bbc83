/**
 * The split, and php-fpm's verdict on it. Each tenant is refused on its own: it stays with the distribution's service,
 * or with its present service and configuration. It never keeps a pool that root's files no longer give it.
 */
import { formatCause } from '../../../../packages/base/problem.ts';
import { isChosen, type ServiceChoice } from '../../core/fpm/service/choice.ts';
import { serviceConfig } from '../../core/fpm/service/config.ts';
import { sectionsInText } from '../../core/fpm/service/text-sections.ts';
import { serviceName, serviceUnit } from '../../core/fpm/service/units.ts';
import { splitPools, type SplitService, type Split } from '../../core/fpm/service/split.ts';
import { inParallel } from './check/budget.ts';
import { checkService } from './check/check.ts';
import { placeText } from './check/dump.ts';
import type { CheckRun } from './check/left-out.ts';
import { digestOfParts, unfinishedReason } from './check/unfinished.ts';
import { configPath, type FpmContext } from './context.ts';
import type { HostView } from './facts.ts';
import { readClaims, type FpmInputs } from './inputs.ts';
import { streamsOf, type Installed } from './installed.ts';
import type { FpmLayout } from './layout.ts';
import { withOwnPools } from './own-pools.ts';
import { readPoolSites } from './pool-sites.ts';
import { RootsWill } from './roots-will.ts';

export interface SplitRefusal {
  /** Absent if the account that a pool names does not exist. */
  readonly uid?: number;
  /** The account that the pool names. */
  readonly user: string;
  /** The reason, for people. */
  readonly reason: string;
}

export interface Checked {
  readonly split: Split;
  readonly services: readonly SplitService[];
  readonly refused: readonly SplitRefusal[];
  /** Tenants that keep what is installed, as far as root's files still give it to them. */
  readonly pinned: ReadonlySet<number>;
  readonly will: RootsWill;
}

/** Splits the pools. Refused tenants stay with the distribution's service, or with the service that they have. */
export async function checkedSplit(
  context: FpmContext,
  choice: ServiceChoice,
  inputs: FpmInputs,
  host: HostView,
  installed: Installed,
  check: CheckRun,
): Promise<Checked> {
  const { layout, fpm, web, others = [] } = context;
  const claims = readClaims(others, (path, php) => host.unsafeFile(path, php) !== undefined);
  const siteOf = await readPoolSites(web, host.tenants, layout, installed);
  const streams = installedStreams(layout, installed);
  const will = new RootsWill(inputs, host, choice, fpm.php);
  const accepted = inputs.files.filter(({ path }) => !inputs.leftOut.has(path));
  const split = (without: readonly SplitRefusal[]) => {
    const uids = uidsOf(without);
    return splitPools(inputs.sections, accepted, {
      ...host,
      siteOf,
      // A service that listens goes on, whatever a stale file of another build says.
      claimedBy: (listen, uid) => (streams.get(listen) === uid ? undefined : claims.get(listen)),
      isChosen: (uid) => isChosen(choice, uid) && (!uids.has(uid) || isInstalled(installed, uid)),
      isPinned(listen) {
        const uid = streams.get(listen);
        return uid !== undefined && uids.has(uid) && will.gives(uid, listen);
      },
    });
  };
  const first = split([]);
  const leftOut = leftOutTenants(inputs, host);
  const unsafe = nowUnsafe(first, streams, choice, host).filter(
    ({ uid }) => !leftOut.some((each) => each.uid === uid),
  );
  const known = [...leftOut, ...unsafe];
  const services = withOwnPools(first, choice, host, fpm.php).filter(
    ({ tenant }) => !known.some(({ uid }) => uid === tenant.uid),
  );
  const refused = [...known, ...(await refusedBy(context, services, installed, check))];
  const uids = uidsOf(refused);
  const taken = refused.length === 0 ? first : split(refused);
  return {
    split: taken,
    services: withOwnPools(taken, choice, host, fpm.php).filter(
      ({ tenant }) => !uids.has(tenant.uid),
    ),
    refused,
    pinned: new Set(
      [...uids].filter((uid) => isChosen(choice, uid) && isInstalled(installed, uid)),
    ),
    will,
  };
}

const uidsOf = (refused: readonly SplitRefusal[]): ReadonlySet<number> =>
  new Set(refused.flatMap(({ uid }) => uid ?? []));

/** Tenants with a pool in a file with which php-fpm accepts nothing. */
function leftOutTenants(
  { files, leftOut }: FpmInputs,
  { tenantOf }: HostView,
): readonly SplitRefusal[] {
  const found = new Map<string, SplitRefusal>();
  for (const { path, text } of files) {
    const problem = leftOut.get(path);
    if (problem === undefined) continue;
    const reason = placeText({ file: path, ...problem });
    for (const { values } of sectionsInText(text)) {
      const named = values.get('user') ?? '';
      const { uid, user = named } = tenantOf(named) ?? {};
      if (!found.has(user)) found.set(user, { user, reason, ...(uid !== undefined && { uid }) });
    }
  }
  return [...found.values()];
}

const isInstalled = ({ units }: Installed, uid: number) =>
  [...units.values()].some((each) => each.type === 'service' && each.uid === uid);

/** Maps each listening path to the tenant whose installed service has it. */
function installedStreams({ units }: FpmLayout, installed: Installed): ReadonlyMap<string, number> {
  return new Map(
    [...installed.units].flatMap(([name, { uid }]) =>
      streamsOf(installed.files.get(`${units}/${name}`)).map((stream) => [stream, uid] as const),
    ),
  );
}

/** Returns tenants that have a service and a pool that could not be moved today. Their present service goes on. */
function nowUnsafe(
  { kept }: Split,
  streams: ReadonlyMap<string, number>,
  choice: ServiceChoice,
  host: HostView,
): readonly SplitRefusal[] {
  const found = new Map<number, SplitRefusal>();
  for (const pool of kept) {
    const uid = streams.get(pool.listen);
    if (uid === undefined || !isChosen(choice, uid) || found.has(uid)) continue;
    // Whoever may change the file may have named another user in it, too.
    const unsafe = pool.files.flatMap((each) => host.unsafeFile(each) ?? []).map(formatCause);
    const why = unsafe[0] ?? (pool.uid === uid ? pool.reason : undefined);
    if (why === undefined) continue;
    const user = host.tenants.find((each) => each.uid === uid)?.user ?? `uid ${uid}`;
    found.set(uid, { uid, user, reason: `${pool.place}: pool ${pool.pool}: ${why}` });
  }
  return [...found.values()];
}

/** Checks new configurations. A configuration that is in use has been accepted already. */
async function refusedBy(
  { layout, fpm, entryOf }: FpmContext,
  services: readonly SplitService[],
  installed: Installed,
  { scratch, budget, unfinished }: CheckRun,
): Promise<readonly SplitRefusal[]> {
  const isAt = (path: string, text: string) => {
    const now = installed.files.get(path);
    return now?.kind === 'file' && now.text === text;
  };
  const refusals = await inParallel(services, async (service): Promise<readonly SplitRefusal[]> => {
    const { uid, user } = service.tenant;
    const entry = entryOf(service);
    const text = serviceConfig(service, fpm.php);
    const unit = serviceUnit(layout, service, entry);
    // In a jail it may differ.
    const isTheSame =
      !entry.isJailed || isAt(`${layout.units}/${serviceName(layout, service)}`, unit);
    if (isTheSame && isAt(configPath(layout, service), text)) return [];
    const digest = digestOfParts('service', unit, text);
    if (unfinished.has(digest)) return [{ uid, user, reason: unfinishedReason }];
    const timeoutMs = budget.nextMs;
    if (timeoutMs === 0) return [{ uid, user, reason: 'no time was left to check it' }];
    const found = await checkService(layout, service, text, entry, { scratch, timeoutMs });
    if (found?.isUnfinished === true) unfinished.add(digest);
    return found === undefined ? [] : [{ uid, user, reason: found.reason }];
  });
  return refusals.flat();
}
