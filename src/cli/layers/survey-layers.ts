/** Establishes the state of every layer of protection on this host. */
import type { StatusResponse } from '../../agent/api/status-response.ts';
import type { Loaded } from '../../apply/load-policy.ts';
import { formatDiagnostic } from '../../policy/diagnostic.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Driver } from '../../host/driver.ts';
import type { EntryPathReport } from '../../host/entry-paths/entry-paths.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Capability } from '../capability.ts';
import { agentLayer, entryPathLayers, policyLayers } from './engine-layers.ts';
import { formatScore, type Layer } from '../../../packages/base/layer.ts';

export interface LayerFacts {
  readonly paths: Paths;
  readonly policy: Policy | undefined;
  /** The reason why there is a policy that cannot be used; absent if it can, or if there is none. */
  readonly policyProblem?: string | undefined;
  readonly driver: Driver;
  readonly agent: Result<StatusResponse, Problem>;
  /** All entry paths, surveyed thoroughly. */
  readonly entryPaths: readonly EntryPathReport[];
}

/** Returns all layers: the engine's, then each capability's in the order of the list. */
export async function surveyLayers(
  capabilities: readonly Capability[],
  { paths, policy, policyProblem, driver, agent, entryPaths }: LayerFacts,
): Promise<readonly Layer[]> {
  const context = { paths, policy, driver: driver.capabilities.driver };
  const layers = [
    ...policyLayers(policy, policyProblem, driver, paths),
    await agentLayer(agent, paths),
    ...entryPathLayers(entryPaths),
  ];
  for (const { layers: load } of capabilities)
    if (load !== undefined) layers.push(...(await (await load())(context)));
  const shown = await atBoot(capabilities, paths, layers);
  if (policyProblem === undefined) return shown;
  return shown.map((each) =>
    ofPolicy.includes(each.key) && each.state !== 'unavailable'
      ? { key: each.key, state: 'unknown', reason: policyProblem, improve: 'bulkhead check' }
      : each,
  );
}

/** Returns the score, and where each layer is explained. */
export const scoreLine = (layers: readonly Layer[]): string =>
  `${formatScore(layers)}; see bulkhead setup status`;

async function atBoot(
  capabilities: readonly Capability[],
  paths: Paths,
  layers: readonly Layer[],
): Promise<readonly Layer[]> {
  let shown = layers;
  for (const { layersAtBoot } of capabilities)
    if (layersAtBoot !== undefined) shown = shown.map((await layersAtBoot())(paths));
  return shown;
}

/** Layers of capabilities that are compared with the policy. */
const ofPolicy = [
  'limit entries',
  'jails',
  'jails apart',
  'symlinks guard',
  'strict placement',
  'network reach',
];

/** Returns why the policy that was loaded cannot be used; undefined if it can, or if the file is not there. */
export function policyProblemOf({ policy, problem, diagnostics }: Loaded): string | undefined {
  if (policy !== undefined || problem?.errno === 'ENOENT') return undefined;
  if (problem !== undefined) return formatProblem(problem);
  const first = diagnostics.find(({ severity }) => severity === 'error');
  return first === undefined ? 'the policy cannot be used' : formatDiagnostic(first);
}
