/** The state of each application of a policy, as systemd and the files show it. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import { readStops } from '../../host/stops.ts';
import { propertiesOfUnits, unitStates } from '../../host/systemd/systemctl.ts';
import type { Policy } from '../../policy/policy.ts';
import { appStem } from '../core/names.ts';
import type { AppState } from '../../policy/apps/app-state.ts';
import { endText, stateOf, type AppFacts } from '../core/state.ts';
import { startsWithin } from '../core/units.ts';
import { appLayoutOf, type AppLayout } from './layout.ts';
import type { Homes } from './own-apps.ts';
import { planApps, type AppPlan, type HostApp } from './plan.ts';

export interface SeenApp extends HostApp {
  readonly state: AppState;
  /** The reason for the state, if there is more to say. */
  readonly reason?: string;
}

export interface SeenApps {
  readonly apps: readonly SeenApp[];
  readonly plan: AppPlan;
  /** The fault of the sockets' group; absent if none is known. */
  readonly groupNote?: string;
}

export async function readApps(
  policy: Policy,
  paths: Paths,
  homes?: Homes,
): Promise<Result<SeenApps, Problem>> {
  const found = await appLayoutOf(paths, homes);
  if (!found.ok) return found;
  const layout = found.value;
  const planned = planApps(policy, layout);
  if (!planned.ok) return planned;
  const plan = planned.value;
  const { apps, disabled, refused, notAllowed, changed } = plan;
  const leftOut = new Map(notAllowed.map(({ app, reason }) => [app, reason]));
  const refusals = new Map(refused.map(({ app, problem }) => [app, problem.reason]));
  const all = [...apps, ...refusals.keys(), ...disabled, ...leftOut.keys()].sort(
    (a, b) => a.id.uid - b.id.uid || (a.id.name < b.id.name ? -1 : 1),
  );
  const units = await readUnits(all, layout);
  const stops = process.geteuid?.() === 0 ? readStops(paths) : undefined;
  const seen = all.map((each): SeenApp => {
    const state = leftOut.has(each)
      ? 'not allowed'
      : stateOf({
          isDisabled: disabled.includes(each),
          isStopped: stops?.has(each.id.uid),
          runsAlways: each.app.idleSeconds === 0,
          isCurrent: apps.includes(each) && !changed.includes(each),
          ...(units && { units: units.of(each) }),
        });
    const reason = refusals.get(each) ?? leftOut.get(each) ?? reasonOf(each, state, units);
    return { ...each, state, ...(reason !== undefined && { reason }) };
  });
  const isServed = seen.some(({ app }) => app.isDatabase !== true);
  return ok({ apps: seen, plan, ...(isServed && groupNote(layout)) });
}

/** Sockets that nobody but root can connect to are served by no web server. */
function groupNote({ webGroup, webServes }: AppLayout): Pick<SeenApps, 'groupNote'> {
  if (webServes ?? webGroup !== 'root') return {};
  return {
    groupNote: `No web server that runs is in the group "${webGroup}", which may connect to the sockets of applications`,
  };
}

interface Units {
  readonly of: (app: HostApp) => NonNullable<AppFacts['units']>;
  /** Returns a property of a unit that has failed; undefined if it is not known. */
  readonly property: (unit: string, name: string) => string | undefined;
}

/** Returns nothing if systemd is not there, or does not answer. */
async function readUnits(
  apps: readonly HostApp[],
  { instance }: AppLayout,
): Promise<Units | undefined> {
  if (!runsSystemd() || apps.length === 0) return undefined;
  const states = await unitStates(`${appStem(instance)}@*`);
  if (!states.ok) return undefined;
  const activeOf = (unit: string) => states.value.get(unit)?.active ?? 'inactive';
  const failed = apps.flatMap(({ service, socket }) =>
    [service, socket].some((unit) => activeOf(unit) === 'failed') ? [service, socket] : [],
  );
  const properties = await propertiesOfUnits(failed, ['Result', 'ExecMainCode', 'ExecMainStatus']);
  const property = (unit: string, name: string) =>
    properties.ok ? properties.value.get(unit)?.get(name) : undefined;
  return {
    property,
    of: ({ service, socket }) => {
      const socketResult = property(socket, 'Result');
      return {
        service: activeOf(service),
        socket: activeOf(socket),
        ...(socketResult !== undefined && { socketResult }),
      };
    },
  };
}

function reasonOf(
  { service, socket, app }: HostApp,
  state: AppState,
  units: Units | undefined,
): string | undefined {
  if (units === undefined) return state === 'unknown' ? noSystemd() : undefined;
  if (state === 'unknown') return 'its socket is closed, and only root can see why';
  const result = units.property(socket, 'Result');
  if (state === 'not applied' && result !== undefined && result !== 'success')
    return `systemd cannot open its socket (${result}); see: systemctl status ${socket}`;
  if (state !== 'failed' && state !== 'crash loop') return undefined;
  const end = endText({
    code: units.property(service, 'ExecMainCode') ?? '',
    status: units.property(service, 'ExecMainStatus') ?? '',
  });
  const often = `started more than ${startsWithin(app)} times in a minute`;
  if (state === 'failed') return end;
  return end === undefined ? often : `${often}; its last start ${end}`;
}

const noSystemd = () =>
  runsSystemd() ? 'systemd did not answer' : 'systemd is not the init of this host';
