/**
 * Sends the digests of a rule: one message to each recipient for a day or a week, a bounded number of them, and each
 * failure tried again a few times.
 */
import { hash } from 'node:crypto';
import { hostname } from 'node:os';
import { domainOf } from '../../agent/alerts/alerts.ts';
import { sendMail, type MailRoute } from '../../agent/alerts/mail.ts';
import { headingOf, wrap, type MailText } from '../../agent/alerts/message.ts';
import { hostTimeZone } from '../../agent/alerts/time-zone.ts';
import { count } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Digest } from '../core/digest.ts';
import { writeLetter } from '../core/letter.ts';
import type { Texts } from '../core/texts/texts.ts';
import type { Ledger, LedgerState } from '../io/ledger.ts';
import { isCurrent, lastSlot, type Slot } from '../io/schedule.ts';
import { busyUids, digestFor, recipientsOf, type GatherContext, type Recipient } from './gather.ts';

/** Pauses after the first failure, the second, and so on; after the last one it is given up. */
const retryMilliseconds = [600_000, 1_800_000, 3_600_000, 7_200_000];
/** So many failures in a row mean that the mail server or the agent is down: the others wait for the next run. */
const failuresInRowMax = 5;
const sendMilliseconds = 30_000;
const problemsMax = 20;

export interface SendContext extends GatherContext {
  readonly ledger: Ledger;
  readonly texts: Texts;
  readonly route: MailRoute;
  /** Returns the time of each attempt; a run can take an hour. */
  readonly clock: () => number;
}

export interface SendResult {
  readonly to: 'reseller' | 'tenant';
  /** The day or week; null if nothing is due. */
  readonly slot: string | null;
  readonly sent: number;
  readonly failed: number;
  /** Recipients who get none, because the maximum was reached. */
  readonly leftOut: number;
  readonly problems: readonly Problem[];
}

export async function sendDigests(context: SendContext): Promise<Result<SendResult, Problem>> {
  const { rule, ledger, now } = context;
  const slot = lastSlot(rule, now);
  const { to } = rule;
  const nothing = { to, slot: null, sent: 0, failed: 0, leftOut: 0, problems: [] };
  const since = ledger.stateOf({ slot: '', to, address: '' });
  if (since === undefined) {
    // A rule that is new does not report what was before it.
    const noted = ledger.add({ slot: '', to, address: '', state: 'since', at: now });
    return noted.ok ? ok(nothing) : noted;
  }
  if (since.at > slot.to || !isCurrent(rule, slot, now)) return ok(nothing);
  const pass = new Pass(context, slot);
  return pass.run();
}

class Pass {
  readonly #context: SendContext;
  readonly #slot: Slot;
  readonly #problems: Problem[] = [];
  #sent = 0;
  #failed = 0;
  #leftOut = 0;
  #failuresInRow = 0;

  constructor(context: SendContext, slot: Slot) {
    this.#context = context;
    this.#slot = slot;
  }

