/** The causes that an incident's snapshots show, for programs: what used the most, and the requests served. */
import type { ServedRequest, Snapshot } from '../incident.ts';
import type { Resource } from './incident-topics.ts';
import { cut, topUsers } from './top-users.ts';

/** The processes of one command line, or of one program, in the snapshots of an incident. */
export interface HeavyUser {
  /** The command line, or the program. */
  readonly title: string;
  /** The number of processes. */
  readonly processes: number;
  /** Seconds of CPU time, bytes, or threads, as the resource has it. */
  readonly amount: number;
}

/** A request that PHP was serving in the snapshots of an incident. */
export interface SeenRequest {
  /** The HTTP method. */
  readonly method: string;
  /** The path as PHP sees it, without the query string. */
  readonly path: string;
  /** The file name. */
  readonly script: string;
  /** How often it was seen. */
  readonly count: number;
  /** The longest time for which one had been served. */
  readonly secondsMax: number;
}

const requestsMax = 5;

export const heavyUsers = (
  resource: Resource,
  evidence: readonly Snapshot[],
  showCommands: boolean,
): readonly HeavyUser[] =>
  topUsers(resource, evidence, showCommands).map(({ title, processes, amount }) => ({
    title,
    processes,
    amount,
  }));

/** Returns the requests that PHP was serving, the most frequent first. */
export function seenRequests(evidence: readonly Snapshot[]): readonly SeenRequest[] {
  const all = evidence.flatMap(({ processes }) =>
    processes.flatMap(({ request }) => request ?? []),
  );
  const keyOf = ({ method, path, script }: ServedRequest) => `${method}\0${path}\0${script}`;
  return [...Map.groupBy(all, keyOf).values()]
    .flatMap(seenAs)
    .sort((a, b) => b.count - a.count || b.secondsMax - a.secondsMax)
    .slice(0, requestsMax);
}

function seenAs(requests: readonly ServedRequest[]): readonly SeenRequest[] {
  const [first] = requests;
  if (first === undefined) return [];
  const { method, path, script } = first;
  return [
    {
      method: cut(method, 16),
      path: cut(path, 128),
      script: cut(script, 256),
      count: requests.length,
      secondsMax: Math.max(...requests.map(({ seconds }) => seconds)),
    },
  ];
}
