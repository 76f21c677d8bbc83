/**
 * A question of the centre to one host: which tenants used the most. There is no other one, and each has bounds, so that
 * whoever can ask learns no more than this, and an answer fits into one message.
 *
 *     {"format":1,"nonce":"5f0c…","seconds":86400,"metrics":["cpu"],"tenant":null,"count":20}
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { formatOne, list, name, oneOf, orNull, whole, type Shape } from '../fields.ts';
import { parseShape } from '../parse.ts';
import { plainText } from './plain-text.ts';

/** The metrics of a tenant that may be asked for, with a value that no host exceeds, in the unit of the metric. */
export const askedMetrics = {
  cpu: 1e5,
  memory: 1e15,
  anonymous: 1e15,
  read: 1e13,
  write: 1e13,
  processes: 1e8,
  databaseCpu: 1e5,
  sent: 1e13,
  received: 1e13,
} as const;
export type AskedMetric = keyof typeof askedMetrics;
export const askedMetricNames = Object.keys(askedMetrics) as readonly AskedMetric[];

export interface Question {
  readonly format: 1;
  /** A random name: an answer to another question is none to this. */
  readonly nonce: string;
  /** The length of the period, which ends now. */
  readonly seconds: number;
  /** The metrics; tenants are sorted by the average of the first one. */
  readonly metrics: readonly AskedMetric[];
  /** The name or uid of one tenant; null: those that used the most. */
  readonly tenant: string | null;
  /** The number of tenants at most. */
  readonly count: number;
}

/** The reason if nobody takes a question for a host. */
export const notConnected = 'it is not connected';
export const askedSecondsMax = 30 * 86_400;
export const askedRowsMax = 20;
const metricsMax = 8;
const questionCharsMax = 1024;

const shape: Shape<Question> = {
  format: formatOne,
  nonce: name,
  seconds: whole(60, askedSecondsMax),
  metrics: list(oneOf(askedMetricNames), 1, metricsMax),
  tenant: orNull(plainText(64)),
  count: whole(1, askedRowsMax),
};

export const questionText = (question: Question): string => JSON.stringify(question);

export const parseQuestion = (text: string): Result<Question, Cause> =>
  parseShape('question', text, { charsMax: questionCharsMax, shape });
