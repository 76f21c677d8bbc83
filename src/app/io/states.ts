/** The state of each application of a policy, as systemd and the files show it. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import { readStops } from '../../host/stops.ts';
import { unitProperties, unitStates } from '../../host/systemd/systemctl.ts';
import type { Policy } from '../../policy/policy.ts';
import { appStem } from '../core/names.ts';
import { endText, stateOf, type AppState } from '../core/state.ts';
import { appLayoutOf } from './layout.ts';
import { planApps, type AppPlan, type HostApp } from './plan.ts';

export interface SeenApp extends HostApp {
  readonly state: AppState;
  /** The reason for the state, if there is more to say. */
  readonly reason?: string;
}

export interface SeenApps {
  readonly apps: readonly SeenApp[];
  readonly plan: AppPlan;
}

export async function readApps(policy: Policy, paths: Paths): Promise<Result<SeenApps, Problem>> {
  const layout = await appLayoutOf(paths);
  const plan = planApps(policy, layout);
  if (!plan.ok) return plan;
  const { apps, disabled, refused, changed } = plan.value;
  const states = runsSystemd() ? await unitStates(`${appStem(layout.instance)}@*`) : undefined;
  const stops = readStops(paths);
  const activeOf = (unit: string) =>
    states?.ok === true ? (states.value.get(unit)?.active ?? 'inactive') : 'unknown';
  const refusals = new Map(refused.map(({ app, problem }) => [app, problem.reason]));
  const all = [...apps, ...refusals.keys(), ...disabled].sort(
    (a, b) => a.id.uid - b.id.uid || (a.id.name < b.id.name ? -1 : 1),
  );
  const seen = await Promise.all(
    all.map(async (each): Promise<SeenApp> => {
      const state = stateOf({
        isDisabled: disabled.includes(each),
        isStopped: stops.has(each.id.uid),
        runsAlways: each.app.idleSeconds === 0,
        isCurrent: apps.includes(each) && !changed.includes(each),
        ...(states?.ok === true && {
          units: { service: activeOf(each.service), socket: activeOf(each.socket) },
        }),
      });
      const reason = refusals.get(each) ?? (await reasonOf(each, state));
      return { ...each, state, ...(reason !== undefined && { reason }) };
    }),
  );
  return ok({ apps: seen, plan: plan.value });
}

async function reasonOf({ service, app }: HostApp, state: AppState): Promise<string | undefined> {
  if (state !== 'failed' && state !== 'crash loop')
    return state === 'unknown' ? noSystemd() : undefined;
  const names = ['ExecMainCode', 'ExecMainStatus'];
  const found = await unitProperties(service, names);
  if (!found.ok) return undefined;
  const [code = '', status = ''] = names.map((each) => found.value.get(each));
  const end = endText({ code, status });
  const often = `started more than ${app.starts} times in a minute`;
  if (state === 'failed') return end;
  return end === undefined ? often : `${often}; its last start ${end}`;
}

const noSystemd = () =>
  runsSystemd() ? 'systemd did not answer' : 'systemd is not the init of this host';
