/**
 * Events: the faults of a host's tenants. They are numbered without a gap, so that a centre knows what it
 * has not got. A host keeps the last ones only: `oldest` says from which number on it still has them.
 *
 *     {"format":1,"fleet":"example","host":"web-017","epoch":"5f0c…","oldest":1,"first":41,"events":[{"at":"2027-…",…}]}
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { formatOne, list, name, object, orNull, text, time, whole, type Shape } from '../fields.ts';
import { parseShape } from '../parse.ts';

/** The faults of a tenant, reseller or site at one limit within a minute. */
export interface FleetEvent {
  /** The end of that minute, by the host's clock: an ISO time in UTC. */
  readonly at: string;
  /** `u1001`, `r1000` or `u1001/shop.example`. */
  readonly member: string;
  /** The name of the tenant, reseller or site on that host; null: it has none, or a very long one. */
  readonly name: string | null;
  /** The limit that was hit. */
  readonly limit: string;
  readonly severity: string;
  readonly faults: number;
}

export interface EventsDocument {
  readonly format: 1;
  readonly fleet: string;
  readonly host: string;
  /** The record in which the numbers count. A host that has lost its record begins another epoch. */
  readonly epoch: string;
  /** The number of the oldest event that the host still has. */
  readonly oldest: number;
  /** The number of the first event here. */
  readonly first: number;
  readonly events: readonly FleetEvent[];
}

/** So many fit into one message, however long their names are. */
export const eventsPerDocument = 30;
/** The most events that a host keeps for its centre: older ones are lost. */
export const keptEventsMax = 50_000;
/** More than a kernel can count in a minute. */
const faultsMax = 1e9;
/** A host has no time to make more. */
const numberMax = 2 ** 50;
const documentCharsMax = 64 * 2 ** 10;

/** Longer names are not sent, so that all events of a document fit into one message. */
export const eventNameCharsMax = 64;

const eventShape: Shape<FleetEvent> = {
  at: time,
  member: text(300),
  name: orNull(text(eventNameCharsMax)),
  limit: text(64),
  severity: text(32),
  faults: whole(1, faultsMax),
};

const eventsShape: Shape<EventsDocument> = {
  format: formatOne,
  fleet: name,
  host: name,
  epoch: name,
  oldest: whole(1, numberMax),
  first: whole(1, numberMax),
  events: list(object(eventShape), 1, eventsPerDocument),
};

export const parseEvents = (document: string): Result<EventsDocument, Cause> =>
  parseShape('document of events', document, { charsMax: documentCharsMax, shape: eventsShape });
