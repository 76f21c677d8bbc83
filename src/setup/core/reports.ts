/** Steps that change nothing: they run a command once, and keep its result in one line. */
import { count } from '../../../packages/base/list.ts';
import { isObject } from '../../../packages/base/json.ts';
import { includes, type Level } from './levels.ts';
import type { SetupRecord } from './record.ts';
import type { Words } from './words.ts';

export interface ReportResult {
  /** Whether the result is as wanted; otherwise the next run tries again. */
  readonly isGood: boolean;
  readonly text: string;
}

export interface Report {
  readonly command: (level: Level, policy: Words) => Words;
  /** Returns the result from what the command printed; undefined if it is not ready yet. */
  readonly read: (printed: unknown) => ReportResult | undefined;
  /** Whether it is worth another try after this step. */
  readonly follows: (step: string) => boolean;
}

/** Whether nothing has changed since the report was made. */
export function isReported(
  key: string,
  { follows }: Report,
  record: Pick<SetupRecord, 'steps'> | undefined,
): boolean {
  const own = record?.steps[key];
  if (own?.state !== 'done') return false;
  return Object.entries(record?.steps ?? {}).every(
    ([name, { at }]) => at <= own.at || !follows(name),
  );
}

/**
 * Attacks that take a second or two and load no processor, by the level that blocks them. They come from scratch tenants
 * with small limits of their own. Guards that only report let theirs through, so those are left out.
 */
export const attacksOfLevel: Readonly<Record<Level, readonly string[]>> = {
  observe: [],
  limit: ['memory-hog', 'fork-storm', 'cgroup-move', 'cgroup-limits', 'home', 'ptrace', 'kill'],
  isolate: ['processes', 'account-homes', 'user-namespace', 'setuid'],
};

const attacksUpTo = (level: Level) =>
  Object.entries(attacksOfLevel).flatMap(([each, names]) =>
    includes(level, each as Level) ? names : [],
  );

export const proveReport: Report = {
  follows: (step) => step !== 'alerts-test',
  command: (level, policy) => [
    'prove',
    '--json',
    ...policy,
    ...attacksUpTo(level).flatMap((each) => ['--only', each]),
  ],
  read(printed) {
    if (!isObject(printed) || !Array.isArray(printed['entries'])) return undefined;
    const verdicts = printed['entries'].map((each: unknown) =>
      isObject(each) ? each['verdict'] : undefined,
    );
    const number = (verdict: string) => verdicts.filter((each) => each === verdict).length;
    const broken = Array.isArray(printed['broken']) ? printed['broken'].map(String) : [];
    const counts = `${number('blocked')} of ${count(verdicts.length, 'attack')} blocked, ${number('not blocked')} not blocked, ${number('not available')} not available`;
    const open =
      broken.length === 0
        ? 'all that the policy demands is blocked'
        : `the policy demands these, and they were not blocked: ${broken.join(', ')}`;
    return { isGood: broken.length === 0, text: `${counts}; ${open}; see bulkhead prove` };
  },
};

export const alertsReport: Report = {
  follows: (step) => step === 'alerts' || step === 'units',
  command: () => ['alerts', 'test', '--json'],
  read(printed) {
    const results = isObject(printed) ? printed['results'] : undefined;
    // An agent that has not read the new policy yet has nobody to send to.
    if (!Array.isArray(results) || results.length === 0) return undefined;
    const bad = results.filter((each) => !isObject(each) || each['ok'] !== true);
    if (bad.length === 0)
      return { isGood: true, text: `sent to ${results.map(receiverOf).join(', ')}` };
    return { isGood: false, text: `not handed over to ${bad.map(failureOf).join(', ')}` };
  },
};

const receiverOf = (result: unknown) => (isObject(result) ? String(result['to']) : 'somebody');

function failureOf(result: unknown): string {
  const problem = isObject(result) ? result['problem'] : undefined;
  const who = receiverOf(result);
  return typeof problem === 'string' ? `${who} (${problem})` : who;
}
