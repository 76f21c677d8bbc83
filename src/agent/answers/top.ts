/** `GET /v1/top`: what everybody used in the last tick. */
import { availableParallelism, totalmem } from 'node:os';
import type { TopAnswer, TopRow } from '../api.ts';
import type { Live } from '../live.ts';
import type { Entry } from '../roster.ts';
import type { Question } from './context.ts';
import { askedEntries } from './members.ts';

export function answerTop(question: Question): TopAnswer {
  const { live, lastTick } = question.agent;
  const entries = askedEntries(question);
  const all = question.query.flag('all') || question.query.names('tenant').length > 0;
  const shown = all ? entries : entries.filter((each) => !live.isIdle(each.who.member));
  const rows = topRows(shown, live, lastTick);
  return {
    at: live.tick.at,
    seconds: live.tick.seconds,
    host: { cores: availableParallelism(), memoryBytes: totalmem() },
    rows,
    idle: entries.length - rows.length,
  };
}

/** `lastTick` is its monotonic time. */
export function topRows(
  entries: readonly Entry[],
  live: Live,
  lastTick: number,
): readonly TopRow[] {
  const recent = live.recentFaults();
  const now = live.faultedNow(lastTick);
  return entries.map(({ who, limits, limitTexts }) => ({
    ...who,
    usage: live.usage(who.member),
    limits,
    limitTexts,
    faults: recent.get(who.member) ?? {},
    faulted: now.get(who.member) ?? [],
  }));
}
