/** Figures of single tenants that the agent's parts have counted, outside the kernel's counters. */
import type { Who } from '../api/api.ts';
import type { MailCount, SentByWeb } from '../api/usage-api.ts';
import type { AgentPart } from '../part.ts';
import type { Membership } from './membership.ts';

export class TenantFigures {
  readonly #parts: readonly AgentPart[];
  readonly #membership: Pick<Membership, 'beginningOf'>;

  constructor(parts: readonly AgentPart[], membership: Pick<Membership, 'beginningOf'>) {
    this.#parts = parts;
    this.#membership = membership;
  }

  readonly databaseUse = (uid: number) =>
    this.#parts.find((part) => part.databaseUse)?.databaseUse?.(uid);

  readonly networkUse = (uid: number) =>
    this.#parts.find((part) => part.networkUse)?.networkUse?.(uid);

  /** Returns what web servers sent for a tenant's sites; undefined for resellers and sites. */
  sentByWeb({ kind, uid, member }: Who): SentByWeb | 'unknown' | undefined {
    if (kind !== 'tenant') return undefined;
    const since = this.#membership.beginningOf(member);
    const part = this.#parts.find((each) => each.sentByWeb);
    return (Number.isFinite(since) ? part?.sentByWeb?.(uid, since) : undefined) ?? 'unknown';
  }

  /**
   * Counts the tenant's mail; there is none for an account that no policy was applied with yet. Undefined for resellers
   * and sites.
   */
  mail({ kind, uid, member }: Who): MailCount | 'unknown' | undefined {
    if (kind !== 'tenant') return undefined;
    const since = this.#membership.beginningOf(member);
    if (!Number.isFinite(since)) return 'unknown';
    for (const part of this.#parts) {
      const found = part.mail?.(uid, since);
      if (found !== undefined) return found;
    }
    return 'unknown';
  }
}
