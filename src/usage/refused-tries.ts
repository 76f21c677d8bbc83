/** Describes a tenant's attempts to get past its jail. */
import { count, listSome } from '../../packages/base/list.ts';
import type { LimitKey } from '../limits/limit.ts';
import { alertTopics } from '../limits/alert-topics.ts';
import type { RefusedTry, Snapshot } from './incident.ts';
import { cut } from './top-users.ts';

/** The key in place of a limit. */
export const jailFault: LimitKey = alertTopics.jail;

const shownMax = 5;

/** Describes the attempts. `showAll`: only for root and the tenant. Empty if nothing is known. */
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
