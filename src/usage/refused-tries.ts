/** What a tenant tried that leads past its jail, in words. */
import { count, listSome } from '../base/list.ts';
import type { LimitKey } from '../limits/limit.ts';
import { alertTopics } from '../limits/alert-topics.ts';
import type { RefusedTry, Snapshot } from './incident.ts';
import { cut } from './top-users.ts';

/** In the place of a limit. */
export const jailFault: LimitKey = alertTopics.jail;

const shownMax = 5;

/** `showAll`: for root and the tenant alone. Empty where nothing is known. */
export function refusedTries(evidence: readonly Snapshot[], showAll: boolean): string {
  const all = evidence.flatMap(({ tries = [] }) => tries);
  if (all.length === 0) return '';
  const programs = [...new Set(all.map(({ program }) => cut(program, 32)))];
  if (!showAll) return `Tried by ${listSome(programs, shownMax)}.`;
  const texts = [...new Set(all.map(tryText))];
  return `${count(texts.length, 'try is', 'tries are')} known: ${listSome(texts, shownMax)}.`;
}

export const tryText = ({ program, tried }: RefusedTry): string =>
  `${cut(program, 32)} ${cut(tried, 200)}`;
