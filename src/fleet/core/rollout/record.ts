/**
 * The rollout record: a controller's word on which hosts may take a release that people have signed, and what becomes of
 * it. Whoever has a controller's key can only choose between what people signed and what the hosts had.
 *
 *     go     hosts of the open waves may take it
 *     hold   no host begins with it; those that did go on watching
 *     back   hosts go back from it, unless it is confirmed there
 *     keep   every host may take it, and those on which it is healthy confirm it
 */
import type { Stopwatch } from '../stopwatch.ts';

export const verdicts = ['go', 'hold', 'back', 'keep'] as const;
export type RolloutVerdict = (typeof verdicts)[number];

/** The most waves that a release can have. */
export const wavesMax = 1000;

export interface RolloutRecord {
  readonly format: 1;
  readonly fleet: string;
  /** The version of the trust that lists the controller. Records are ordered by it first, and then by their sequence. */
  readonly trust: number;
  /** The number of the record, from 1 on: each one that follows has a larger number. */
  readonly sequence: number;
  /** The number of the record that it follows; 0: of none. */
  readonly after: number;
  readonly release: {
    /** The version of the trust under which people signed it. */
    readonly trust: number;
    readonly generation: number;
    /** The root of its Merkle tree: another release of the same number is another one. */
    readonly root: string;
  };
  readonly verdict: RolloutVerdict;
  /** The last wave that is open, from 1 on. */
  readonly wave: number;
  /** The time when the wave was opened. An ISO time in UTC, like the others. */
  readonly opened: string;
  readonly issued: string;
  /** The end, at most a day after `issued`. */
  readonly expires: string;
  /** Why it holds or goes back, for people. */
  readonly reason: string;
}

/** The last record that a host has verified. */
export interface HostRollout {
  readonly record: RolloutRecord;
  /** The time when it expires, in milliseconds since 1970. */
  readonly until: number;
  /** The id of the trust that root had given the host by then. */
  readonly given: string;
  /** The time since it was handed over first. */
  readonly heard: Stopwatch;
}
