/** The effects of a tenant's limits, in sentences. */
import type { Trouble, TroublesResponse } from '../../../agent/api/report-api.ts';
import { limitWords, numbers } from './language.ts';
import { words } from '../member/words.ts';
import type { Period } from './period.ts';

interface Subject {
  /** `Your site`, or the name of a member. */
  readonly name: string;
  readonly isOwn: boolean;
}

const shownMax = 4;

/** Returns the sentences that a page for a tenant begins with, the worst first. */
export function troubleSentences(
  { troubles, isCut }: TroublesResponse,
  subject: Subject,
  period: Period,
): readonly string[] {
  const { troubles: texts } = words.value.tenant;
  const when = ` ${texts.periods[period.key ?? 'other']}`;
  if (troubles.length === 0) return [texts.none(subject.name, when)];
  const hasFailed = troubles.some(({ severity }) => severity !== 'throttled');
  return [
    ...troubles.slice(0, shownMax).map((trouble, at) =>
      // The first sentence has the period; the others go on from it.
      sentenceOf(trouble, nameFor(trouble, subject), at === 0 ? when : ''),
    ),
    hasFailed ? texts.somethingFailed : texts.nothingFailed,
    ...(troubles.some(({ isNow }) => isNow) ? [texts.now] : []),
    ...(isCut ? [texts.isCut] : []),
  ];
}

const nameFor = ({ site }: Trouble, { name, isOwn }: Subject) =>
  site === undefined ? name : isOwn ? words.value.tenant.troubles.ofSite(site) : `${name}/${site}`;

function sentenceOf(trouble: Trouble, who: string, when: string): string {
  const { troubles: texts } = words.value.tenant;
  const { limit, resource, severity, faults, incidents, seconds } = trouble;
  const name = limitWords(limit);
  if (severity === 'killed')
    return resource === 'memory'
      ? // Its faults are also those before a program was ended.
        texts.ended(who, incidents, when)
      : texts.endedOther(who, name, incidents, when);
  if (severity === 'refused') {
    if (resource === 'processes') return texts.refused.processes(who, faults, when);
    return limit === 'entries.limit'
      ? texts.refused.requests(who, faults, when)
      : texts.refused.other(who, name, faults, when);
  }
  const time = numbers.value.duration(seconds);
  const { waited } = texts;
  if (resource === 'cpu') return waited.cpu(who, time, when);
  if (resource === 'memory') return waited.memory(who, time, when);
  if (resource === 'other' || resource === 'processes') return waited.other(who, name, time, when);
  return waited.disk(who, time, when);
}
