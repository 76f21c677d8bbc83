/** A capability's knowledge about incidents of one limit, or of something that is not a limit. */
import type { LimitKey } from '../limits/limit.ts';
import type { Remedy } from './causes/remedies.ts';
import type { EvidenceKind } from './evidence.ts';
import type { Incident } from './incident.ts';
import type { Topic } from './causes/incident-topics.ts';

type Hits = Pick<Incident, 'severity' | 'faults'>;

/** Functions are methods for the reason given at `EvidenceKind`; `items` are empty if no evidence was kept. */
export interface IncidentKind<Item extends object = object> {
  /** A limit of the policy, or a key of its own: `symlinks.guard`. */
  readonly limit: LimitKey;
  /** Present if `limit` is a key of its own. */
  readonly withoutLimit?: WithoutLimit;
  /** Replaces the engine's texts about the limit. */
  readonly topic?: Topic;
  readonly evidence?: EvidenceKind<Item>;
  /** Describes what happened: `had symbolic links refused 3 times`. Undefined if the engine's words will do. */
  happened?(hits: Hits, items: readonly Item[]): string | undefined;
  /** Describes the effect, if the items show more than the topic has. */
  effect?(items: readonly Item[]): string | undefined;
  /** Returns remedies that the items suggest, the most fitting first. */
  remedies?(items: readonly Item[]): readonly Remedy[];
  /** Advises the administrator about a tenant, as the command line takes it. Empty if there is nothing to advise. */
  advice?(hits: Hits, tenant: string): string;
}

/** The texts of an incident in which no limit was hit. */
export interface WithoutLimit {
  /** The text in place of the limit's value; `from` replaces the line that set it. */
  readonly value: string;
  readonly from: string;
  /** The reason, which follows what happened and the time: `because they lead to what others own`. */
  readonly because: string;
}
