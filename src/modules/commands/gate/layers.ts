/** The gate for kernel modules as a layer of protection. */
import type { Layer } from '../../../../packages/base/layer.ts';
import { because } from '../../../../packages/base/layer-texts.ts';
import type { EntryPathContext } from '../../../host/entry-paths/entry-paths.ts';
import { blockedLayer } from '../../../sys/bpf/lsm.ts';
import { GateLists } from '../../io/gate/gate-lists.ts';
import { gateBlocker, gateMode } from '../../io/gate/kernel-gate.ts';
import { keptRefusals } from '../../io/gate/refusals.ts';

const key = 'modules gate';

export function moduleLayers({ paths }: EntryPathContext): readonly Layer[] {
  if (process.geteuid?.() !== 0)
    return [{ key, state: 'unknown', ...because('only root sees it') }];
  const mode = gateMode(paths);
  const wanted = new GateLists(paths).mode();
  if (mode !== wanted && wanted !== 'off') {
    const reason = because('set otherwise', wanted, mode);
    return [{ key, state: 'open', ...reason, improve: 'bulkhead modules gate sync --saved' }];
  }
  if (mode === 'on') return [{ key, state: 'enforced', ...because('listed modules') }];
  const refusals = keptRefusals(paths);
  if (mode === 'watch')
    return [
      {
        key,
        state: 'watched',
        ...because('other modules reported'),
        improve: 'bulkhead modules gate enable',
        reported: refusals.length,
        // The list is cut, the time of its last line is not.
        mark: refusals.at(-1)?.at ?? 'none',
      },
    ];
  const blocker = gateBlocker(paths);
  if (blocker !== undefined) return [blockedLayer(key, blocker)];
  const improve = 'bulkhead modules gate enable --watch';
  return [{ key, state: 'open', ...because('every module'), improve }];
}
