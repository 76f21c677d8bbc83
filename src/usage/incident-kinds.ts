/** The registry of incident kinds: what all capabilities know about incidents. It is passed in from outside. */
import type { LimitKey } from '../limits/limit.ts';
import { readItems, type Evidence, type EvidenceKind } from './evidence.ts';
import type { Incident, Snapshot } from './incident.ts';
import type { IncidentKind, WithoutLimit } from './incident-kind.ts';

/** The incidents that a capability reports or explains. */
export interface CapabilityIncidents {
  /** The words for keys that are not limits, in `limits` of an alert rule and in `faults --limit`. */
  readonly words?: Readonly<Record<string, readonly LimitKey[]>>;
  readonly load: () => Promise<readonly IncidentKind[]>;
}

/** Capabilities, as far as the registry needs them. */
type IncidentSources = readonly { readonly incidents?: CapabilityIncidents }[];

/** Returns the words for what is not a limit. They cost nothing: every command that reads a policy needs them. */
export const incidentWords = (
  capabilities: IncidentSources,
): ReadonlyMap<string, readonly LimitKey[]> =>
  new Map(capabilities.flatMap(({ incidents }) => Object.entries(incidents?.words ?? {})));

export async function loadIncidentKinds(capabilities: IncidentSources): Promise<IncidentKinds> {
  const loaded = await Promise.all(
    capabilities.flatMap(({ incidents }) => incidents?.load() ?? []),
  );
  return new IncidentKinds(loaded.flat());
}

export class IncidentKinds {
  readonly #byLimit = new Map<LimitKey, IncidentKind>();
  readonly #byEvidence = new Map<string, EvidenceKind>();

  constructor(kinds: readonly IncidentKind[] = []) {
    for (const kind of kinds) {
      if (this.#byLimit.has(kind.limit)) throw new Error(`Two kinds of incidents: ${kind.limit}`);
      this.#byLimit.set(kind.limit, kind);
      if (kind.evidence === undefined) continue;
      const { kind: name } = kind.evidence;
      const known = this.#byEvidence.get(name);
      if (known !== undefined && known !== kind.evidence)
        throw new Error(`Two kinds of evidence: ${name}`);
      this.#byEvidence.set(name, kind.evidence);
    }
  }

  get(limit: LimitKey): IncidentKind | undefined {
    return this.#byLimit.get(limit);
  }

  withoutLimit(limit: LimitKey): WithoutLimit | undefined {
    return this.#byLimit.get(limit)?.withoutLimit;
  }

  /** Returns the keys that are not limits. */
  keysWithoutLimit(): readonly LimitKey[] {
    return [...this.#byLimit.keys()].filter((key) => this.withoutLimit(key) !== undefined);
  }

  /** Returns the items of an incident's own kind in its snapshots. */
  itemsOf({ limit }: Pick<Incident, 'limit'>, snapshots: readonly Snapshot[]): readonly object[] {
    const own = this.#byLimit.get(limit)?.evidence?.kind;
    return snapshots.flatMap(({ evidence }) =>
      evidence !== undefined && evidence.kind === own ? evidence.items : [],
    );
  }

  /** Reads stored evidence, which may be anything; undefined if nothing in it is of a known kind. */
  read(stored: unknown): Evidence | undefined {
    if (typeof stored !== 'object' || stored === null) return undefined;
    const { kind: name, items } = stored as { readonly kind?: unknown; readonly items?: unknown };
    const kind = typeof name === 'string' ? this.#byEvidence.get(name) : undefined;
    if (kind === undefined) return undefined;
    const read = readItems(kind, items);
    return read.length === 0 ? undefined : { kind: kind.kind, items: read };
  }

  /** Returns evidence as a reseller may see it; nothing of an unknown kind. */
  redact({ kind: name, items }: Evidence): Evidence {
    const kind = this.#byEvidence.get(name);
    return { kind: name, items: kind === undefined ? [] : items.map((each) => kind.redact(each)) };
  }

  /** Returns a line for each item; none for an unknown kind. */
  lines({ kind: name, items }: Evidence): readonly string[] {
    const kind = this.#byEvidence.get(name);
    return kind === undefined ? [] : items.map((each) => kind.line(each));
  }
}
