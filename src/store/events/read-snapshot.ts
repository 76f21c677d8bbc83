/**
 * A stored snapshot, field by field: the file may be damaged, of an earlier version, or written by somebody else. What
 * is unknown is left out, and a missing metric of the kernel is 0.
 */
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import type {
  KilledProcess,
  ProcessEvidence,
  ServedRequest,
  Snapshot,
} from '../../usage/incident.ts';
import { metricKeys, type Usage } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';

const processesMax = 50;
/** The length of the longest text: a command line. */
const textMax = 4096;

type Stored = Readonly<Record<string, unknown>>;

/** Returns undefined if it is not a snapshot at all. */
export function parseSnapshot(value: unknown, kinds: IncidentKinds): Snapshot | undefined {
  const stored = objectIn(value);
  const at = numberIn(stored?.['at']);
  if (stored === undefined || at === undefined) return undefined;
  const processes = listOf(stored['processes'], readProcess) ?? [];
  const killed = listOf(stored['killed'], readKilled);
  const evidence = kinds.read(stored['evidence']);
  return {
    at,
    processes,
    processCount: numberIn(stored['processCount']) ?? processes.length,
    usage: readUsage(objectIn(stored['usage']) ?? {}),
    ...(killed === undefined ? {} : { killed }),
    ...numbersIn(stored, ['cpuLimitNow']),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

const readUsage = (stored: Stored) =>
  Object.fromEntries(
    metricKeys.flatMap((key) => {
      const value = numberIn(stored[key]) ?? (isPartKey(key) ? undefined : 0);
      return value === undefined ? [] : [[key, value] as const];
    }),
  ) as Usage;

function readProcess(stored: Stored): ProcessEvidence | undefined {
  const pid = numberIn(stored['pid']);
  const request = objectIn(stored['request']);
  if (pid === undefined) return undefined;
  return {
    pid,
    name: textIn(stored['name']),
    command: textIn(stored['command']),
    state: textIn(stored['state']),
    threads: numberIn(stored['threads']) ?? 0,
    memoryBytes: numberIn(stored['memoryBytes']) ?? 0,
    ...numbersIn(stored, ['cpuSeconds', 'readBytes', 'writeBytes', 'ageSeconds']),
    ...(request === undefined ? {} : { request: readRequest(request) }),
  };
}

const readRequest = (stored: Stored): ServedRequest => ({
  method: textIn(stored['method']),
  path: textIn(stored['path']),
  script: textIn(stored['script']),
  seconds: numberIn(stored['seconds']) ?? 0,
});

function readKilled(stored: Stored): KilledProcess | undefined {
  const pid = numberIn(stored['pid']);
  if (pid === undefined) return undefined;
  return { pid, name: textIn(stored['name']), ...numbersIn(stored, ['memoryBytes']) };
}

/** Returns the entries that `read` accepts; undefined if it is not a list. */
function listOf<T>(
  value: unknown,
  read: (stored: Stored) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.slice(0, processesMax).flatMap((each: unknown) => {
    const stored = objectIn(each);
    return (stored && read(stored)) ?? [];
  });
}

const objectIn = (value: unknown): Stored | undefined =>
  typeof value === 'object' && value !== null ? (value as Stored) : undefined;

const numberIn = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;

const textIn = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, textMax) : '';

/** Returns the fields that are numbers. */
const numbersIn = <Name extends string>(
  stored: Stored,
  names: readonly Name[],
): { [key in Name]?: number } =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = numberIn(stored[name]);
      return value === undefined ? [] : [[name, value] as const];
    }),
  ) as { [key in Name]?: number };
