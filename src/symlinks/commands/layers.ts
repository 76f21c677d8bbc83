/** The symlink guard as a layer of protection. */
import type { Layer } from '../../../packages/base/layer.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { blockedLayer, lsmProblem } from '../../sys/bpf/lsm.ts';
import { inForce } from '../io/guard/guard.ts';
import { guardView } from './guard/status.ts';

const key = 'symlinks guard';

export function symlinkLayers({ policy, paths }: EntryPathContext): readonly Layer[] {
  if (process.geteuid?.() !== 0) return [{ key, state: 'unknown', reason: 'only root can see it' }];
  const blocker = lsmProblem(paths);
  if (blocker !== undefined) return [blockedLayer(key, blocker)];
  const { state, asWanted, problem, counters } = guardView(policy?.symlinks, paths);
  if (state === 'off') {
    const reason = problem ?? 'web servers follow every link';
    return [{ key, state: 'open', reason, improve: 'bulkhead symlinks guard enable --watch' }];
  }
  if (!asWanted) {
    const reason = problem ?? 'what is loaded is not what the policy says';
    return [{ key, state: 'partly', reason, improve: 'bulkhead symlinks guard sync' }];
  }
  if (state === 'on')
    return [{ key, state: 'enforced', reason: 'tried just now: a foreign link is refused' }];
  return [
    {
      key,
      state: 'watched',
      reason: 'foreign links are reported, and followed',
      improve: 'bulkhead symlinks guard enable',
      reported: counters?.watched ?? 'unknown',
      mark: `${inForce(paths)?.generation} ${counters?.watched}`,
    },
  ];
}
