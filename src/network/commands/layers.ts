/** The rules for what tenants reach, as a layer of protection. */
import { existsSync } from 'node:fs';
import type { Layer } from '../../../packages/base/layer.ts';
import { because, improvedBy } from '../../../packages/base/layer-texts.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import type { Paths } from '../../host/paths.ts';
import { libbpf } from '../../sys/bpf/libbpf.ts';
import type { NetworkRules } from '../core/rules.ts';
import { hostHeld } from '../io/host-held.ts';
import { hostRules } from '../io/host-rules.ts';

const key = 'network reach';
const inDefaults = (element: string) => improvedBy('jail by default', element);

export async function networkLayers({
  paths,
  policy,
}: EntryPathContext): Promise<readonly Layer[]> {
  if (process.geteuid?.() !== 0)
    return [{ key, state: 'unknown', ...because('only root sees it') }];
  const rules = policy && hostRules(paths, policy);
  const { refusing, watching } = countsOf(rules);
  if (rules === undefined || refusing + watching === 0)
    return [
      impossible(paths) ?? {
        key,
        state: 'open',
        ...because('reach open'),
        ...inDefaults('<reach mode="watch"/>'),
      },
    ];
  const { problem, reported } = await hostHeld(paths, rules);
  if (problem !== null)
    return [
      { key, state: 'partly', ...because('english', problem), improve: 'bulkhead network status' },
    ];
  const all = rules.tenants.length;
  if (refusing === all) return [{ key, state: 'enforced', ...because('reach refused') }];
  if (refusing === 0 && watching === all)
    return [
      {
        key,
        state: 'watched',
        ...because('reach reported'),
        ...inDefaults('<reach mode="refuse"/>'),
        reported,
        mark: String(reported),
      },
    ];
  const reason = because('some tenants', refusing, all);
  return [{ key, state: 'partly', ...reason, ...inDefaults('<reach mode="refuse"/>') }];
}

/** Returns the layer if this host cannot load the programs. */
function impossible({ sys }: Paths): Layer | undefined {
  const types = `${sys}/kernel/btf/vmlinux`;
  if (!existsSync(types))
    return {
      key,
      state: 'unavailable',
      ...because('no types', types),
      ...improvedBy('kernel with types'),
    };
  const library = libbpf();
  if (library.ok) return undefined;
  const { reason, hint } = library.error;
  return {
    key,
    state: 'unavailable',
    ...because('english', reason),
    ...(hint === undefined ? {} : { improve: hint }),
  };
}

/** Returns how many tenants have rules that refuse, and rules that only watch. */
function countsOf(rules: NetworkRules | undefined) {
  const modes = rules?.tenants.flatMap(({ reach }) => reach?.mode ?? []) ?? [];
  const refusing = modes.filter((mode) => mode === 'refuse').length;
  return { refusing, watching: modes.length - refusing };
}
