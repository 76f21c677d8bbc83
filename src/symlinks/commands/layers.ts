/** The symlink guard as a layer of protection. */
import type { Layer } from '../../../packages/base/layer.ts';
import { because } from '../../../packages/base/layer-texts.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { blockedLayer, lsmProblem } from '../../sys/bpf/lsm.ts';
import { inForce } from '../io/guard/guard.ts';
import { guardView } from './guard/status.ts';

const key = 'symlinks guard';

export function symlinkLayers({ policy, paths }: EntryPathContext): readonly Layer[] {
  if (process.geteuid?.() !== 0)
    return [{ key, state: 'unknown', ...because('only root sees it') }];
  const blocker = lsmProblem(paths);
  if (blocker !== undefined) return [blockedLayer(key, blocker)];
  const { state, asWanted, problem, counters } = guardView(policy?.symlinks, paths);
  if (state === 'off') {
    const reason = problem === undefined ? because('links followed') : { reason: problem };
    return [{ key, state: 'open', ...reason, improve: 'bulkhead symlinks guard enable --watch' }];
  }
  if (!asWanted) {
    const reason = problem === undefined ? because('not as wanted') : { reason: problem };
    return [{ key, state: 'partly', ...reason, improve: 'bulkhead symlinks guard sync' }];
  }
  if (state === 'on') return [{ key, state: 'enforced', ...because('link refused') }];
  return [
    {
      key,
      state: 'watched',
      ...because('links reported'),
      improve: 'bulkhead symlinks guard enable',
      reported: counters?.watched ?? 'unknown',
      mark: `${inForce(paths)?.generation} ${counters?.watched}`,
    },
  ];
}
