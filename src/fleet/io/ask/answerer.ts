/** Answers questions of the centre, at a bounded pace, whoever asks: each reads the history. */
import type { FleetAnswerResponse, FleetResponse } from '../../../agent/api/fleet-api.ts';
import type { FleetEngine, TenantUse } from '../../../agent/fleet/fleet-agent.ts';
import type { HttpResult } from '../../../agent/api/http-result.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { causedBy } from '../../../../packages/base/problem.ts';
import { ok } from '../../../../packages/base/result.ts';
import { WorkBudget } from '../../../../packages/base/work-budget.ts';
import { metrics, peakKeys } from '../../../usage/metrics.ts';
import {
  answerNameCharsMax,
  type Answer,
  type AnsweredRow,
  type AnsweredUse,
} from '../../core/ask/answer.ts';
import { parseQuestion, type AskedMetric, type Question } from '../../core/ask/question.ts';
import { hostMessageBytesMax } from '../../core/subjects.ts';
import { hostNamespaces } from '../../core/told/signed.ts';
import { readHostKey } from '../outbox/host-key.ts';
import { refuseRequest } from '../refusal.ts';

const action = 'answer the centre';
/** A quarter of the time, and five seconds at once. */
const pace = { share: 0.25, burst: 5_000 };
/** The cost of a question, even if it takes less time. */
const millisecondsMin = 500;

export class Answerer {
  readonly #directory: string;
  readonly #pace = new WorkBudget(pace);
  #isBusy = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async answer(
    { fleet, host }: FleetResponse,
    engine: FleetEngine,
    text: string,
  ): Promise<HttpResult<FleetAnswerResponse>> {
    if (fleet === undefined || host === undefined)
      return refuseRequest({ status: 404, action, reason: 'this host is in no fleet' });
    const question = parseQuestion(text);
    if (!question.ok) return refuseRequest({ status: 400, action, ...question.error });
    const wait = Math.ceil(this.#pace.wait(performance.now()) / 1000);
    if (wait > 0 || this.#isBusy)
      return refuseRequest({
        status: 429,
        action,
        reason: 'too much was asked',
        retryAfterSeconds: Math.max(1, wait),
      });
    const since = performance.now();
    this.#isBusy = true;
    try {
      return await this.#answer({ fleet, host }, engine, question.value);
    } finally {
      const now = performance.now();
      this.#pace.spend(Math.max(millisecondsMin, now - since), now);
      this.#isBusy = false;
    }
  }

  async #answer(
    { fleet, host }: { readonly fleet: string; readonly host: string },
    engine: FleetEngine,
    { nonce, seconds, metrics: asked, tenant, count }: Question,
  ): Promise<HttpResult<FleetAnswerResponse>> {
    const to = Date.now();
    const period = { from: to - seconds * 1000, to };
    const used = await engine.tenantUse({ ...period, metrics: asked.flatMap(withPeak), tenant });
    if (!used.ok) return refuseRequest({ status: 503, action, ...causedBy(used.error) });
    const rows = used.value.rows.map((row) => answeredRow(row, asked));
    const [first] = asked;
    const weight = ({ use }: AnsweredRow) =>
      use[0]?.metric === first ? (use[0]?.average ?? 0) : 0;
    const answer: Answer = {
      format: 1,
      fleet,
      host,
      nonce,
      measuredSeconds: Math.round(used.value.measuredSeconds),
      tenants: used.value.tenants,
      busy: rows.length,
      rows: rows.sort((one, other) => weight(other) - weight(one)).slice(0, count),
    };
    const key = readHostKey(this.#directory);
    if (!key.ok) return refuseRequest({ status: 503, action, ...causedBy(key.error) });
    // Many metrics of many tenants do not fit into one message.
    for (let kept = answer.rows.length; ; kept -= 1) {
      const document = JSON.stringify({ ...answer, rows: answer.rows.slice(0, kept) });
      const text = JSON.stringify(key.value.sign(hostNamespaces.answer, document));
      if (kept === 0 || Buffer.byteLength(text) <= hostMessageBytesMax) return ok({ answer: text });
    }
  }
}

const withPeak = (key: AskedMetric) => [
  key,
  ...(peakKeys.has(key) ? [peakKeys.get(key) ?? key] : []),
];

function answeredRow({ who, limits, use }: TenantUse, asked: readonly AskedMetric[]): AnsweredRow {
  const { member, name } = who;
  return {
    member,
    name: isPlain(name) ? name : member,
    package: who.package !== undefined && isPlain(who.package) ? who.package : null,
    use: asked.flatMap((metric): readonly AnsweredUse[] => {
      const of = use[metric];
      if (of === undefined) return [];
      const { limit } = metrics[metric];
      const peak = use[peakKeys.get(metric) ?? metric]?.max ?? 0;
      return [
        {
          metric,
          average: short(of.average),
          p95: short(of.p95),
          max: short(Math.max(of.max, peak)),
          limit: (limit === undefined ? undefined : limits[limit]) ?? null,
        },
      ];
    }),
  };
}

/** Whether the centre takes it. */
const isPlain = (name: string) => name.length <= answerNameCharsMax && printable(name) === name;

/** Six digits are more than is measured. */
const short = (value: number) => Number(value.toPrecision(6));
