/** Jails as layers of protection: that tenants have one, and that the kernel keeps jails apart. */
import { unreadable } from '../../../packages/base/io/read.ts';
import type { Layer, LayerState } from '../../../packages/base/layer.ts';
import { because, improvedBy } from '../../../packages/base/layer-texts.ts';
import { formatCause } from '../../../packages/base/problem.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { blockedState, lsmProblem } from '../../sys/bpf/lsm.ts';
import { keyOf } from '../core/jail-key.ts';
import { jailPathsOf } from '../io/jail-paths.ts';
import { jailTenants } from '../io/jail-tenants.ts';
import { findOccupants } from '../io/occupants.ts';
import { isolationOf, uidsOf } from '../io/programs.ts';
import { readStateFiles } from '../io/state-files.ts';
import { jailBlocker } from './doctor.ts';

const isolationStates: Readonly<Record<'full' | 'partial', LayerState>> = {
  full: 'enforced',
  partial: 'partly',
};

export function jailLayers({ policy, paths }: EntryPathContext): readonly Layer[] {
  const key = 'jails';
  const blocker = jailBlocker();
  if (blocker !== undefined) return [{ key, state: 'unavailable', reason: formatCause(blocker) }];
  const wanted = policy === undefined ? [] : jailTenants(policy);
  if (policy?.tenants.length === 0) return [{ key, state: 'partly', ...because('no tenant yet') }];
  if (policy === undefined || wanted.length === 0)
    return [
      {
        key,
        state: 'open',
        ...because('no jail'),
        ...improvedBy('jail by default', '<jail profile="web"/>'),
      },
    ];
  return [jailedLayer(policy.tenants.length, wanted, paths), isolationLayer(wanted, paths)];
}

type Wanted = ReturnType<typeof jailTenants>;

function jailedLayer(tenants: number, wanted: Wanted, paths: EntryPathContext['paths']): Layer {
  const key = 'jails';
  const unread = unreadable(jailPathsOf(paths).tenants);
  if (unread !== undefined) return { key, state: 'unknown', reason: formatCause(unread) };
  const files = readStateFiles(jailPathsOf(paths));
  const ready = wanted.filter((each) => files.get(keyOf(each))?.state === 'ready').length;
  // Its own jail holds everything that a tenant runs; jails of its sites do not.
  const jailed = wanted.filter(({ site }) => site === undefined).length;
  const outside = [...findOccupants(files).values()].flatMap((each) => each.outside).length;
  if (ready < wanted.length)
    return {
      key,
      state: ready === 0 ? 'open' : 'partly',
      ...because('jails ready', ready, wanted.length),
      improve: 'bulkhead jail status',
    };
  if (outside > 0)
    return {
      key,
      state: 'partly',
      ...because('processes outside', outside),
      improve: 'bulkhead jail status',
    };
  const reason = because('some tenants', jailed, tenants);
  return { key, state: jailed < tenants ? 'partly' : 'enforced', ...reason };
}

function isolationLayer(wanted: Wanted, paths: EntryPathContext['paths']): Layer {
  const { level, reason } = isolationOf(uidsOf(wanted), paths);
  const key = 'jails apart';
  const why = reason === undefined ? because('kept apart') : { reason };
  if (level !== 'none') return { key, state: isolationStates[level], ...why };
  const blocker = lsmProblem(paths);
  return { key, state: blocker === undefined ? 'open' : blockedState(blocker), ...why };
}
