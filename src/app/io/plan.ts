/** Compares the units that are there with those that the policy wants. Starts no program. */
import { dirname } from 'node:path';
import { existsSync } from 'node:fs';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { ok } from '../../../packages/base/result.ts';
import { isRootsDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import type { App } from '../../policy/apps/app.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';
import {
  changesBetween,
  contentAt,
  file,
  sameContent,
  type Content,
  type FileSet,
  type FileSetChange,
} from '../../sys/files/file-set.ts';
import { appKey, parseUnitName, unitName, type AppId } from '../core/names.ts';
import { serviceUnit, socketUnit, type AppOwner } from '../core/units.ts';
import { readDisabled } from './disabled-file.ts';
import type { AppLayout } from './layout.ts';

/** An application with its owner and its units. */
export interface HostApp {
  readonly id: AppId;
  readonly owner: AppOwner;
  readonly app: App;
  readonly service: string;
  readonly socket: string;
}

export interface AppPlan {
  /** Applications that are to be there. */
  readonly apps: readonly HostApp[];
  /** Applications of the policy that are disabled. */
  readonly disabled: readonly HostApp[];
  /** Applications of the policy that cannot be there, with the reason. Their units stay as they are. */
  readonly refused: readonly { readonly app: HostApp; readonly problem: Problem }[];
  readonly changes: readonly FileSetChange[];
  /** Units that are there and not wanted any more. */
  readonly leaving: readonly string[];
  /** Applications whose units are new, or have another text than before. */
  readonly changed: readonly HostApp[];
}

export function planApps(
  policy: Pick<Policy, 'tenants'>,
  layout: AppLayout,
): Result<AppPlan, Problem> {
  const disabledKeys = readDisabled(layout.disabled);
  if (!disabledKeys.ok) return disabledKeys;
  const all = policy.tenants.flatMap((tenant) => appsOf(tenant, layout));
  const disabled = all.filter(({ id }) => disabledKeys.value.has(appKey(id)));
  const enabled = all.filter((each) => !disabled.includes(each));
  const refused = enabled.flatMap((app) => {
    const problem = socketProblem(app);
    return problem === undefined ? [] : [{ app, problem }];
  });
  const apps = enabled.filter((each) => refused.every(({ app }) => app !== each));
  const installed = installedUnits(layout);
  const wanted: FileSet = new Map([
    ...apps.flatMap((each) => filesOf(each, layout)),
    ...refused.flatMap(({ app }) => asInstalled(app, layout, installed)),
  ]);
  const differs = (unit: string) => {
    const path = `${layout.units}/${unit}`;
    return !sameContent(installed.get(path), wanted.get(path));
  };
  return ok({
    apps,
    disabled,
    refused,
    changes: changesBetween(installed, wanted),
    leaving: [...installed.keys()]
      .filter((path) => !wanted.has(path))
      .map((path) => path.slice(layout.units.length + 1)),
    changed: apps.filter(({ service, socket }) => differs(service) || differs(socket)),
  });
}

export function appsOf(tenant: Tenant, { instance }: AppLayout): readonly HostApp[] {
  const { uid, account, apps = [] } = tenant;
  if (account === undefined) return [];
  return apps.map((app) => {
    const id = { uid, name: app.name };
    return {
      id,
      owner: { uid, user: account.user },
      app,
      service: unitName(instance, id, 'service'),
      socket: unitName(instance, id, 'socket'),
    };
  });
}

/** Whoever can replace a directory of a socket can put another tenant's socket in its place. */
function socketProblem({ app, owner }: HostApp): Problem | undefined {
  if (app.socket === undefined) return undefined;
  let directory = dirname(app.socket);
  // systemd makes what is missing, as root.
  while (!existsSync(directory)) directory = dirname(directory);
  if (isRootsDirectory(directory)) return undefined;
  return {
    action: 'make the socket of application',
    object: `${owner.user}/${app.name}`,
    reason: `"${directory}" is not a directory that only root can change`,
    hint: 'leave out "socket", or name a path in such a directory',
  };
}

function filesOf(
  { owner, app, service, socket }: HostApp,
  layout: AppLayout,
): readonly (readonly [string, Content])[] {
  return [
    [`${layout.units}/${socket}`, file(socketUnit(layout, owner, app))],
    [`${layout.units}/${service}`, file(serviceUnit(layout, owner, app))],
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

export function installedUnits({ units, instance }: AppLayout): FileSet {
  const names = namesIn(units).filter((name) => parseUnitName(instance, name) !== undefined);
  return new Map(
    names.flatMap((name): readonly (readonly [string, Content])[] => {
      const content = contentAt(`${units}/${name}`);
      return content === undefined ? [] : [[`${units}/${name}`, content]];
    }),
  );
}
