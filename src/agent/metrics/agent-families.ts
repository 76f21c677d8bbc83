/** Metrics of the agent itself; one row per family. */
import type { Who } from '../api/api.ts';
import type { StatusResponse } from '../api/status-response.ts';
import { labelValue, type Family, type Page } from './page.ts';

interface AgentRow extends Family {
  readonly value: (status: StatusResponse) => number | undefined;
}

const agentGauge = (name: string, help: string, value: AgentRow['value']): AgentRow => ({
  name: `bulkhead_agent_${name}`,
  type: 'gauge',
  help,
  value,
});
const agentCounter = (name: string, help: string, value: AgentRow['value']): AgentRow => ({
  ...agentGauge(`${name}_total`, help, value),
  type: 'counter',
});
const inSeconds = (milliseconds: number | undefined) =>
  milliseconds === undefined ? undefined : milliseconds / 1000;

const outside = 'Processes of tenants outside their cgroups at the last full scan.';
const agentRows: readonly AgentRow[] = [
  agentGauge(
    'start_time_seconds',
    'Unix time at which the agent started.',
    (s) => s.startedAt / 1000,
  ),
  agentGauge('resident_memory_bytes', 'Resident memory of the agent.', (s) => s.memoryBytes),
  agentGauge('tenants', 'Tenants in the policy.', (s) => s.tenants),
  agentGauge('resellers', 'Resellers in the policy.', (s) => s.resellers),
  agentGauge(
    'policy_state_change_timestamp_seconds',
    'Unix time at which policy_state last changed.',
    (s) => inSeconds(s.policy.stateChangedAt),
  ),
  agentGauge('policy_problems', 'Problems in the policy file.', (s) => s.policy.problems.length),
  agentCounter('ticks', 'Ticks, in each of which all tenants are sampled.', (s) => s.tick.ticks),
  agentCounter('faults', 'Times any limit was hit.', (s) => s.tick.faults),
  agentGauge('tick_interval_seconds', 'Time between two ticks.', (s) => s.tick.intervalSeconds),
  agentGauge(
    'last_tick_duration_seconds',
    'Duration of the last tick.',
    (s) => s.tick.durationSeconds,
  ),
  agentGauge('last_tick_timestamp_seconds', 'Unix time at which the last tick ended.', (s) =>
    inSeconds(s.tick.endedAt),
  ),
  agentCounter('placement_events', 'Process events from the kernel.', (s) => s.placement.events),
  agentCounter(
    'processes_migrated',
    "Processes moved into their tenant's cgroup.",
    (s) => s.placement.migrated,
  ),
  agentCounter(
    'placement_overruns',
    'Times the kernel dropped process events.',
    (s) => s.placement.overruns,
  ),
  agentCounter('placement_restarts', 'Restarts of the placer.', (s) => s.placement.restarts),
  agentGauge('processes_outside', outside, ({ placement }) =>
    placement.outside.length === 0 && placement.unknown.length > 0
      ? undefined
      : placement.outside.length,
  ),
  agentGauge('processes_outside_unknown', 'Whether more processes may be outside.', (s) =>
    Number(s.placement.unknown.length > 0),
  ),
  agentGauge(
    'last_process_scan_timestamp_seconds',
    'Unix time of the last full scan of all processes.',
    (s) => inSeconds(s.placement.scannedAt),
  ),
  agentGauge('history_enabled', 'Whether history is kept.', (s) =>
    Number(s.history.state === 'on'),
  ),
  agentGauge('history_bytes', 'Disk space used by the history.', (s) => s.history.bytes),
  agentGauge('history_oldest_timestamp_seconds', 'Unix time of the oldest sample kept.', (s) =>
    inSeconds(s.history.oldestAt),
  ),
];

const policyStates = [
  'in force',
  'refused',
  'failed',
  'absent',
] as const satisfies readonly StatusResponse['policy']['state'][];
const placementStates = [
  'on',
  'starting',
  'off',
] as const satisfies readonly StatusResponse['placement']['state'][];

export function agentSamples(
  page: Page,
  status: StatusResponse,
  aggregated: Readonly<Record<Who['kind'], number>>,
): void {
  const { version, instance, driver } = status;
  const build = `version="${labelValue(version)}",driver="${labelValue(driver)}",tree="${labelValue(instance)}"`;
  page.single('bulkhead_build_info', 'gauge', 'Version, driver and tree; always 1.', 1, build);
  for (const { name, type, help, value } of agentRows) {
    page.single(name, type, help, value(status));
  }
  for (const kind of ['tenant', 'reseller', 'site'] as const) {
    const help = `The number of ${kind}s that have no samples of their own and are aggregated.`;
    page.single(`bulkhead_agent_${kind}s_aggregated`, 'gauge', help, aggregated[kind]);
  }
  page.states('policy_state', 'State of the policy file.', policyStates, status.policy.state);
  const placement = 'Whether the kernel reports changes of uid to the agent.';
  page.states('placement_state', placement, placementStates, status.placement.state);
}
