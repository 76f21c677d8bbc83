/** Finds the top users of a resource during an incident, and the requests that PHP was serving, from its snapshots. */
import { listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { growth, type Amounts } from './growth.ts';
import type { Resource } from './incident-topics.ts';
import type { ProcessEvidence, ServedRequest, Snapshot } from '../incident.ts';
import { rough } from '../numbers.ts';

/** All processes of one program, or of one command line. */
export interface ProcessGroup {
  readonly title: string;
  processes: number;
  threads: number;
  /** The amount of the resource, in seconds, bytes, or threads. */
  amount: number;
  largest: number;
  youngestSeconds: number;
}

/** The maximum number of groups named. */
const groupsMax = 3;

/** Returns the heaviest users of a resource, heaviest first. */
export function topUsers(
  resource: Resource,
  evidence: readonly Snapshot[],
  showCommands: boolean,
): readonly ProcessGroup[] {
  const groups = new Map<string, ProcessGroup>();
  for (const [process, amount] of amounts(resource, evidence)) {
    const title = showCommands ? cut(process.command, 120) : cut(process.name, 32);
    const group = groups.get(title) ?? emptyGroup(title);
    groups.set(title, group);
    group.processes++;
    group.threads += process.threads;
    group.amount += amount;
    group.largest = Math.max(group.largest, amount);
    group.youngestSeconds = Math.min(group.youngestSeconds, process.ageSeconds ?? Infinity);
  }
  return [...groups.values()]
    .filter((each) => each.amount > 0)
    .sort((a, b) => b.amount - a.amount)
    .slice(0, groupsMax);
}

const emptyGroup = (title: string): ProcessGroup => ({
  title,
  processes: 0,
  threads: 0,
  amount: 0,
  largest: 0,
  youngestSeconds: Infinity,
});

type Measure = (process: ProcessEvidence) => number | undefined;

const growing: Readonly<Partial<Record<Resource, Measure>>> = {
  cpu: ({ cpuSeconds }) => cpuSeconds,
  read: ({ readBytes }) => readBytes,
  write: ({ writeBytes }) => writeBytes,
  disk: ({ readBytes, writeBytes }) =>
    readBytes === undefined || writeBytes === undefined ? undefined : readBytes + writeBytes,
};

function amounts(resource: Resource, evidence: readonly Snapshot[]): Amounts {
  const grown = growing[resource];
  if (grown !== undefined) return growth(evidence, grown);
  if (resource === 'memory') return holdings(fullest(evidence, memoryOf), (one) => one.memoryBytes);
  if (resource !== 'processes') return [];
  return holdings(fullest(evidence, threadsOf), (each) => each.threads);
}

const holdings = (
  snapshot: Snapshot | undefined,
  measure: (process: ProcessEvidence) => number,
): Amounts => (snapshot?.processes ?? []).map((each) => [each, measure(each)] as const);

const requestsShownMax = 5;

/**
 * Describes the served requests in a sentence, the most frequent first; only for root and the tenant. Empty if none is
 * known.
 */
export function servedRequests(evidence: readonly Snapshot[], showCommands: boolean): string {
  const all = evidence.flatMap(({ processes }) =>
    processes.flatMap(({ request }) => request ?? []),
  );
  if (all.length === 0 || !showCommands) return '';
  const groups = [...Map.groupBy(all, servedText).entries()]
    .sort(([, a], [, b]) => b.length - a.length || longest(b) - longest(a))
    .map(([text, of]) => `${text} (${seen(of)})`);
  return `PHP was serving ${listSome(groups, requestsShownMax)}.`;
}

const longest = (requests: readonly ServedRequest[]) =>
  Math.max(...requests.map(({ seconds }) => seconds));

const seen = (requests: readonly ServedRequest[]) =>
  requests.length === 1
    ? `for ${rough(longest(requests))} s`
    : `${requests.length} times, the longest for ${rough(longest(requests))} s`;

/** Returns `GET /search.php`, with the script if the path does not show it. */
function servedText(request: ServedRequest): string {
  const what = `${cut(request.method, 16)} ${cut(request.path, 128)}`;
  const script = untoldScript(request);
  return script === '' ? what : `${what} by ${cut(script, 256)}`;
}

/** Returns the script; empty if the path shows it. */
export const untoldScript = ({ path, script }: ServedRequest): string =>
  script.endsWith(path) ? '' : script;

export const memoryOf = ({ usage }: Snapshot) => usage.memory - usage.cache;
export const threadsOf = ({ usage, processCount }: Snapshot) =>
  Math.max(usage.threads, processCount);

export function fullest(
  evidence: readonly Snapshot[],
  measure: (snapshot: Snapshot) => number,
): Snapshot | undefined {
  return evidence.reduce<Snapshot | undefined>(
    (max, each) => (max === undefined || measure(each) > measure(max) ? each : max),
    undefined,
  );
}

export function cut(text: string, max: number): string {
  const safe = printable(text.slice(0, max));
  return text.length > max ? `${safe}…` : safe;
}
