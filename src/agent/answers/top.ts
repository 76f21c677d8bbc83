/** `GET /v1/top`: what everybody used in the last tick. */
import { availableParallelism, totalmem } from 'node:os';
import type { TopAnswer, TopRow } from '../api.ts';
import type { Question } from './context.ts';
import { askedEntries } from './members.ts';

export function answerTop(question: Question): TopAnswer {
  const { live, lastTick } = question.agent;
  const entries = askedEntries(question);
  const all = question.query.flag('all') || question.query.names('tenant').length > 0;
  const shown = all ? entries : entries.filter((each) => !live.isIdle(each.who.member));
  const recent = live.recentFaults();
  const now = live.faultedNow(lastTick);
  const rows = shown.map(({ who, limits, limitTexts }): TopRow => ({
    ...who,
    usage: live.usage(who.member),
    limits,
    limitTexts,
    faults: recent.get(who.member) ?? {},
    faulted: now.get(who.member) ?? [],
  }));
  return {
    at: live.tick.at,
    seconds: live.tick.seconds,
    host: { cores: availableParallelism(), memoryBytes: totalmem() },
    rows,
    idle: entries.length - rows.length,
  };
}
