/** `GET /v1/status`: how the agent and this host are doing. */
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Driver } from '../../host/driver.ts';
import type { MetricsStore } from '../../store/metrics/metrics-store.ts';
import type {
  PlacementStatus,
  StartingStatus,
  StatusResponse,
  TcpStatus,
} from './status-response.ts';
import type { PolicyState } from '../reconciler.ts';
import type { LatestSample } from '../sampling/latest-sample.ts';
import type { MemberIndex } from '../sampling/member-index.ts';

interface AgentFacts {
  readonly version: string;
  readonly instance: string;
  readonly startedAt: number;
  readonly starting: StartingStatus | undefined;
  readonly driver: Driver | undefined;
  readonly policy: PolicyState;
  readonly notGoingBack: Problem | undefined;
  readonly memberIndex: MemberIndex;
  readonly placement: PlacementStatus;
  readonly latest: LatestSample;
  readonly intervalSeconds: number;
  readonly tickDurationSeconds: number;
  readonly metrics: MetricsStore;
  /** Why the history cannot be written. */
  readonly problem: Problem | undefined;
  readonly tcp: TcpStatus | undefined;
}

export function agentStatus(facts: AgentFacts): StatusResponse {
  const { latest, metrics, problem, memberIndex, tcp, notGoingBack } = facts;
  const oldestAt = problem === undefined ? metrics.oldest() : undefined;
  return {
    version: facts.version,
    instance: facts.instance,
    pid: process.pid,
    startedAt: facts.startedAt,
    ...(facts.starting === undefined ? {} : { starting: facts.starting }),
    driver: facts.driver?.capabilities.driver ?? 'none',
    policy: {
      ...facts.policy,
      ...(notGoingBack && { notGoingBack: formatProblem(notGoingBack) }),
    },
    tenants: memberIndex.tenants,
    resellers: memberIndex.resellers,
    placement: facts.placement,
    tick: {
      intervalSeconds: facts.intervalSeconds,
      ticks: latest.ticks,
      faults: latest.faults,
      ...(latest.ticks === 0
        ? {}
        : { endedAt: latest.tick.at, durationSeconds: facts.tickDurationSeconds }),
    },
    history: {
      state: problem === undefined ? 'on' : 'off',
      bytes: metrics.bytes(),
      ...(problem === undefined ? {} : { problem: formatProblem(problem) }),
      ...(oldestAt === undefined ? {} : { oldestAt }),
    },
    memoryBytes: process.memoryUsage.rss(),
    ...(tcp === undefined ? {} : { tcp }),
  };
}
