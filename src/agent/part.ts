/** What a capability adds to the agent. */
import type { LimitNumbers, TopRow } from './api/api.ts';

export interface AgentPart {
  /** Called after each tick; `rows` computes what each member used. Must not throw, nor take long. */
  readonly afterTick: (rows: () => readonly TopRow[], defaults: LimitNumbers) => void;
}
