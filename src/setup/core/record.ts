/**
 * The record of what setup has done on this host, in /var/lib/bulkhead/setup.json. It survives an interruption at any step, and `undo`
 * follows it backwards.
 */
import { isObject, parseObject } from '../../../packages/base/json.ts';
import { parseAnswers, type Answers } from './answers.ts';

export const recordVersion = 1;

/**
 *     started  it may have changed something; the next run repeats it
 *     done     setup did it
 *     failed   it did not work, and was undone
 *     undone   undo has taken it back, and is not finished yet
 */
export type StepState = 'started' | 'done' | 'failed' | 'undone';

export interface StepRecord {
  /** The state of the step. */
  readonly state: StepState;
  /** The time of the last change, in ISO 8601, UTC. */
  readonly at: string;
  /** The reason for a failure, or a remark. */
  readonly reason?: string;
  /** The tenant on which it was tried; absent if it is for all. */
  readonly tenant?: string;
}

/** The number of reports of a watching layer, and since when there was no other. */
export interface Quiet {
  /** The number of reports. */
  readonly reported: number;
  /** A text that changes with every report. */
  readonly mark: string;
  /** The time since which there was no other report, in ISO 8601, UTC. */
  readonly since: string;
}

/** An edit of the policy by a step that has not ended: what the policy was, if a later run must undo the step. */
export interface PendingEdit {
  /** The key of the step. */
  readonly step: string;
  /** The policy before the step. */
  readonly before: string;
  /** The SHA-256 of the text that the step writes, in hex. */
  readonly written: string;
}

export interface SetupRecord {
  /** The answers of the last run. */
  readonly answers: Answers;
  /** Whether anything of Bulkhead was on this host before; if not, undo removes everything. */
  readonly wasUsed: boolean;
  readonly policyFile: string;
  /** The policy before the first step; null if there was none. */
  readonly policyBefore: string | null;
  /**
   * The SHA-256 of each text that setup wrote, or was about to write, in hex. A policy with another one belongs to somebody
   * else.
   */
  readonly policyWritten: readonly string[];
  /** The edit of the step that has begun; absent if that step edits nothing. */
  readonly pendingEdit?: PendingEdit | undefined;
  /** The commands that would have undone what was in force before the first step, such as `pam disable`. */
  readonly usedBefore: readonly string[];
  /** The layers that `next` raised. */
  readonly raised: readonly string[];
  readonly steps: Readonly<Record<string, StepRecord>>;
  readonly quiet: Readonly<Record<string, Quiet>>;
}

export const recordText = (record: SetupRecord): string =>
  `${JSON.stringify({ version: recordVersion, ...record }, null, 2)}\n`;

/** Parses the record; undefined if it is damaged, or of another version. */
export function parseRecord(text: string, defaults: Answers): SetupRecord | undefined {
  const read = parseObject(text);
  if (read === undefined || read['version'] !== recordVersion || !isObject(read['answers']))
    return undefined;
  const answers = parseAnswers(JSON.stringify({ ...read['answers'], version: 1 }));
  const { version: _version, answers: _answers, ...rest } = read;
  return answers.ok && isRest(rest)
    ? { answers: { ...defaults, ...answers.value }, ...rest }
    : undefined;
}

/** The check of each field besides the answers. */
const fields: Readonly<Record<Exclude<keyof SetupRecord, 'answers'>, (value: unknown) => boolean>> =
  {
    wasUsed: (value) => typeof value === 'boolean',
    policyFile: (value) => typeof value === 'string',
    policyBefore: (value) => value === null || typeof value === 'string',
    policyWritten: isTexts,
    pendingEdit: (value) => value === undefined || (isObject(value) && isPendingEdit(value)),
    usedBefore: isTexts,
    raised: isTexts,
    steps: (value) => isObject(value) && Object.values(value).every(isStepRecord),
    quiet: (value) => isObject(value) && Object.values(value).every(isQuiet),
  };

const isRest = (
  rest: Readonly<Record<string, unknown>>,
): rest is Omit<SetupRecord, 'answers'> & Record<string, unknown> =>
  Object.entries(fields).every(([name, check]) => check(rest[name]));

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

const isDate = (value: unknown): boolean =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(value);

const isStepRecord = (value: unknown): boolean =>
  isObject(value) &&
  ['started', 'done', 'failed', 'undone'].includes(String(value['state'])) &&
  isDate(value['at']) &&
  ['reason', 'tenant'].every((each) => ['undefined', 'string'].includes(typeof value[each]));

const isPendingEdit = (value: Readonly<Record<string, unknown>>): boolean =>
  ['step', 'before', 'written'].every((each) => typeof value[each] === 'string');

const isQuiet = (value: unknown): boolean =>
  isObject(value) &&
  typeof value['reported'] === 'number' &&
  typeof value['mark'] === 'string' &&
  isDate(value['since']);
