/**
 * The answers to the questions of `setup`, as a file that repeats them on another server:
 *
 *     {"version": 1, "level": "limit", "tenants": "1000-60000", "except": ["deploy"], "limits": "starter",
 *      "entries": 20, "jails": "none", "alerts": "root"}
 */
import { isObject } from '../../../packages/base/json.ts';
import { levels, type Level } from './levels.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { userPattern } from '../../policy/value-kinds.ts';

export const answersVersion = 1;

export const jailChoices = ['none', 'new', 'all'] as const;
export type JailChoice = (typeof jailChoices)[number];

/** The sources of limits: two sets, CloudLinux on this host, and packages of the panel with a set for the rest. */
export const limitChoices = [
  'starter',
  'medium',
  've.cfg',
  'panel-starter',
  'panel-medium',
] as const;
export type LimitChoice = (typeof limitChoices)[number];

export interface Answers {
  /** How far to go. */
  readonly level: Level;
  /** The range of uids whose accounts are tenants: `1000-60000`. */
  readonly tenants: string;
  /** Accounts in the range that are no tenants. */
  readonly except: readonly string[];
  /** The set of limits that each tenant gets, or the file or panel that has them. */
  readonly limits: LimitChoice;
  /** How many requests of a tenant are served at once; `none` for no such limit. */
  readonly entries: number | 'none';
  /** The tenants that get a jail: none, those that are added later, or all. */
  readonly jails: JailChoice;
  /** The address that gets alerts; `none` for no alerts. */
  readonly alerts: string;
}

const entriesMax = 10_000;

/** The check of one answer: its value, or what it must be. */
type Check = (value: unknown) => string | undefined;

const oneOf =
  (words: readonly string[]): Check =>
  (value) =>
    words.some((each) => each === value) ? undefined : `must be one of ${words.join(', ')}`;

export const checks: Readonly<Record<keyof Answers, Check>> = {
  level: oneOf(levels),
  tenants: (value) => (isRange(value) ? undefined : 'must be a range of uids, such as 1000-60000'),
  except: (value) =>
    Array.isArray(value) && value.every((each) => typeof each === 'string' && isUser(each))
      ? undefined
      : 'must be names of accounts',
  limits: oneOf(limitChoices),
  entries: (value) =>
    value === 'none' || isCount(value) ? undefined : `must be 1 to ${entriesMax}, or none`,
  jails: oneOf(jailChoices),
  alerts: (value) =>
    typeof value === 'string' && isAddress(value)
      ? undefined
      : 'must be an address, an account, or none',
};

const isUser = (name: string) => userPattern.test(name);
/** No characters that a mail program could take for options, several addresses or headers. */
const isAddress = (text: string) => /^[A-Za-z0-9][\w.+%-]*(?:@[\w.-]+)?$/.test(text);
const isCount = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= entriesMax;

function isRange(value: unknown): boolean {
  const [, first, last] =
    (typeof value === 'string' && /^(\d{1,10})-(\d{1,10})$/.exec(value)) || [];
  return first !== undefined && Number(first) >= 1 && Number(first) <= Number(last);
}

const isAnswer = (name: string): name is keyof Answers => Object.hasOwn(checks, name);

/** Reads a file of answers, which need not have all; every mistake is reported. */
export function parseAnswers(text: string): Result<Partial<Answers>, readonly Cause[]> {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (error) {
    return fail([{ reason: `it is not JSON: ${error instanceof Error ? error.message : ''}` }]);
  }
  if (!isObject(read))
    return fail([{ reason: 'it is not an object such as {"version": 1, "level": "limit"}' }]);
  const { version, ...given } = read;
  if (version !== answersVersion)
    return fail([
      {
        reason: `its version is ${JSON.stringify(version)}, not ${answersVersion}`,
        hint: 'write it anew',
      },
    ]);
  const mistakes = Object.entries(given).flatMap(([name, value]): readonly Cause[] => {
    const check = isAnswer(name) ? checks[name] : undefined;
    if (check === undefined)
      return [{ reason: `"${name}" is unknown`, hint: Object.keys(checks).join(', ') }];
    const problem = check(value);
    return problem === undefined ? [] : [{ reason: `"${name}" ${problem}` }];
  });
  return mistakes.length > 0 ? fail(mistakes) : ok(given);
}

export const answersText = (answers: Answers): string =>
  `${JSON.stringify({ version: answersVersion, ...answers }, null, 2)}\n`;

/** Returns the names of the answers that differ. */
export const changedAnswers = (answers: Answers, before: Answers): readonly string[] =>
  Object.keys(checks).filter((name) => {
    const of = (given: Answers) => String(given[name as keyof Answers]);
    return of(answers) !== of(before);
  });
