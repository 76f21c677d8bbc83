/** The agent's part that reports each failure once to the administrator, and to its log. */
import type { AgentPart, Alarm } from '../../../../agent/part.ts';
import type { Log } from '../../../../agent/log.ts';
import { Rounds } from '../../../../host/reconcile/rounds.ts';
import type { Paths } from '../../../../host/paths.ts';
import { FailureAlarms, type FpmFailure } from '../../../core/fpm/failures.ts';
import { readFailures } from './failures.ts';

const everyMs = 60_000;

export const fpmFailuresPart = (paths: Paths, log: Log): AgentPart =>
  failuresPart(() => readFailures(paths), log);

/** `clock`: monotonic, in milliseconds. */
export function failuresPart(
  read: () => Promise<readonly FpmFailure[]>,
  log: Pick<Log, 'warn'>,
  clock = () => performance.now(),
): AgentPart {
  const known = new FailureAlarms();
  const alarms: Alarm[] = [];
  const round = async () => {
    const fresh = known.take(await read());
    for (const { text } of fresh) log.warn(text);
    alarms.push(...fresh);
  };
  const rounds = new Rounds(everyMs, round, {
    about: 'failures of PHP-FPM services',
    log: (text) => log.warn(text),
    clock,
  });
  return {
    takeAlarms: () => alarms.splice(0),
    afterTick: () => rounds.tick(),
  };
}
