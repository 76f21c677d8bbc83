/** The agent, as its courier sees it: the courier's account may ask for nothing else. */
import type {
  FleetAnswerResponse,
  FleetOutboxResponse,
  FleetResponse,
} from '../../../agent/api/fleet-api.ts';
import type { AgentFailure } from '../../../agent/api/client.ts';
import type { Result } from '../../../../packages/base/result.ts';

export interface AgentLink {
  readonly outbox: (
    epoch: string | undefined,
    after: number,
  ) => Promise<Result<FleetOutboxResponse, AgentFailure>>;
  /** Answers a question of the centre. */
  readonly answer: (question: string) => Promise<Result<FleetAnswerResponse, AgentFailure>>;
  /** Hands over a release, which the agent verifies. */
  readonly release: (bundle: string) => Promise<Result<FleetResponse, AgentFailure>>;
  /** Hands over the record of a rollout, which the agent verifies. */
  readonly record: (text: string) => Promise<Result<FleetResponse, AgentFailure>>;
}

export interface CourierLog {
  readonly info: (text: string) => void;
  readonly warn: (text: string) => void;
}
