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

/** The error of a host's clock that is taken, and the age of a status. */
const clockErrorMilliseconds = 600_000;

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

  /** Takes statuses. Fails only if nothing can be stored. */
  statuses(all: readonly Told[]): Result<void, Problem> {
    return this.#each(all, (told) => this.#status(told));
  }

  /** Takes events. Returns the marks of their hosts. Fails only if nothing can be stored. */
  events(all: readonly Told[]): Result<ReadonlyMap<string, Mark>, Problem> {
    const marks = new Map<string, Mark>();
    const taken = this.#each(all, (told) => {
      const mark = this.#events(told);
      if (mark !== undefined) marks.set(told.host, mark);
    });
    return taken.ok ? ok(marks) : taken;
  }

  /** Takes all in one transaction. If one of them cannot be taken, each gets its own: no host may keep out others. */
  #each(all: readonly Told[], take: (told: Told) => void): Result<void, Problem> {
    try {
      return this.#store.transaction(() => all.forEach(take));
    } catch {
      for (const told of all) {
        const taken = this.#alone(told, take);
        if (!taken.ok) return taken;
      }
      return ok(undefined);
    }
  }

  #alone(told: Told, take: (told: Told) => void): Result<void, Problem> {
    try {
      return this.#store.transaction(() => take(told));
    } catch {
      return this.#store.refuse(told.host, 'it cannot be stored');
    }
  }

  #status(told: Told): void {
    const document = this.#open(told, hostNamespaces.status);
    const status = document.ok ? parseStatus(document.value) : document;
    const checked = status.ok ? this.#ofHost(status.value, told.host) : status;
    if (!checked.ok) return this.#refuse(told.host, checked.error);
    const { at } = checked.value;
    // A time such as the 99th of a month is not a number.
    if (!(Math.abs(Date.parse(at) - told.receivedAt) <= clockErrorMilliseconds)) {
      const reason = `it tells of ${at}: its clock is wrong, or the status is an old one`;
      return this.#refuse(told.host, { reason });
    }
    // The same again says nothing.
    const last = parseStatus(this.#store.lastStatus(told.host) ?? '');
    if (last.ok && at <= last.value.at) return;
    if (document.ok) this.#store.status(told.host, document.value, told.receivedAt);
  }

  #events(told: Told): Mark | undefined {
    const document = this.#open(told, hostNamespaces.events);
    const events = document.ok ? parseEvents(document.value) : document;
    const checked = events.ok ? this.#ofHost(events.value, told.host) : events;
    if (!checked.ok) {
      this.#refuse(told.host, checked.error);
      return undefined;
    }
    if (checked.value.events.some(({ at }) => Number.isNaN(Date.parse(at)))) {
      this.#refuse(told.host, { reason: 'it has a time that does not exist' });
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
