/** Reads the state of a host that this or another version of Bulkhead has kept. A field that is not as it should be is damage. */
import { isObject } from '../../../packages/base/json.ts';
import { verdicts, type HostRollout, type RolloutRecord } from './rollout/record.ts';
import type { Current, Ending, Hold, HostState, ReleaseId } from './states.ts';
import { endings, phases } from './states.ts';
import type { Stopwatch } from './stopwatch.ts';

type Check = (value: unknown) => boolean;

/** Returns the state; undefined if the value is none. */
export const parseState = (value: unknown): HostState | undefined =>
  isState(value) ? (value as HostState) : undefined;

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => Number.isFinite(value);
const isWhole: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isFlag: Check = (value) => typeof value === 'boolean';
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);
const oneOf =
  (words: readonly string[]): Check =>
  (value) =>
    words.some((each) => each === value);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

/** Whether a value is an object with these fields; a later version may have added others. */
const has =
  <T>(fields: Readonly<Record<keyof T, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries<Check>(fields).every(([name, check]) => check(value[name]));

const isStopwatch = has<Stopwatch>({ boot: isText, uptime: isNumber, seconds: isNumber });
const isRelease = has<ReleaseId>({ trust: isWhole, generation: isWhole });

const isCurrent = has<Current>({
  release: isRelease,
  phase: oneOf(phases),
  since: isNumber,
  watch: isStopwatch,
  watchSeconds: isNumber,
  tries: isWhole,
  rounds: isWhole,
  known: isTexts,
  outside: maybe(isTexts),
  reasons: isTexts,
});

const isEnding = has<Ending>({
  release: isRelease,
  outcome: oneOf(endings),
  reasons: isTexts,
  at: isNumber,
});

const isHold = has<Hold>({
  reason: isText,
  since: isNumber,
  seconds: isNumber,
  watch: isStopwatch,
});

/** The record was verified before it was kept; what is read of it is checked. */
const isRecord = has<Omit<RolloutRecord, 'format' | 'fleet' | 'opened' | 'after'>>({
  trust: isWhole,
  sequence: isWhole,
  release: (value) => isRelease(value) && isText((value as { root?: unknown }).root),
  verdict: oneOf(verdicts),
  wave: isWhole,
  expires: isText,
  issued: isText,
  reason: isText,
});

const isRollout = has<HostRollout>({
  record: isRecord,
  until: isNumber,
  given: isText,
  heard: isStopwatch,
});

/** The head was verified before it was kept; what is read of it is checked. */
const isHead: Check = (value) =>
  isObject(value) &&
  isWhole(value['trust']) &&
  isWhole(value['generation']) &&
  isText(value['issued']) &&
  isText(value['expires']);

const isState = has<HostState>({
  format: (value) => value === 1,
  fleet: isText,
  host: isText,
  newest: maybe(isHead),
  given: maybe(isText),
  heard: isStopwatch,
  current: maybe(isCurrent),
  confirmed: maybe(isRelease),
  ended: maybe(isEnding),
  hold: maybe(isHold),
  isLed: maybe(isFlag),
  led: maybe(isStopwatch),
  rollout: maybe(isRollout),
  opened: maybe(isStopwatch),
  isStopped: isFlag,
});
