/**
 * A host's answer to a question of the centre, signed by the host's own key.
 *
 *     {"format":1,"fleet":"example","host":"web-017","nonce":"5f0c…","measuredSeconds":86400,"busy":812,"rows":[…]}
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, type Result } from '../../../../packages/base/result.ts';
import {
  amount,
  formatOne,
  list,
  name,
  object,
  oneOf,
  orNull,
  whole,
  type Shape,
} from '../fields.ts';
import { parseShape } from '../parse.ts';
import { plainText } from './plain-text.ts';
import {
  askedMetricNames,
  askedMetrics,
  askedRowsMax,
  type AskedMetric,
  type Question,
} from './question.ts';

/** The use of a metric in the period: cores, bytes, bytes per second, or a number. */
export interface AnsweredUse {
  /** The metric. */
  readonly metric: AskedMetric;
  /** The average. */
  readonly average: number;
  /** The value that was not exceeded for 95 % of the time. */
  readonly p95: number;
  /** The maximum. */
  readonly max: number;
  /** The limit of now; null: there is none. */
  readonly limit: number | null;
}

export interface AnsweredRow {
  /** The uid: `u1001`. */
  readonly member: string;
  /** The name of the tenant. */
  readonly name: string;
  /** The package; null: it has none. */
  readonly package: string | null;
  /** The use by metric, in the order of the question; metrics that the host did not measure are absent. */
  readonly use: readonly AnsweredUse[];
}

export interface Answer {
  readonly format: 1;
  readonly fleet: string;
  readonly host: string;
  readonly nonce: string;
  /** The part of the period that was measured. */
  readonly measuredSeconds: number;
  /** The number of tenants that were asked for and exist. */
  readonly tenants: number;
  /** The number of them that used anything. */
  readonly busy: number;
  readonly rows: readonly AnsweredRow[];
}

export const answerNameCharsMax = 64;
const answerCharsMax = 16 * 2 ** 10;
const metricsMax = 8;

const shape: Shape<Answer> = {
  format: formatOne,
  fleet: name,
  host: name,
  nonce: name,
  measuredSeconds: whole(0),
  tenants: whole(0, 1e6),
  busy: whole(0, 1e6),
  rows: list(
    object<AnsweredRow>({
      member: plainText(answerNameCharsMax),
      name: plainText(answerNameCharsMax),
      package: orNull(plainText(answerNameCharsMax)),
      use: list(
        object<AnsweredUse>({
          metric: oneOf(askedMetricNames),
          average: amount(),
          p95: amount(),
          max: amount(),
          limit: orNull(amount()),
        }),
        0,
        metricsMax,
      ),
    }),
    0,
    askedRowsMax,
  ),
};

/** Parses an answer, and checks that it is one to this question to this host. */
export function parseAnswer(
  text: string,
  {
    fleet,
    host,
    question,
  }: { readonly fleet: string; readonly host: string; readonly question: Question },
): Result<Answer, Cause> {
  const parsed = parseShape('answer', text, { charsMax: answerCharsMax, shape });
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  if (value.fleet !== fleet || value.host !== host)
    return fail({ reason: 'it is the answer of another host, or of another fleet' });
  if (value.nonce !== question.nonce) return fail({ reason: 'it answers another question' });
  if (value.rows.length > question.count) return fail({ reason: 'it has more tenants than asked' });
  return value.rows.every((row) => row.use.every((use) => isPossible(use, question)))
    ? parsed
    : fail({ reason: 'it has numbers that no host can have, or that nobody asked for' });
}

const isPossible = ({ metric, average, p95, max }: AnsweredUse, { metrics }: Question): boolean =>
  metrics.includes(metric) && [average, p95, max].every((value) => value <= askedMetrics[metric]);
