/** Compares the units that are there with those that the policy wants. Starts no program. */
import { dirname } from 'node:path';
import { existsSync } from 'node:fs';
import { count } from '../../../packages/base/list.ts';
import { formatCause, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { ok } from '../../../packages/base/result.ts';
import { readStops } from '../../host/stops.ts';
import { isRootsDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { namesIn, readText } from '../../../packages/base/io/read.ts';
import type { App } from '../../policy/apps/app.ts';
import { ownAppsMaxOf, type Policy, type Tenant } from '../../policy/policy.ts';
import { parseOwnApp, unparsedApp } from '../../policy/apps/own-apps.ts';
import type { Paths } from '../../host/paths.ts';
import {
  changesBetween,
  contentAt,
  file,
  sameContent,
  type Content,
  type FileSet,
  type FileSetChange,
} from '../../sys/files/file-set.ts';
import { appKey, parseUnitName, uidOfKey, unitName, type AppId } from '../core/names.ts';
import { isOwnUnit, serviceUnit, socketUnit, type AppOwner } from '../core/units.ts';
import { readDisabled } from './disabled-file.ts';
import type { AppLayout, AppPaths } from './layout.ts';
import { isOwnerOf, ownAppUids, readOwnApps } from './own-apps.ts';

/** An application with its owner and its units. */
export interface HostApp {
  readonly id: AppId;
  readonly owner: AppOwner;
  readonly app: App;
  /** Whether its tenant has defined it itself. */
  readonly isOwn: boolean;
  readonly service: string;
  readonly socket: string;
}

export interface AppPlan {
  /** Applications that are to be there. */
  readonly apps: readonly HostApp[];
  /** Applications that are disabled. */
  readonly disabled: readonly HostApp[];
  /** Applications that tenants have defined, and that the policy does not allow, with the reason. */
  readonly notAllowed: readonly LeftOut[];
  /** Tells by its key whether an application is there, allowed or not, or may be: its definition cannot be read. */
  readonly isKnown: (key: string) => boolean;
  /** The reasons why definitions of tenants cannot be read. Their units stay as they are where the policy allows any. */
  readonly unreadable: readonly Problem[];
  /** Applications of the policy that cannot be there, with the reason. Their units stay as they are. */
  readonly refused: readonly { readonly app: HostApp; readonly problem: Problem }[];
  readonly changes: readonly FileSetChange[];
  /** Units that are there and not wanted any more. */
  readonly leaving: readonly string[];
  /** Applications whose units are new, or have another text than before, and which end for that. */
  readonly changed: readonly HostApp[];
  /** Database servers that get another program of ours with their next start. */
  readonly updated: readonly HostApp[];
}

/** `only`: the application whose units may change; otherwise all may. */
export function planApps(
  policy: Pick<Policy, 'tenants'>,
  layout: AppLayout,
  only?: AppId,
): Result<AppPlan, Problem> {
  const isMeant = (id: AppId) => only === undefined || appKey(id) === appKey(only);
  const read = appsIn(policy, layout);
  if (!read.ok) return read;
  const known = read.value;
  const all = known.apps.filter(({ id }) => isMeant(id));
  const disabledKeys = all.length === 0 ? ok(new Set<string>()) : readDisabled(layout.disabled);
  if (!disabledKeys.ok) return disabledKeys;
  const disabled = all.filter(({ id }) => disabledKeys.value.has(appKey(id)));
  const enabled = all.filter((each) => !disabled.includes(each));
  const installed = installedUnits(layout, isMeant);
  const refused = enabled.flatMap((app) => {
    const problem = socketProblem(app, layout);
    return problem === undefined ? [] : [{ app, problem }];
  });
  const apps = enabled.filter((each) => refused.every(({ app }) => app !== each));
  const isFrozen = frozenTenants(policy, layout);
  const maxOf = new Map(policy.tenants.map((each) => [each.uid, ownAppsMaxOf(each)]));
  const isUnread = ([path, content]: readonly [string, Content]) => {
    const uid = uidOf(path, layout);
    const isOwn = content.kind === 'file' && isOwnUnit(content.text);
    return isOwn && known.unreadable.has(uid) && (maxOf.get(uid) ?? 0) > 0;
  };
  const keys = new Set(
    [...known.apps, ...known.notAllowed.map(({ app }) => app)].map(({ id }) => appKey(id)),
  );
  const wanted: FileSet = new Map([
    ...[...installed].filter(isUnread),
    ...apps.filter(({ id }) => !isFrozen(id.uid)).flatMap((each) => filesOf(each, layout)),
    ...refused.flatMap(({ app }) => asInstalled(app, layout, installed)),
    ...[...installed].filter(([path]) => isFrozen(uidOf(path, layout))),
  ]);
  const differs = (unit: string) => {
    const path = `${layout.units}/${unit}`;
    return !sameContent(installed.get(path), wanted.get(path));
  };
  const different = apps.filter(({ service, socket }) => differs(service) || differs(socket));
  const isUpdate = ({ app, service, socket }: HostApp) => {
    const [before, after] = [installed, wanted].map((all) => all.get(`${layout.units}/${service}`));
    return app.isDatabase === true && !differs(socket) && isOtherProgram(before, after);
  };
  return ok({
    apps,
    disabled,
    notAllowed: known.notAllowed.filter(({ app }) => isMeant(app.id)),
    isKnown: (key) => keys.has(key) || known.unreadable.has(uidOfKey(key)),
    unreadable: [...known.unreadable.values()],
    refused,
    changes: changesBetween(installed, wanted),
    leaving: [...installed.keys()]
      .filter((path) => !wanted.has(path))
      .map((path) => path.slice(layout.units.length + 1)),
    changed: different.filter((each) => !isUpdate(each)),
    updated: different.filter(isUpdate),
  });
}

/** Whether two units differ only in the script that starts a database server: one package would end all at once. */
function isOtherProgram(before: Content | undefined, after: Content | undefined): boolean {
  if (before?.kind !== 'file' || after?.kind !== 'file') return false;
  return sameContent(withoutScript(before), withoutScript(after));
}

const withoutScript = (unit: Extract<Content, { kind: 'file' }>): Content => ({
  ...unit,
  text: unit.text.replace(/^(ExecStart=.*? -- \/bin\/sh -c ).*$/m, '$1'),
});

/** Tells frozen tenants, which are kept to be looked at: nothing of them ends before their start. */
function frozenTenants(
  { tenants }: Pick<Policy, 'tenants'>,
  { state }: AppLayout,
): (uid: number) => boolean {
  const stops = [...readStops({ state }).values()].filter(({ frozen }) => frozen);
  const frozen = new Set(stops.map(({ uid }) => uid));
  const kept = new Set(tenants.map(({ uid }) => uid).filter((uid) => frozen.has(uid)));
  return (uid) => kept.has(uid);
}

const uidOf = (path: string, { units, instance }: AppLayout): number =>
  parseUnitName(instance, path.slice(units.length + 1))?.uid ?? 0;

export interface LeftOut {
  readonly app: HostApp;
  readonly reason: string;
}

export interface KnownApps {
  /** The applications of the policy, and those that tenants have defined and may have. */
  readonly apps: readonly HostApp[];
  readonly notAllowed: readonly LeftOut[];
  /** The reasons why a tenant's definitions cannot be read, by uid. */
  readonly unreadable: ReadonlyMap<number, Problem>;
}

/** Returns the applications of all tenants; without their own ones if only root may read these. */
export function appsIn(
  { tenants }: Pick<Policy, 'tenants'>,
  layout: AppLayout,
): Result<KnownApps, Problem> {
  const listed = ownAppUids(layout);
  if (!listed.ok) return listed;
  const uids = new Set(listed.value);
  const withOwn = tenants.filter(({ uid }) => uids.has(uid));
  const homes = layout.homesOf(withOwn.flatMap(({ account }) => account ?? []));
  const apps: HostApp[] = tenants.flatMap((each) => appsOf(each, each.apps ?? [], layout));
  const notAllowed: LeftOut[] = [];
  const unreadable = new Map<number, Problem>();
  for (const tenant of withOwn) {
    const own = ownAppsOf(tenant, layout, homes.get(tenant.uid));
    if (!own.ok) unreadable.set(tenant.uid, own.error);
    if (!own.ok) continue;
    apps.push(...own.value.apps);
    notAllowed.push(...own.value.notAllowed);
  }
  return ok({ apps, notAllowed, unreadable });
}

function ownAppsOf(
  tenant: Tenant,
  layout: AppLayout,
  home: string | undefined,
): Result<Pick<KnownApps, 'apps' | 'notAllowed'>, Problem> {
  const read = readOwnApps(layout, tenant.uid);
  if (!read.ok) return read;
  const { account } = tenant;
  const isTheirs = account && read.value && isOwnerOf(read.value, account, home);
  const kept = isTheirs === true ? (read.value?.apps ?? []) : [];
  const parsed = kept.flatMap((texts) => {
    const app = parseOwnApp(texts);
    return app.ok ? [app.value] : [];
  });
  const wrong = kept.flatMap((texts): readonly LeftOut[] => {
    const app = parseOwnApp(texts);
    if (app.ok) return [];
    const reason = `its definition is not valid: ${formatCause(app.error)}`;
    return appsOf(tenant, [unparsedApp(texts)], layout, true).map((each) => ({
      app: each,
      reason,
    }));
  });
  const max = ownAppsMaxOf(tenant);
  const namesOfPolicy = new Set((tenant.apps ?? []).map(({ name }) => name));
  const own = appsOf(tenant, parsed, layout, true);
  const others = own.filter(({ app }) => !namesOfPolicy.has(app.name));
  return ok({
    apps: others.slice(0, max),
    notAllowed: [
      ...wrong,
      ...own
        .filter((each) => !others.includes(each))
        .map((app) => ({ app, reason: 'the policy has an application of that name' })),
      ...others.slice(max).map((app) => ({ app, reason: tooMany(max) })),
    ],
  });
}

const tooMany = (max: number): string =>
  max === 0
    ? 'the policy allows this tenant no applications of its own'
    : `the policy allows this tenant ${count(max, 'application')} of its own, and it has defined more`;

function appsOf(
  { uid, account }: Tenant,
  apps: readonly App[],
  { instance }: AppLayout,
  isOwn = false,
): readonly HostApp[] {
  if (account === undefined) return [];
  return apps.map((app) => {
    const id = { uid, name: app.name };
    return {
      id,
      owner: { uid, user: account.user },
      app,
      isOwn,
      service: unitName(instance, id, 'service'),
      socket: unitName(instance, id, 'socket'),
    };
  });
}

function socketProblem({ app, owner }: HostApp, layout: AppLayout): Problem | undefined {
  const reason = app.socket === undefined ? undefined : reasonAgainst(app.socket, layout);
  if (reason === undefined) return undefined;
  return {
    action: 'make the socket of application',
    object: `${owner.user}/${app.name}`,
    reason,
    hint: 'leave out "socket", or name a new path in a directory that only root can change',
  };
}

/** Whoever can replace a directory of a socket can put another tenant's socket in its place. */
function reasonAgainst(socket: string, layout: AppLayout): string | undefined {
  const [, , top = ''] = socket.split('/');
  if (top === layout.instance || top.startsWith(`${layout.instance}-`))
    return `"/run/${top}" is Bulkhead's own`;
  let directory = dirname(socket);
  // systemd makes what is missing, as root.
  while (!existsSync(directory)) directory = dirname(directory);
  if (!isRootsDirectory(directory))
    return `"${directory}" is not a directory that only root can change`;
  return existsSync(socket) && !isOurs(socket, layout)
    ? `"${socket}" is there already, and not Bulkhead's`
    : undefined;
}

/** systemd removes what is at the path when it opens a socket there. */
const isOurs = (socket: string, { units, instance }: AppLayout): boolean =>
  namesIn(units)
    .filter((name) => parseUnitName(instance, name)?.type === 'socket')
    .some((name) =>
      (readText(`${units}/${name}`) ?? '').split('\n').includes(`ListenStream=${socket}`),
    );

function filesOf(
  { owner, app, isOwn, service, socket }: HostApp,
  layout: AppLayout,
): readonly (readonly [string, Content])[] {
  const by = isOwn ? 'tenant' : 'policy';
  return [
    [`${layout.units}/${socket}`, file(socketUnit(layout, owner, app, by))],
    [`${layout.units}/${service}`, file(serviceUnit(layout, owner, app, by))],
  ];
}

function asInstalled(
  { service, socket }: HostApp,
  layout: AppLayout,
  installed: FileSet,
): readonly (readonly [string, Content])[] {
  return [socket, service].flatMap((unit) => {
    const path = `${layout.units}/${unit}`;
    const content = installed.get(path);
    return content === undefined ? [] : [[path, content] as const];
  });
}

/** Whether units of applications are installed. */
export const hasApps = ({ etc, instance }: Pick<Paths, 'etc' | 'instance'>): boolean =>
  namesIn(`${etc}/systemd/system`).some((name) => parseUnitName(instance, name) !== undefined);

export function installedUnits(
  { units, instance }: AppPaths,
  isMeant: (id: AppId) => boolean = () => true,
): FileSet {
  const names = namesIn(units).filter((name) => {
    const id = parseUnitName(instance, name);
    return id !== undefined && isMeant(id);
  });
  return new Map(
    names.flatMap((name): readonly (readonly [string, Content])[] => {
      const content = contentAt(`${units}/${name}`);
      return content === undefined ? [] : [[`${units}/${name}`, content]];
    }),
  );
}
