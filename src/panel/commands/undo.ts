/** Takes the calls out of the panel's hooks, for `release --all`. The panel belongs to the host, not to an instance. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { hasRegistry } from '../io/hooks/cpanel-registry.ts';
import { disableHooks, hasHookFiles } from '../io/hooks/panel-hooks.ts';

export function undoHooks(paths: Paths): readonly UndoStep[] {
  const place = { paths, root: '' };
  if (paths.instance !== 'bulkhead') return [];
  if (hasHookFiles(place))
    return [{ what: 'hooks of the panel', command: ['panel', 'hooks', 'disable'] }];
  // Only its own program knows what is registered.
  if (!hasRegistry('')) return [];
  const run = async () => {
    const done = await disableHooks(place);
    return done.ok ? done.value : [done.error];
  };
  return [{ what: 'hooks of cPanel, if there are any', run }];
}
