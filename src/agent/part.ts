/** What a capability has the agent do. */
import type { LimitNumbers, TopRow } from './api/api.ts';

export interface AgentPart {
  /** After each tick; `rows` computes what everybody used in it. It must not throw, and not take long. */
  readonly afterTick: (rows: () => readonly TopRow[], defaults: LimitNumbers) => void;
}
