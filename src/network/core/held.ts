/** How exactly each part of the network rules is held on this host, and why: for `network status` and `doctor`. */
import type { NetworkRules } from './rules.ts';

export type HeldSupport = 'full' | 'partial' | 'none';

export interface HeldPart {
  /** The part of the policy: `network send`, `reach`, `listen`. */
  readonly part: string;
  /** How exactly it is held. */
  readonly support: HeldSupport;
  /** The reason, in one line. */
  readonly reason: string;
}

export interface HeldFacts {
  /** Why the programs cannot be relied on; undefined if they were tried just now. */
  readonly failure: string | undefined;
  /** How exactly sending waits on the devices that lead out. */
  readonly sending: Pick<HeldPart, 'support' | 'reason'>;
  /** Kept ports that a program can get by chance, for people; empty: none. Undefined if that is not known. */
  readonly unreserved: string | undefined;
}

/** Returns the parts that the policy has. */
export function heldParts(rules: NetworkRules, facts: HeldFacts): readonly HeldPart[] {
  const { tenants, resellers } = rules;
  const limits = [...tenants.map((each) => each.limits), ...resellers.values()];
  const has = (key: 'send' | 'receive' | 'connections') =>
    limits.some(({ [key]: value }) => value !== undefined);
  const tried = {
    support: 'full',
    reason: "tried just now: refused for a uid of nobody's",
  } as const;
  const parts: readonly (HeldPart | false)[] = [
    has('send') && { part: 'network send', ...facts.sending },
    has('receive') && {
      part: 'network receive',
      support: 'partial',
      reason: 'what arrives has used the line already; TCP is slowed down, the rest is dropped',
    },
    has('connections') && { part: 'network connections', ...tried },
    tenants.some(({ reach }) => reach !== undefined) && {
      part: 'reach',
      ...tried,
      ...watching(rules, 'reach'),
    },
    tenants.some(({ listen }) => listen !== undefined) && {
      part: 'listen',
      ...listening(facts.unreserved, tried),
      ...watching(rules, 'listen'),
    },
  ];
  const held = parts.filter((each) => each !== false);
  const { failure } = facts;
  return failure === undefined
    ? held
    : held.map(({ part }) => ({ part, support: 'none', reason: failure }));
}

/** A rule that refuses nothing is held by nothing. */
function watching({ tenants }: NetworkRules, element: 'reach' | 'listen') {
  const modes = tenants.flatMap(({ [element]: rule }) => rule?.mode ?? []);
  if (!modes.every((mode) => mode === 'watch')) return {};
  return {
    support: 'none',
    reason: 'the policy only watches: it is reported, and not refused',
  } as const;
}

function listening(unreserved: string | undefined, held: Pick<HeldPart, 'support' | 'reason'>) {
  if (unreserved === '') return held;
  const reason =
    unreserved === undefined
      ? 'whether the kernel gives kept ports to others is unknown'
      : `${unreserved} are not in net.ipv4.ip_local_reserved_ports: a program can get one by chance`;
  return { support: 'partial', reason } as const;
}
