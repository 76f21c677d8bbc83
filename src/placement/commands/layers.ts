/** Strict placement, and modules that tenants make the kernel load, as layers of protection. */
import type { Layer } from '../../../packages/base/layer.ts';
import { because, improvedBy } from '../../../packages/base/layer-texts.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { blockedLayer, lsmProblem } from '../../sys/bpf/lsm.ts';
import { policyNotEnforced } from '../io/rule-of-policy.ts';
import { keptStrictEvents, strictState } from '../io/strict.ts';

export function placementLayers(context: EntryPathContext): readonly Layer[] {
  const keys = ['strict placement', 'module autoload'];
  if (process.geteuid?.() !== 0)
    return keys.map((key) => ({ key, state: 'unknown', ...because('only root sees it') }));
  const blocker = lsmProblem(context.paths);
  if (blocker !== undefined) return keys.map((key) => blockedLayer(key, blocker));
  return [strictLayer(context), autoloadLayer(context)];
}

function strictLayer({ policy, paths, driver }: EntryPathContext): Layer {
  const key = 'strict placement';
  if (driver === 'cgroup1') return { key, state: 'unavailable', ...because('needs cgroup v2') };
  const now = strictState(paths);
  const mode = now?.placement ?? undefined;
  if (mode === undefined) {
    const improve = improvedBy('in the policy', '<placement strict="watch"/>');
    return { key, state: 'open', ...because('outside possible'), ...improve };
  }
  const missing = policy === undefined ? ok([]) : policyNotEnforced(policy, paths);
  if (!missing.ok) return { key, state: 'unknown', reason: formatProblem(missing.error) };
  if (missing.value.length > 0) {
    const reason = because('tenants unknown', missing.value.length);
    return { key, state: 'partly', ...reason, improve: 'bulkhead apply' };
  }
  const events = keptStrictEvents(paths);
  if (mode === 'on') return { key, state: 'enforced', ...because('outside refused') };
  return {
    key,
    state: 'watched',
    ...because('outside reported'),
    ...improvedBy('in the policy', '<placement strict="yes"/>'),
    reported: events.length,
    // A new account loads another generation, whose counter begins at 0; the events stay.
    mark: events.at(-1)?.at ?? 'none',
  };
}

function autoloadLayer({ paths }: EntryPathContext): Layer {
  const key = 'module autoload';
  const mode = strictState(paths)?.modules ?? undefined;
  const element = (value: string) => improvedBy('in the policy', `<modules autoload="${value}"/>`);
  if (mode === undefined)
    return { key, state: 'open', ...because('autoload possible'), ...element('watch') };
  if (mode === 'on') return { key, state: 'enforced', ...because('autoload refused') };
  return { key, state: 'watched', ...because('autoload reported'), ...element('no') };
}
