/**
 * A host's status: its state in the fleet, as its agent knows it. The host signs its exact text, so that what carries
 * it can keep it back, but not change it.
 *
 *     {"format":1,"fleet":"example","host":"web-017","at":"2027-01-31T12:00:00.000Z","state":"healthy","generation":43,…}
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, type Result } from '../../../../packages/base/result.ts';
import type { FleetState } from '../../../agent/api/fleet-api.ts';
import {
  formatOne,
  hash,
  matching,
  name,
  object,
  orNull,
  text,
  time,
  whole,
  type Field,
  type Shape,
} from '../fields.ts';
import { countedMax, roomField, type RoomReport } from '../room.ts';
import { parseShape } from '../parse.ts';

export interface HostStatus {
  readonly format: 1;
  readonly fleet: string;
  readonly host: string;
  /** An ISO time in UTC, by the host's clock. */
  readonly at: string;
  readonly state: FleetState;
  /** The generation in force; null: none. */
  readonly generation: number | null;
  /** The newest generation that was handed over with valid signatures; null: none. */
  readonly newest: number | null;
  /** The root of that release, in hexadecimal: another one of the same number has another root; null: it has not begun. */
  readonly root: string | null;
  /** The generation to which the host goes back; null: none. */
  readonly confirmed: number | null;
  /** Tenants; null: unknown. */
  readonly tenants: number | null;
  /** Incidents of the last 24 hours; null: unknown. */
  readonly faults24h: number | null;
  /** Tenants' processes outside their cgroups; null: unknown. */
  readonly outside: number | null;
  /** The reason of a state that people should look at. */
  readonly why: string | null;
  /** The room for more tenants; null: unknown. */
  readonly room: RoomReport | null;
  /** The events that the host has made: the number of the last one, and the epoch in which the numbers count; null: unknown. */
  readonly events: { readonly last: number; readonly epoch: string } | null;
}

export const whyCharsMax = 500;
const statusCharsMax = 4096;
/** More than a host can keep of a day. */
const incidentsMax = 1e9;

/** A later version may have a state that is not known here, and says it all the same. */
const state = matching('a state in lower-case letters', (value) =>
  /^[a-z ]{1,32}$/.test(value),
) as Field<FleetState>;

const statusShape: Shape<HostStatus> = {
  format: formatOne,
  fleet: name,
  host: name,
  at: time,
  state,
  generation: orNull(whole(1)),
  newest: orNull(whole(1)),
  root: orNull(hash),
  confirmed: orNull(whole(1)),
  tenants: orNull(whole(0, countedMax.tenants)),
  faults24h: orNull(whole(0, incidentsMax)),
  outside: orNull(whole(0, countedMax.processes)),
  why: orNull(text(whyCharsMax)),
  room: orNull(roomField),
  events: orNull(object({ last: whole(0), epoch: name })),
};

/** Returns the only text that this status may have. */
export const statusText = (status: HostStatus): string => JSON.stringify(status);

export function parseStatus(document: string): Result<HostStatus, Cause> {
  const parsed = parseShape('status', document, { charsMax: statusCharsMax, shape: statusShape });
  return parsed.ok && statusText(parsed.value) !== document
    ? fail({ reason: 'the status is not in the form that Bulkhead writes' })
    : parsed;
}
