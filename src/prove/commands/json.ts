/** The values that `bulkhead prove` prints with `--json`. Schemas are generated from these types. */
import type { Attack, AttackDemand } from '../core/attack.ts';
import type { Proof } from '../io/prove.ts';

/** The result of each attack, or with `--list` the attacks. */
export type ProveJson = ProofJson | readonly ListedAttack[];

/** The attacks that were tried on this host. */
export interface ProofJson extends Proof {
  /** Names of attacks that got through although the policy demands that they are blocked. */
  readonly broken: readonly string[];
}

export interface ListedAttack extends Pick<Attack, 'summary' | 'remedy'> {
  /** The attack's name. */
  readonly attack: string;
  /** The part of a policy that demands that it is blocked. */
  readonly demandedBy: AttackDemand;
}
