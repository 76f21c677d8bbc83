/**
 * Time that has passed for certain, whatever the wall clock says, over restarts of the agent and of the host. Between two
 * starts of the host only the time since the second one is certain.
 */

/** A moment by the clock that runs from the host's start on. */
export interface BootMoment {
  /** The host's start: its boot id. */
  readonly boot: string;
  /** Seconds since then. */
  readonly uptime: number;
}

/** A stopwatch that runs: the seconds that it had shown at a moment. */
export interface Stopwatch extends BootMoment {
  readonly seconds: number;
}

export const startStopwatch = ({ boot, uptime }: BootMoment): Stopwatch => ({
  boot,
  uptime,
  seconds: 0,
});

/** Returns the seconds that it shows now. */
export function secondsOf(watch: Stopwatch, now: BootMoment): number {
  const since = watch.boot === now.boot ? watch.uptime : 0;
  return watch.seconds + Math.max(0, now.uptime - since);
}

/** Returns the same stopwatch, as it is to be kept: a later start of the host forgets nothing before this. */
export const markStopwatch = (watch: Stopwatch, now: BootMoment): Stopwatch => ({
  boot: now.boot,
  uptime: now.uptime,
  seconds: secondsOf(watch, now),
});
