/** Names in a question → who is meant, as far as the one who asks may see them. */
import type { Member } from '../../usage/member.ts';
import type { Entry } from '../roster.ts';
import { isAdministrator, maySee, visibleEntries } from '../viewer.ts';
import { Refusal, type Question } from './context.ts';

/** Those that were named, or all that may be seen. */
export function askedEntries(question: Question): readonly Entry[] {
  const { agent, viewer, query } = question;
  const names = query.names('tenant');
  if (names.length > 0) return names.map((name) => namedEntry(question, name));
  const entries = visibleEntries(viewer, agent.roster);
  if (entries.length === 0 && !isAdministrator(viewer)) {
    throw new Refusal(403, 'You are no tenant of this host, and there is nothing of yours to see');
  }
  return entries;
}

/** Whether somebody exists is not told to those who may not see them. */
export function namedEntry({ agent, viewer }: Question, name: string): Entry {
  const entry = agent.roster.find(name);
  if (entry === undefined || !maySee(viewer, entry)) {
    throw new Refusal(404, `There is no tenant ${JSON.stringify(name)} that you may see`);
  }
  return entry;
}

/** For stores: all members, without naming them one by one where everybody is meant. */
export function membersOf(
  question: Question,
  entries: readonly Entry[],
): readonly Member[] | undefined {
  const everybody = question.query.names('tenant').length === 0 && isAdministrator(question.viewer);
  return everybody ? undefined : entries.map((each) => each.who.member);
}
