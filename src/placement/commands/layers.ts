/** Strict placement, and modules that tenants make the kernel load, as layers of protection. */
import type { Layer } from '../../../packages/base/layer.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { count } from '../../../packages/base/list.ts';
import { ok } from '../../../packages/base/result.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { blockedLayer, lsmProblem } from '../../sys/bpf/lsm.ts';
import { policyNotEnforced } from '../io/rule-of-policy.ts';
import { keptStrictEvents, strictState } from '../io/strict.ts';

export function placementLayers(context: EntryPathContext): readonly Layer[] {
  const keys = ['strict placement', 'module autoload'];
  if (process.geteuid?.() !== 0)
    return keys.map((key) => ({ key, state: 'unknown', reason: 'only root can see it' }));
  const blocker = lsmProblem(context.paths);
  if (blocker !== undefined) return keys.map((key) => blockedLayer(key, blocker));
  return [strictLayer(context), autoloadLayer(context)];
}

function strictLayer({ policy, paths, driver }: EntryPathContext): Layer {
  const key = 'strict placement';
  if (driver === 'cgroup1') return { key, state: 'unavailable', reason: 'it needs cgroup v2' };
  const now = strictState(paths);
  const mode = now?.placement ?? undefined;
  if (mode === undefined) {
    const improve = '<placement strict="watch"/> in the policy';
    return { key, state: 'open', reason: 'a process can run outside its cgroup', improve };
  }
  const missing = policy === undefined ? ok([]) : policyNotEnforced(policy, paths);
  if (!missing.ok) return { key, state: 'unknown', reason: formatProblem(missing.error) };
  if (missing.value.length > 0) {
    const reason = `it does not know ${count(missing.value.length, 'tenant')} yet`;
    return { key, state: 'partly', reason, improve: 'bulkhead apply' };
  }
  const events = keptStrictEvents(paths);
  if (mode === 'on')
    return { key, state: 'enforced', reason: 'the kernel refuses tenants outside their cgroups' };
  return {
    key,
    state: 'watched',
    reason: 'processes outside their cgroups are reported',
    improve: '<placement strict="yes"/> in the policy',
    reported: events.length,
    // A new account loads another generation, whose counter begins at 0; the events stay.
    mark: events.at(-1)?.at ?? 'none',
  };
}

function autoloadLayer({ paths }: EntryPathContext): Layer {
  const key = 'module autoload';
  const mode = strictState(paths)?.modules ?? undefined;
  const element = (value: string) => `<modules autoload="${value}"/> in the policy`;
  if (mode === undefined) {
    const reason = 'tenants can make the kernel load modules';
    return { key, state: 'open', reason, improve: element('watch') };
  }
  if (mode === 'on')
    return { key, state: 'enforced', reason: 'tenants make the kernel load no modules' };
  const reason = 'modules that tenants make the kernel load are reported';
  return { key, state: 'watched', reason, improve: element('no') };
}
