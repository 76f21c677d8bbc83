/** The application that a command is about, by its name: `alice/blog`, or `blog` if only one tenant has one of that name. */
import type { Command } from 'commander';
import { listSome } from '../../../packages/base/list.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { exitCodes, type ExitCode, type PolicyOptions } from '../../cli/shared/command.ts';
import { failWith, loadPolicyOrReport, pathsFor } from '../../cli/shared/session.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import { nameOf, splitSiteName, type Policy } from '../../policy/policy.ts';
import { appKey } from '../core/names.ts';
import { appLayoutOf, type AppLayout } from '../io/layout.ts';
import { appsIn, type HostApp } from '../io/plan.ts';

export interface AppSubject {
  readonly app: HostApp;
  readonly policy: Policy;
  readonly paths: Paths;
  readonly layout: AppLayout;
}

export const fullName = ({ owner, app }: Pick<HostApp, 'owner' | 'app'>): string =>
  `${owner.user}/${app.name}`;

/** The needs of a command: none, root, or systemd as well. */
export type AppNeed = 'nothing' | 'root' | 'systemd';

/** Returns the subject, or the exit status after the reason was printed. */
export async function appSubject(
  name: string,
  options: PolicyOptions,
  command: Command,
  needs: AppNeed,
): Promise<AppSubject | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const blocker = problemWith(needs, name);
  if (blocker !== undefined) return failWith(blocker);
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  const laidOut = await appLayoutOf(paths);
  if (!laidOut.ok) return failWith(laidOut.error);
  const layout = laidOut.value;
  const named = namedApps(name, loaded.policy, layout);
  if (!named.ok) return failWith(named.error);
  const found = named.value;
  const [app, ...others] = found;
  if (app !== undefined && others.length === 0)
    return { app, policy: loaded.policy, paths, layout };
  const reason =
    app === undefined ? 'there is none of that name' : `it can be ${listSome(found.map(fullName))}`;
  const all = '"bulkhead app status" lists all of them, as TENANT/NAME';
  const isRoot = process.geteuid?.() === 0;
  const hint = isRoot ? all : 'only root finds those that tenants define; use sudo';
  return failWith({ action: 'find the application', object: name, reason, hint });
}

function problemWith(needs: AppNeed, object: string): Problem | undefined {
  const isChange = needs === 'systemd';
  const action = isChange ? 'change the application' : 'read the log of application';
  if (needs !== 'nothing' && process.geteuid?.() !== 0) {
    const own = isChange
      ? 'as its tenant, use "bulkhead app set" and "bulkhead app remove"'
      : 'as its tenant, read .bulkhead/NAME.log in your home';
    return { action, object, reason: 'only root may', hint: `use sudo; ${own}` };
  }
  return needs === 'systemd' && !runsSystemd()
    ? { action, object, reason: 'systemd is not the init of this host, and keeps its socket' }
    : undefined;
}

/** Returns the applications that a name can mean. */
export function namedApps(
  name: string,
  policy: Policy,
  layout: AppLayout,
): Result<readonly HostApp[], Problem> {
  const [first, second] = splitSiteName(name);
  const tenants =
    second === undefined
      ? policy.tenants
      : policy.tenants.filter((each) => nameOf(each) === first || `${each.uid}` === first);
  const read = appsIn({ tenants }, layout);
  if (!read.ok) return read;
  const { apps, notAllowed, unreadable } = read.value;
  const keys = new Set(apps.map(({ id }) => appKey(id)));
  // The policy's takes the place of a tenant's own.
  const others = notAllowed.map(({ app }) => app).filter(({ id }) => !keys.has(appKey(id)));
  const found = [...apps, ...others].filter(({ app }) => app.name === (second ?? first));
  const [problem] = unreadable.values();
  return found.length === 0 && problem !== undefined ? fail(problem) : ok(found);
}
