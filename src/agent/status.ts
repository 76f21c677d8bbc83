/** `GET /v1/status`: how the agent and this host are doing. */
import type { Driver } from '../host/driver.ts';
import type { MetricsStore } from '../store/metrics-store.ts';
import type { PlacementStatus, StatusAnswer, TcpStatus } from './api.ts';
import type { PolicyState } from './keeper.ts';
import type { Live } from './live.ts';
import type { Roster } from './roster.ts';

export interface AgentFacts {
  readonly version: string;
  readonly instance: string;
  readonly startedAt: number;
  readonly driver: Driver | undefined;
  readonly policy: PolicyState;
  readonly roster: Roster;
  readonly placement: PlacementStatus;
  readonly live: Live;
  readonly intervalSeconds: number;
  readonly tookSeconds: number;
  readonly metrics: MetricsStore;
  /** Why the history cannot be written. */
  readonly problem: string | undefined;
  readonly tcp: TcpStatus | undefined;
}

export function describeAgent(facts: AgentFacts): StatusAnswer {
  const { live, metrics, problem, roster, tcp } = facts;
  const oldest = problem === undefined ? metrics.oldest() : undefined;
  return {
    version: facts.version,
    instance: facts.instance,
    pid: process.pid,
    startedAt: facts.startedAt,
    driver: facts.driver?.capabilities.driver ?? 'none',
    policy: facts.policy,
    tenants: roster.tenants,
    resellers: roster.resellers,
    placement: facts.placement,
    tick: {
      intervalSeconds: facts.intervalSeconds,
      ticks: live.ticks,
      faults: live.faults,
      ...(live.ticks === 0 ? {} : { at: live.tick.at, tookSeconds: facts.tookSeconds }),
    },
    history: {
      state: problem === undefined ? 'on' : 'off',
      bytes: metrics.bytes(),
      ...(problem === undefined ? {} : { problem }),
      ...(oldest === undefined ? {} : { oldest }),
    },
    memoryBytes: process.memoryUsage.rss(),
    ...(tcp === undefined ? {} : { tcp }),
  };
}
