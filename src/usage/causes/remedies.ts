/** The remedies that an incident's snapshots suggest, as codes. */
import type { Resource } from './incident-topics.ts';
import type { Snapshot } from '../incident.ts';
import { seenRequests } from './causes.ts';
import { topUsers, type ProcessGroup } from './top-users.ts';

/**
 * A thing that can be done about a limit that was hit. `slow-request`: requests that PHP was serving can be made faster or be
 * cached. `heavy-job`: a job can do less, or run at night. `one-process`: a single process needs most of it.
 * `many-processes`: fewer at once need less. `restart-loop`: something is started again and again. `less-reading` and
 * `less-writing`: files. `one-visitor`: most refused requests came from one address. `many-visitors`: they came from many.
 * `higher-limit`: ask for one.
 */
export type Remedy =
  | 'slow-request'
  | 'heavy-job'
  | 'one-process'
  | 'many-processes'
  | 'restart-loop'
  | 'less-reading'
  | 'less-writing'
  | 'one-visitor'
  | 'many-visitors'
  | 'higher-limit';

interface Trouble {
  readonly resource: Resource;
  /** Whether it is a limit of the policy, which can be raised. */
  readonly isLimit: boolean;
  /** Whether command lines may be shown: groups are by program otherwise. */
  readonly showCommands: boolean;
}

/** Returns the remedies, the most fitting first. */
export function remediesFor(trouble: Trouble, evidence: readonly Snapshot[]): readonly Remedy[] {
  const { resource, isLimit, showCommands } = trouble;
  const groups = topUsers(resource, evidence, showCommands);
  const hasRequests = seenRequests(evidence).length > 0;
  const shape = shapeOf(resource, groups);
  const isJob = !hasRequests && resource === 'cpu' && groups.length > 0;
  return [
    ...(hasRequests ? (['slow-request'] as const) : []),
    ...shape,
    ...(isJob ? (['heavy-job'] as const) : []),
    ...(resource === 'read' || resource === 'disk' ? (['less-reading'] as const) : []),
    ...(resource === 'write' || resource === 'disk' ? (['less-writing'] as const) : []),
    ...(isLimit ? (['higher-limit'] as const) : []),
  ];
}

/** Returns what the heaviest group of processes suggests, if it has most of the resource. */
function shapeOf(
  resource: Resource,
  [first, ...others]: readonly ProcessGroup[],
): readonly Remedy[] {
  if (first === undefined) return [];
  const all = others.reduce((sum, { amount }) => sum + amount, first.amount);
  if (first.amount <= 0.6 * all) return [];
  if (resource === 'processes') {
    if (first.processes < 10) return [];
    return [first.youngestSeconds < 60 ? 'restart-loop' : 'many-processes'];
  }
  if (resource !== 'memory') return [];
  if (first.largest > 0.6 * all) return ['one-process'];
  return first.processes >= 5 ? ['many-processes'] : [];
}
