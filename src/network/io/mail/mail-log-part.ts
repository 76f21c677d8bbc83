/**
 * Tells the agent how many messages each tenant has handed to the host's mail server, by the server's log, since the
 * agent started. For tenants whose mail passes the broker of their jails, the broker's count comes first.
 */
import type { MailCount } from '../../../agent/api/usage-api.ts';
import type { AgentPart } from '../../../agent/part.ts';
import type { Policy } from '../../../policy/policy.ts';
import type { MailCounts } from './mail-counts.ts';

const readMilliseconds = 60_000;

interface Beginning {
  readonly since: number;
  /** The number of messages before, of an earlier owner of the account's name or uid. */
  readonly before: number;
}

export class MailLogPart implements AgentPart {
  readonly #counts: MailCounts;
  readonly #startedAt = Date.now();
  readonly #beginnings = new Map<number, Beginning>();
  #names: ReadonlyMap<number, string> = new Map();
  #timer: NodeJS.Timeout | undefined;

  constructor(counts: MailCounts) {
    this.#counts = counts;
  }

  adopt({ tenants }: Policy): void {
    this.#names = new Map(
      tenants.flatMap(({ uid, account }) =>
        account === undefined ? [] : [[uid, account.user] as const],
      ),
    );
    for (const uid of this.#beginnings.keys())
      if (!this.#names.has(uid)) this.#beginnings.delete(uid);
    this.#timer ??= setInterval(() => void this.#counts.read(), readMilliseconds).unref();
  }

  mail(uid: number, tenantSince: number): MailCount | undefined {
    const name = this.#names.get(uid);
    const messages = name === undefined ? undefined : this.#counts.messages(name, uid);
    if (messages === undefined) return undefined;
    let beginning = this.#beginnings.get(uid) ?? { since: this.#startedAt, before: 0 };
    // A tenant that has the uid of an earlier one begins at zero.
    if (beginning.since < tenantSince) beginning = { since: Date.now(), before: messages };
    this.#beginnings.set(uid, beginning);
    return { since: beginning.since, accepted: messages - beginning.before };
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#counts[Symbol.dispose]();
    return Promise.resolve();
  }
}
