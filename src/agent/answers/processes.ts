/** `GET /v1/tenants/NAME/processes`: what runs there now. */
import type { Driver } from '../../host/driver.ts';
import type { ProcessSet } from '../../host/evidence/evidence-reader.ts';
import type { Entry, Roster } from '../roster.ts';
import type { LiveProcess, ProcessesAnswer } from '../api.ts';
import { maySeeCommands } from '../viewer.ts';
import { Refusal, type Question } from './context.ts';
import { namedEntry } from './members.ts';

const mostProcesses = 1000;

export async function answerProcesses(question: Question, name: string): Promise<ProcessesAnswer> {
  const { agent, viewer } = question;
  const entry = namedEntry(question, name);
  if (agent.driver === undefined) throw new Refusal(503, 'No policy is in force');
  const sets = processesOf(entry, agent.roster, agent.driver);
  const found = await agent.evidence.read(sets, mostProcesses);
  const showCommands = maySeeCommands(viewer, entry);
  const processes = found.map(({ command, ...rest }): LiveProcess => ({
    ...rest,
    ...(showCommands ? { command } : {}),
    ...shareOf(rest),
  }));
  return { who: entry.who, at: Date.now(), processes, processCount: countOf(sets) };
}

function shareOf({ cpuSeconds, ageSeconds }: Pick<LiveProcess, 'cpuSeconds' | 'ageSeconds'>) {
  if (cpuSeconds === undefined || ageSeconds === undefined) return {};
  return { cpu: cpuSeconds / Math.max(0.01, ageSeconds) };
}

/** The processes of a reseller are those of its tenants. */
export function processesOf(entry: Entry, roster: Roster, driver: Driver): readonly ProcessSet[] {
  const all = [...roster.entries.values()];
  const tenants =
    entry.who.kind === 'tenant'
      ? [entry]
      : all.filter((each) => each.resellerUid === entry.who.uid);
  return tenants.map(({ who, group }) => ({ member: who.member, pids: driver.processes(group) }));
}

export const countOf = (sets: readonly ProcessSet[]) =>
  sets.reduce((sum, { pids }) => sum + pids.length, 0);
