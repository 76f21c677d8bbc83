/**
 * Takes what hosts tell: a status or events, under the subject of the host. Servers let only a host use its subject, and
 * the signature shows that root of that host has said it. What is refused is noted at the host, and gone.
 */
import type { Cause, Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { namePattern } from '../../core/fields.ts';
import { parseEvents } from '../../core/told/events.ts';
import type { Mark } from '../../core/told/mark.ts';
import { hostNamespaces, parseSigned, type HostNamespace } from '../../core/told/signed.ts';
import { parseStatus } from '../../core/told/status.ts';
import { isSignedByHost } from '../verify/host-signature.ts';
import type { CentreStore } from './centre-store.ts';

export interface Told {
  readonly host: string;
  readonly text: string;
  /** The time when a server got it, in milliseconds since 1970. */
  readonly receivedAt: number;
}

export class Collector {
  readonly #fleet: string;
  readonly #store: CentreStore;

  constructor(fleet: string, store: CentreStore) {
    this.#fleet = fleet;
    this.#store = store;
  }

  /** Takes statuses, all or none. */
  statuses(all: readonly Told[]): Result<void, Problem> {
    return this.#together(() => {
      for (const told of all) this.#status(told);
    });
  }

  /** Takes events, all or none. Returns the marks of their hosts. */
  events(all: readonly Told[]): Result<ReadonlyMap<string, Mark>, Problem> {
    return this.#together(() => {
      const marks = new Map<string, Mark>();
      for (const told of all) {
        const mark = this.#events(told);
        if (mark !== undefined) marks.set(told.host, mark);
      }
      return marks;
    });
  }

  #together<T>(work: () => T): Result<T, Problem> {
    return this.#store.transaction(work);
  }

  #status(told: Told): void {
    const document = this.#open(told, hostNamespaces.status);
    const status = document.ok ? parseStatus(document.value) : document;
    const checked = status.ok ? this.#ofHost(status.value, told.host) : status;
    if (checked.ok && document.ok) this.#store.status(told.host, document.value, told.receivedAt);
    else if (!checked.ok) this.#refuse(told.host, checked.error);
  }

  #events(told: Told): Mark | undefined {
    const document = this.#open(told, hostNamespaces.events);
    const events = document.ok ? parseEvents(document.value) : document;
    const checked = events.ok ? this.#ofHost(events.value, told.host) : events;
    if (!checked.ok) {
      this.#refuse(told.host, checked.error);
      return undefined;
    }
    const mark = this.#store.add(checked.value, told.receivedAt);
    return mark.ok ? mark.value : undefined;
  }

  /** Returns the document, if the host's own key has signed it. */
  #open({ host, text }: Told, namespace: HostNamespace): Result<string, Cause> {
    if (!namePattern.test(host)) return fail({ reason: 'its subject does not name a host' });
    const signed = parseSigned(text);
    if (!signed.ok) return signed;
    if (!isSignedByHost(namespace, signed.value)) return fail({ reason: 'its signature is wrong' });
    const key = this.#store.pinned(host, signed.value.key);
    if (!key.ok) return key;
    return key.value === signed.value.key
      ? ok(signed.value.document)
      : fail({
          reason: 'it signs with another key than before',
          hint: `if it was installed anew: bulkhead fleet server forget ${host}`,
        });
  }

  #ofHost<T extends { readonly fleet: string; readonly host: string }>(
    value: T,
    host: string,
  ): Result<T, Cause> {
    return value.fleet === this.#fleet && value.host === host
      ? ok(value)
      : fail({ reason: 'it tells of another host, or of another fleet' });
  }

  #refuse(host: string, { reason, hint }: Cause): void {
    this.#store.refuse(host, hint === undefined ? reason : `${reason}; ${hint}`);
  }
}
