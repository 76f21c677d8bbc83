/** Periods and columns of commands about what tenants used. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { quantity } from '../../../cli/shared/format.ts';
import { parseLength } from '../../../cli/shared/period.ts';
import { metrics } from '../../../usage/metrics.ts';
import type { AnsweredUse } from '../../core/ask/answer.ts';
import { askedSecondsMax } from '../../core/ask/question.ts';

/** Parses `4h` into seconds. */
export function askedSeconds(text: string): Result<number, Problem> {
  const seconds = (parseLength(text) ?? 0) / 1000;
  if (seconds >= 60 && seconds <= askedSecondsMax) return ok(seconds);
  const reason = 'it must be from 1m to 30d';
  return failed({ action: 'use the period', object: text, reason });
}

export const useTitles = ['AVERAGE', 'P95', 'MAX', 'LIMIT'] as const;

export const useCells = ({ metric, average, p95, max, limit }: AnsweredUse): readonly string[] =>
  [average, p95, max, limit].map((value) => quantity(metrics[metric].unit, value));
