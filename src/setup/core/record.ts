/**
 * The record of what setup has done on this host, in /var/lib/bulkhead/setup.json. It survives an interruption at any step, and `undo`
 * follows it backwards.
 */
import { isObject } from './json-value.ts';
import { parseAnswers, type Answers } from './answers.ts';

export const recordVersion = 1;

/**
 *     started  it may have changed something; the next run repeats it
 *     done     setup did it
 *     failed   it did not work, and was undone
 */
export type StepState = 'started' | 'done' | 'failed';

export interface StepRecord {
  /** The state of the step. */
  readonly state: StepState;
  /** The time of the last change, in ISO 8601, UTC. */
  readonly at: string;
  /** The reason for a failure. */
  readonly reason?: string;
}

/** The number of reports of a watching layer, and since when it stands. */
export interface Quiet {
  /** The number of reports. */
  readonly reported: number;
  /** The time since which that number stands, in ISO 8601, UTC. */
  readonly since: string;
}

export interface SetupRecord {
  /** The answers of the last run. */
  readonly answers: Answers;
  /** Whether anything of Bulkhead was on this host before; if not, undo removes everything. */
  readonly wasUsed: boolean;
  readonly policyFile: string;
  /** The policy before the first step; null if there was none. */
  readonly policyBefore: string | null;
  /** The SHA-256 of the policy as setup last wrote it, in hex. */
  readonly policyWritten: string | null;
  readonly steps: Readonly<Record<string, StepRecord>>;
  readonly quiet: Readonly<Record<string, Quiet>>;
}

export const recordText = (record: SetupRecord): string =>
  `${JSON.stringify({ version: recordVersion, ...record }, null, 2)}\n`;

/** Parses the record; undefined if it is damaged, or of another version. */
export function parseRecord(text: string, defaults: Answers): SetupRecord | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(read) || read['version'] !== recordVersion || !isObject(read['answers']))
    return undefined;
  const answers = parseAnswers(JSON.stringify({ ...read['answers'], version: 1 }), defaults);
  const { wasUsed, policyFile, policyBefore, policyWritten, steps, quiet } = read;
  if (!answers.ok || typeof wasUsed !== 'boolean' || typeof policyFile !== 'string')
    return undefined;
  if (!isTextOrNull(policyBefore) || !isTextOrNull(policyWritten)) return undefined;
  if (!isObject(steps) || !Object.values(steps).every(isStepRecord)) return undefined;
  if (!isObject(quiet) || !Object.values(quiet).every(isQuiet)) return undefined;
  return {
    answers: answers.value,
    wasUsed,
    policyFile,
    policyBefore,
    policyWritten,
    steps: steps as SetupRecord['steps'],
    quiet: quiet as SetupRecord['quiet'],
  };
}

const isTextOrNull = (value: unknown): value is string | null =>
  value === null || typeof value === 'string';

const isDate = (value: unknown): boolean =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(value);

const isStepRecord = (value: unknown): boolean =>
  isObject(value) &&
  ['started', 'done', 'failed'].includes(String(value['state'])) &&
  isDate(value['at']) &&
  (value['reason'] === undefined || typeof value['reason'] === 'string');

const isQuiet = (value: unknown): boolean =>
  isObject(value) && typeof value['reported'] === 'number' && isDate(value['since']);
