/** Establishes the state of every layer of protection on this host. */
import type { StatusResponse } from '../../agent/api/api.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Driver } from '../../host/driver.ts';
import type { EntryPathReport } from '../../host/entry-paths/entry-paths.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Capability } from '../capability.ts';
import { agentLayer, entryPathLayers, policyLayers } from './engine-layers.ts';
import type { Layer } from '../../../packages/base/layer.ts';

export interface LayerFacts {
  readonly paths: Paths;
  readonly policy: Policy | undefined;
  readonly driver: Driver;
  readonly agent: Result<StatusResponse, Problem>;
  /** All entry paths, surveyed thoroughly. */
  readonly entryPaths: readonly EntryPathReport[];
}

/** Returns all layers: those of the engine, then those of each capability in the order of the list. */
export async function surveyLayers(
  capabilities: readonly Capability[],
  { paths, policy, driver, agent, entryPaths }: LayerFacts,
): Promise<readonly Layer[]> {
  const context = { paths, policy, driver: driver.capabilities.driver };
  const layers = [
    ...policyLayers(policy, driver, paths),
    await agentLayer(agent, paths),
    ...entryPathLayers(entryPaths),
  ];
  for (const { layers: load } of capabilities)
    if (load !== undefined) layers.push(...(await (await load())(context)));
  return layers;
}
