/**
 * Tenants that an administrator has stopped: a file each in the state directory, so that the stop survives a reboot.
 *
 *     /var/lib/bulkhead/stopped/1004        {"uid":1004,"user":"erin","by":"root","at":1764356400000,"frozen":false,"units":[]}
 *
 * The launcher and the PAM module check whether there is such a file. Only root can make one.
 */
import type { Paths } from './paths.ts';
import { namesIn, readText } from '../../packages/base/io/read.ts';

export interface Stop {
  readonly uid: number;
  /** The account name; empty for a uid without one. */
  readonly user: string;
  /** The account of whoever stopped it, as the kernel knows it since their login. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The reason that the administrator gave. */
  readonly reason?: string;
  /** Whether its processes are kept, frozen, rather than killed. */
  readonly frozen: boolean;
  /** The systemd units that were stopped, to be started again. */
  readonly units: readonly string[];
}

export const stopDirectory = ({ state }: Pick<Paths, 'state'>): string => `${state}/stopped`;
export const stopFile = (paths: Pick<Paths, 'state'>, uid: number): string =>
  `${stopDirectory(paths)}/${uid}`;

/** Returns the stops by uid; none if this process may not read them. */
export function readStops(paths: Pick<Paths, 'state'>): ReadonlyMap<number, Stop> {
  const names = namesIn(stopDirectory(paths)).filter((each) => /^[1-9]\d{0,9}$/.test(each));
  return new Map(
    names.flatMap((name): (readonly [number, Stop])[] => {
      const stop = readStop(paths, Number(name));
      return stop === undefined ? [] : [[stop.uid, stop]];
    }),
  );
}

/** Whether such a unit, `bulkhead-fpm84@1004:shop.service`, is of one of them. */
export const isUnitOfStopped = (stops: ReadonlyMap<number, Stop>, unit: string): boolean =>
  stops.has(Number(/@(\d+)[:.]/.exec(unit)?.[1]));

/** Whatever is in the file, it stops the tenant. */
export function readStop(paths: Pick<Paths, 'state'>, uid: number): Stop | undefined {
  const text = readText(stopFile(paths, uid));
  return text === undefined ? undefined : parseStop(uid, text);
}

export function parseStop(uid: number, text: string): Stop {
  const found = asObject(text);
  const { user, by, at, reason, frozen, units } = found;
  return {
    uid,
    user: typeof user === 'string' ? user : '',
    by: typeof by === 'string' ? by : 'unknown',
    at: typeof at === 'number' ? at : 0,
    ...(typeof reason === 'string' ? { reason } : {}),
    frozen: frozen === true,
    units: Array.isArray(units) ? units.filter((each) => typeof each === 'string') : [],
  };
}

function asObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' && found !== null ? { ...found } : {};
  } catch {
    return {};
  }
}

/** Describes a stop: `by root on 2026-11-28 19:10: fork bomb`. */
export function stopText({ by, at, reason, frozen }: Stop): string {
  const when = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  const how = frozen ? 'frozen' : 'stopped';
  return `${how} by ${by} on ${when} UTC${reason === undefined ? '' : `: ${reason}`}`;
}
