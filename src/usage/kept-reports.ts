/** Reports of an incident that come between its snapshots, kept for the next one. */
import type { RefusedLink, RefusedRequest, RefusedTry } from './incident.ts';

export interface Reports {
  readonly requests: readonly RefusedRequest[];
  readonly links: readonly RefusedLink[];
  readonly tries: readonly RefusedTry[];
}

/** Of each kind; later ones are counted and not shown. */
const keptMax = 20;

const none: Reports = { requests: [], links: [], tries: [] };
const hasAny = (reports: Reports) => Object.values(reports).some(({ length }) => length > 0);

export class KeptReports {
  readonly #of = new WeakMap<object, Reports>();

  add(incident: object, { requests, links, tries }: Reports): void {
    const kept = this.#of.get(incident) ?? none;
    const all = {
      requests: [...kept.requests, ...requests].slice(0, keptMax),
      links: [...kept.links, ...links].slice(0, keptMax),
      tries: [...kept.tries, ...tries].slice(0, keptMax),
    };
    if (hasAny(all)) this.#of.set(incident, all);
  }

  has(incident: object): boolean {
    return this.#of.has(incident);
  }

  /** They are kept no longer. */
  take(incident: object): Reports {
    const kept = this.#of.get(incident) ?? none;
    this.#of.delete(incident);
    return kept;
  }
}
