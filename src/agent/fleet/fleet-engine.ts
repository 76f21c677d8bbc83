/** The agent's side of a fleet: all that the part which keeps this host in one gets from the rest of the agent. */
import { readHostFigures } from '../../host/host-figures.ts';
import type { Paths } from '../../host/paths.ts';
import type { AgentSettings } from '../../policy/settings.ts';
import type { Composition } from '../compose.ts';
import { recentMemory } from '../policy/recent-memory.ts';
import type { MemberIndex } from '../sampling/member-index.ts';
import type { FleetEngine } from './fleet-agent.ts';
import { readTenantUse } from './tenant-use.ts';

/** The agent's state as it is when asked for. */
interface AgentState {
  readonly memberIndex: () => MemberIndex;
  readonly settings: () => AgentSettings;
  readonly paths: Paths;
}

export function fleetEngine(composed: Composition, agent: AgentState): FleetEngine {
  const { reconciler, policy, events, metrics, history, latest, placement } = composed;
  const { memberIndex } = agent;
  const administrators = () => history.askedBy('administrator');
  return {
    apply: async () => {
      await reconciler.nextRun();
      return { state: reconciler.state, changes: reconciler.changes };
    },
    state: () => reconciler.state,
    isApplied: () => reconciler.isApplied,
    check: async (release, isLarge) => {
      if (isLarge) return policy.checkRelease(release, 'not asked');
      const used = await recentMemory(administrators(), latest.tick);
      return used.ok ? policy.checkRelease(release, used.value) : used;
    },
    events,
    recordedSince: () => {
      const oldest = metrics.oldest();
      const kept = Date.now() - agent.settings().history.incidentsMilliseconds;
      return oldest === undefined ? undefined : Math.max(oldest, kept);
    },
    placement: () => placement.status(),
    scan: () => placement.rescan(),
    customers: () => memberIndex().customers,
    tenants: () => memberIndex().tenants,
    promised: () =>
      memberIndex().entries.size === 0 && !reconciler.isApplied
        ? undefined
        : {
            cpu: memberIndex().promised('cpu.limit'),
            memory: memberIndex().promised('memory.limit'),
          },
    figures: () => readHostFigures(agent.paths),
    history: administrators,
    tenantUse: (query) => readTenantUse(memberIndex(), administrators(), query),
  };
}
