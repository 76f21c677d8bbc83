/**
 * The parts of an agent that answer requests about site limits, with the real policy loader, record of owners and limit
 * files, and no cgroups.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import type { Caller } from '../../src/agent/api/caller.ts';
import type { Driver } from '../../src/host/driver.ts';
import type { RequestContext } from '../../src/agent/api/request-context.ts';
import { answerLimits, answerSetLimits } from '../../src/agent/responses/site-limits.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { Membership } from '../../src/agent/sampling/membership.ts';
import { SiteLimitChanges } from '../../src/agent/changes/site-limit-changes.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { makeLog } from '../../src/agent/log.ts';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { AccountNames } from '../../src/host/accounts/account-names.ts';
import { forgetFormerTenants } from '../../src/host/keep-site-limits.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { siteMember } from '../../src/usage/member.ts';
import { writeServed } from '../../src/web/io/served/record.ts';
import { ServedPart } from '../../src/web/io/served/served-part.ts';

export const [acme, other, alice, bob, carol] = [4000, 4001, 5001, 5002, 5003] as const;
export const accounts = { acme, other, alice, bob, carol };
export const shop = 'alice/shop.example';

export const body = (setters: string) => `<defaults><sites limits="${setters}"/></defaults>
  <reseller user="acme"><tenant user="alice"><cpu limit="100%"/><site name="shop.example"/>
    <site name="fixed.example"><cpu limit="20%"/></site></tenant></reseller>
  <reseller user="other"><tenant user="bob"><site name="bob.example"/></tenant></reseller>
  <tenant user="carol"><site name="carol.example"/></tenant>`;

const silent = makeLog('human', {});
silent.level = 'silent';

/** The parts of the agent that answer these requests. */
export class Stage implements Disposable {
  readonly #directory = temporaryDirectory('answers');
  readonly paths: Paths = {
    ...pathsOf('bulkhead-test'),
    etc: `${this.#directory.path}/etc`,
    state: `${this.#directory.path}/state`,
  };
  readonly #events = new EventStore(`${this.#directory.path}/events`);
  readonly #membership = new Membership(this.#events, new AccountNames(this.paths));
  #index = new MemberIndex();
  readonly #changes = this.#newChanges();
  #text = '';
  /** Returns why the kernel does not accept the values of a cgroup. */
  problem: (index: MemberIndex) => Problem | undefined = () => undefined;
  readonly log: string[] = [];
  driver: Driver | undefined;
  /** The sites that web servers serve, by uid, and how often they were asked. */
  served: ReadonlyMap<number, ReadonlySet<string>> | undefined = new Map();
  asked = 0;
  /** The clock of the part, in milliseconds. */
  now = 0;
  readonly web = new ServedPart(
    this.paths,
    silent,
    async () => {
      this.asked++;
      if (this.served === undefined) return failed({ action: 'ask', reason: 'nginx hangs' });
      return writeServed(this.paths, this.served);
    },
    () => this.now,
  );

  constructor() {
    mkdirSync(this.paths.etc);
    this.haveAccounts(accounts);
    this.adopt(body('reseller tenant'));
  }

  haveAccounts(uids: Readonly<Record<string, number>>): void {
    const lines = Object.entries(uids).map(
      ([user, uid]) => `${user}:x:${uid}:${uid}::/nonexistent:/bin/sh\n`,
    );
    writeFileSync(`${this.paths.etc}/passwd`, lines.join(''));
  }

  adopt(text: string): void {
    this.#text = `<bulkhead version="1">${text}</bulkhead>`;
    this.#apply();
  }

  #apply(): void {
    const { policy, diagnostics } = new PolicyReader().resolve('p.xml', this.#text, this.paths);
    assert.ok(policy, JSON.stringify(diagnostics));
    this.#index = new MemberIndex(policy);
    this.#membership.follow(this.#index.entries, new Map(), 1);
    assert.ok(forgetFormerTenants(this.paths, policy).ok);
  }

  #newChanges(): SiteLimitChanges {
    return new SiteLimitChanges({
      paths: this.paths,
      apply: async () => this.#apply(),
      log: (line) => this.log.push(line),
      problemOf: () => this.problem(this.#index),
      pauseMilliseconds: 0,
      valuesOf: (uid, site) => this.#index.entries.get(siteMember(uid, site))?.values ?? {},
    });
  }

  #request(caller: Caller, query: string): RequestContext {
    const agent = {
      memberIndex: this.#index,
      membership: this.#membership,
      siteLimits: this.#changes,
      servedSites: (of: number, wanted: string) => this.web.servedSites(of, wanted),
      driver: this.driver,
      cpuLimitNowOf: () => undefined,
    };
    // Fields that these answers do not use are missing.
    const slot = { [Symbol.dispose]: () => {} };
    const reader = new QueryReader(new URLSearchParams(query));
    return { agent, caller, slot, query: reader } as unknown as RequestContext;
  }

  /** Returns the new state, or the reason and hint of a refusal. */
  async said(uid: number, name: string, query: string): Promise<string> {
    const answer = await answerSetLimits(this.#request({ kind: 'uid', uid }, query), name);
    return answer.ok ? answer.value.state : `${answer.error.reason}; ${answer.error.hint ?? ''}`;
  }

  isSite(name: string): boolean {
    return this.#index.find(name) !== undefined;
  }

  async set(uid: number, name: string, query: string): Promise<string> {
    const answer = await answerSetLimits(this.#request({ kind: 'uid', uid }, query), name);
    return answer.ok ? answer.value.state : `${answer.error.status} ${answer.error.reason}`;
  }

  explained(uid: number, name: string, limit = 'cpu limit') {
    const answer = answerLimits(this.#request({ kind: 'uid', uid }, ''), name);
    assert.ok(answer.ok, JSON.stringify(answer));
    const found = answer.value.limits.find((each) => each.limit === limit);
    return { value: found?.value, from: found?.from, idle: answer.value.idle };
  }

  kept(): readonly string[] {
    return readdirSync(`${this.paths.state}/site-limits`).sort();
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]();
    this.#events[Symbol.dispose]();
    this.#directory.remove();
  }
}
