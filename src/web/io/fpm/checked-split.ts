/**
 * The split, and what php-fpm says of it. A tenant is refused alone: it stays with the distribution's service, or with
 * the service that it has, and its configuration of now.
 */
import { isChosen, type Choice } from '../../core/fpm/service/choice.ts';
import { serviceConfig } from '../../core/fpm/service/config.ts';
import { serviceName, serviceUnit } from '../../core/fpm/service/units.ts';
import { splitPools, type Service, type Split } from '../../core/fpm/service/split.ts';
import { checkService } from './check.ts';
import { configPath, type FpmContext } from './context.ts';
import type { HostView } from './facts.ts';
import type { FpmInputs } from './inputs.ts';
import { streamsOf, type Installed } from './installed.ts';
import type { Layout } from './layout.ts';
import { withOwnPools } from './own-pools.ts';
import { readPoolSites } from './pool-sites.ts';

export interface Refusal {
  readonly uid: number;
  readonly user: string;
  readonly reason: string;
}

export interface Checked {
  readonly split: Split;
  readonly services: readonly Service[];
  readonly refused: readonly Refusal[];
  /** Of those that keep their files as they are installed. */
  readonly pinned: ReadonlySet<number>;
}

/** Who is refused stays with the distribution's service, or with the service that it has. */
export async function checkedSplit(
  context: FpmContext,
  choice: Choice,
  inputs: FpmInputs,
  host: HostView,
  installed: Installed,
  scratch: string,
): Promise<Checked> {
  const { layout, fpm, web } = context;
  const siteOf = await readPoolSites(web, host.tenants, layout, installed);
  const streams = installedStreams(layout, installed);
  const split = (without: readonly Refusal[]) => {
    const uids = new Set(without.map(({ uid }) => uid));
    return splitPools(inputs.sections, inputs.files, {
      ...host,
      siteOf,
      isChosen: (uid) => isChosen(choice, uid) && (!uids.has(uid) || isInstalled(installed, uid)),
      isPinned: (listen) => uids.has(streams.get(listen) ?? 0),
    });
  };
  const first = split([]);
  const unsafe = nowUnsafe(first, streams, choice, host);
  const services = withOwnPools(first, choice, host, fpm.php).filter(
    ({ tenant }) => !unsafe.some(({ uid }) => uid === tenant.uid),
  );
  const refused = [...unsafe, ...(await refusedBy(context, services, installed, scratch))];
  const uids = new Set(refused.map(({ uid }) => uid));
  const taken = refused.length === 0 ? first : split(refused);
  return {
    split: taken,
    services: withOwnPools(taken, choice, host, fpm.php).filter(
      ({ tenant }) => !uids.has(tenant.uid),
    ),
    refused,
    pinned: new Set([...uids].filter((uid) => isInstalled(installed, uid))),
  };
}

const isInstalled = ({ units }: Installed, uid: number) =>
  [...units.values()].some((each) => each.type === 'service' && each.uid === uid);

/** Whose service listens where. */
function installedStreams({ units }: Layout, installed: Installed): ReadonlyMap<string, number> {
  return new Map(
    [...installed.units].flatMap(([name, { uid }]) =>
      streamsOf(installed.files.get(`${units}/${name}`)).map((stream) => [stream, uid] as const),
    ),
  );
}

/** Tenants that have a service, and a pool of which could not be moved today: what served goes on serving. */
function nowUnsafe(
  { kept }: Split,
  streams: ReadonlyMap<string, number>,
  choice: Choice,
  host: HostView,
): readonly Refusal[] {
  const found = new Map<number, Refusal>();
  for (const pool of kept) {
    const uid = streams.get(pool.listen);
    if (uid === undefined || !isChosen(choice, uid) || found.has(uid)) continue;
    // Who may change the file may have named another user in it, too.
    const unsafe = pool.files.flatMap((each) => host.unsafeFile(each) ?? []);
    const why = unsafe[0] ?? (pool.uid === uid ? pool.reason : undefined);
    if (why === undefined) continue;
    const user = host.tenants.find((each) => each.uid === uid)?.user ?? `uid ${uid}`;
    found.set(uid, { uid, user, reason: `${pool.place}: pool ${pool.pool}: ${why}` });
  }
  return [...found.values()];
}

/** A configuration that is in use already has been accepted. */
async function refusedBy(
  { layout, fpm, entryOf }: FpmContext,
  services: readonly Service[],
  installed: Installed,
  scratch: string,
): Promise<readonly Refusal[]> {
  const refused: Refusal[] = [];
  const isAt = (path: string, text: string) => {
    const now = installed.files.get(path);
    return now?.kind === 'file' && now.text === text;
  };
  for (const service of services) {
    const { uid, user } = service.tenant;
    const entry = entryOf(service);
    const text = serviceConfig(service, fpm.php);
    const unit = `${layout.units}/${serviceName(layout, service)}`;
    // In a jail it may not be.
    const isTheSame = !entry.isJailed || isAt(unit, serviceUnit(layout, service, entry));
    if (isTheSame && isAt(configPath(layout, service), text)) continue;
    const reason = await checkService(layout, service, text, entry, scratch);
    if (reason !== undefined) refused.push({ uid, user, reason });
  }
  return refused;
}