  async run(): Promise<Result<SendResult, Problem>> {
    const { rule } = this.#context;
    const isDone = this.#stateOf('')?.state === 'done';
    const { recipients, problems } = recipientsOf(this.#context, this.#slot);
    const waiting = recipients
      .filter((each) => this.#mayGo(each, isDone))
      // Addresses that failed before must not keep the others waiting.
      .toSorted((a, b) => this.#failuresOf(a) - this.#failuresOf(b));
    if (!isDone) for (const each of problems) this.#report(each);
    const chosen = isDone ? waiting : await this.#withSomething(waiting);
    for (const each of chosen) {
      if (this.#failuresInRow >= failuresInRowMax) break;
      const done = await this.#considerOne(each);
      if (!done.ok) return done;
    }
    const isWhole = this.#failuresInRow < failuresInRowMax;
    if (!isDone && isWhole) {
      const noted = this.#note('', 'done');
      if (!noted.ok) return noted;
    }
    if (this.#leftOut > 0)
      this.#report({
        action: 'send all digests',
        reason: `the maximum of ${count(rule.messagesMax, 'message')} was reached, and ${count(this.#leftOut, 'recipient')} got none`,
        hint: 'raise "most" of <digest>',
      });
    return ok({
      to: rule.to,
      slot: this.#slot.name,
      sent: this.#sent,
      failed: this.#failed,
      leftOut: this.#leftOut,
      problems: this.#problems,
    });
  }

  #report(problem: Problem): void {
    if (this.#problems.length < problemsMax) this.#problems.push(problem);
  }

  #stateOf(address: string) {
    const { ledger, rule } = this.#context;
    return ledger.stateOf({ slot: this.#slot.name, to: rule.to, address });
  }

  #failuresOf({ address }: Pick<Recipient, 'address'>): number {
    return this.#stateOf(address)?.failures ?? 0;
  }

  #note(address: string, state: LedgerState): Result<void, Problem> {
    const { ledger, rule, clock } = this.#context;
    return ledger.add({ slot: this.#slot.name, to: rule.to, address, state, at: clock() });
  }

  /** Whether a message is still to be sent: it was not, and the pause after its last failure is over. */
  #mayGo({ address }: Recipient, isDone: boolean): boolean {
    const known = this.#stateOf(address);
    if (known === undefined) return !isDone;
    const pause = retryMilliseconds[known.failures - 1] ?? 0;
    return known.state === 'failed' && this.#context.now - known.at >= pause;
  }

  /** Leaves out recipients without anything to report, as far as one question shows it; nobody if it has no answer. */
  async #withSomething(recipients: readonly Recipient[]): Promise<readonly Recipient[]> {
    const busy = await busyUids(this.#context, this.#slot);
    if (!busy.ok) {
      this.#report(busy.error);
      return recipients;
    }
    const { rule, disks } = this.#context;
    const isWorthIt = ({ uids }: Recipient) =>
      rule.to === 'reseller' || uids.some((uid) => busy.value.has(uid) || disks.has(uid));
    return recipients.filter(isWorthIt);
  }

  async #considerOne(recipient: Recipient): Promise<Result<void, Problem>> {
    const { rule, ledger } = this.#context;
    const digest = await digestFor(this.#context, recipient, this.#slot);
    if (!digest.ok) return this.#noteFailure(recipient.address, digest.error);
    if (digest.value === undefined) return ok(undefined);
    if (ledger.sentFor({ slot: this.#slot.name, to: rule.to }) >= rule.messagesMax) {
      this.#leftOut++;
      return ok(undefined);
    }
    return this.#send(digest.value);
  }

  async #send(digest: Digest): Promise<Result<void, Problem>> {
    const { address } = digest;
    const begun = this.#note(address, 'started');
    if (!begun.ok) return begun;
    const { policy, route, texts, rule } = this.#context;
    const host = domainOf(hostname());
    const mail = {
      ...digestMail(digest, texts),
      from: policy.agent.alerts.from ?? `bulkhead@${host}`,
      to: address,
      id: hash('sha256', `${this.#slot.name} ${rule.to} ${address}`).slice(0, 32),
      host,
    };
    const sent = await sendMail(mail, route, AbortSignal.timeout(sendMilliseconds));
    if (sent.ok) {
      this.#sent++;
      this.#failuresInRow = 0;
      return this.#note(address, 'sent');
    }
    return this.#noteFailure(address, sent.error);
  }

  /** Reports a message that was not sent, and notes whether it is tried again. */
  #noteFailure(
    address: string,
    { reason, permanent = false }: { readonly reason: string; readonly permanent?: boolean },
  ): Result<void, Problem> {
    const isOver = permanent || this.#failuresOf({ address }) >= retryMilliseconds.length;
    this.#failed++;
    if (!permanent) this.#failuresInRow++;
    this.#report({
      action: 'send a digest to',
      object: printable(address),
      reason: printable(reason.slice(0, 400)),
      hint: isOver ? 'it is given up' : 'it is tried again',
    });
    return this.#note(address, isOver ? 'given up' : 'failed');
  }
}

/** Returns the subject and the text of a digest, as mail has them. */
export function digestMail(digest: Digest, texts: Texts): MailText {
  const context = { texts, host: domainOf(hostname()), timeZone: hostTimeZone() };
  const { subject, paragraphs } = writeLetter(digest, context);
  const footer = paragraphs.length - 1;
  const parts = paragraphs.map(({ kind, text }, index) => {
    if (kind === 'heading') return headingOf(text);
    if (kind === 'item') return wrap(`- ${text}`).replaceAll('\n', '\n  ');
    return index === footer ? `-- \n${wrap(text)}` : wrap(text);
  });
  return { subject, text: `${parts.join('\n\n')}\n` };
}
