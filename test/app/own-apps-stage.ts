/**
 * The parts of an agent that answer tenants about applications, with the real policy loader, record of owners, files and
 * units, and without systemd.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Caller } from '../../src/agent/api/caller.ts';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import type { AgentContext, RequestContext } from '../../src/agent/api/request-context.ts';
import { makeApi, type Api } from '../../src/agent/api/routes.ts';
import { makeLog } from '../../src/agent/log.ts';
import { answerApps, answerSetApp } from '../../src/agent/responses/apps.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { Membership } from '../../src/agent/sampling/membership.ts';
import { appLayout } from '../../src/app/io/layout.ts';
import { forgetFormer } from '../../src/app/io/forget.ts';
import { writeOwnApps, type Homes } from '../../src/app/io/own-apps.ts';
import { planApps, type AppPlan } from '../../src/app/io/plan.ts';
import { AppScans } from '../../src/app/io/scans.ts';
import { OwnApps } from '../../src/app/io/tenant-apps.ts';
import { AppChanges } from '../../src/agent/changes/app-changes.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { AccountNames } from '../../src/host/accounts/account-names.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { parseOwnApp, type OwnAppTexts } from '../../src/policy/apps/own-apps.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

export const [alice, bob, acme] = [5001, 5002, 4000] as const;
export const body = (max: number | string, more = '') => `<defaults><apps max="${max}"/></defaults>
  <reseller user="acme"><tenant user="alice">${more}</tenant></reseller><tenant user="bob"/>`;

export class OwnAppsStage implements Disposable {
  readonly #directory = temporaryDirectory('own-apps');
  readonly paths: Paths = {
    ...pathsOf('bulkhead-test'),
    etc: `${this.#directory.path}/etc`,
    state: `${this.#directory.path}/state`,
    runtime: `${this.#directory.path}/run`,
  };
  readonly #events = new EventStore(`${this.#directory.path}/events`);
  readonly #membership = new Membership(this.#events, new AccountNames(this.paths));
  #index = new MemberIndex();
  #policy: Policy | undefined;
  scans = new AppScans(this.paths, Infinity);
  #homes: Homes = new Map();
  readonly changes: AppChanges;
  /** How often units were made what the policy says. */
  applied = 0;
  runsSystemd = true;
  /** Each apply waits for this first. */
  gate: Promise<void> = Promise.resolve();
  readonly #api = this.#makeApi();
  readonly log: string[] = [];

  constructor() {
    mkdirSync(this.paths.etc);
    this.haveAccounts({ acme, alice, bob });
    const apps = new OwnApps({
      paths: this.paths,
      scans: this.scans,
      apply: () => this.#apply(),
      runsSystemd: () => this.runsSystemd,
    });
    this.changes = new AppChanges({
      apps,
      log: (line) => this.log.push(line),
      pauseMilliseconds: 0,
    });
    this.adopt(body(2));
  }

  haveAccounts(uids: Readonly<Record<string, number>>): void {
    const lines = Object.entries(uids).map(
      ([user, uid]) => `${user}:x:${uid}:${uid}::/nonexistent:/bin/sh\n`,
    );
    writeFileSync(`${this.paths.etc}/passwd`, lines.join(''));
  }

  adopt(text: string, homes: Homes = new Map()): void {
    const whole = `<bulkhead version="1">${text}</bulkhead>`;
    const { policy, diagnostics } = new PolicyReader().resolve('p.xml', whole, this.paths);
    assert.ok(policy, JSON.stringify(diagnostics));
    this.#policy = policy;
    this.#homes = homes;
    this.scans.adopt(policy, homes);
    this.#index = new MemberIndex(policy);
    this.#membership.follow(this.#index.entries, homes, Date.now());
    assert.deepEqual(forgetFormer(this.paths, policy, homes), []);
  }

  get policy(): Policy {
    assert.ok(this.#policy);
    return this.#policy;
  }

  get layout() {
    return appLayout(this.paths, true, this.#homes);
  }

  plan(): AppPlan {
    const planned = planApps(this.policy, this.layout);
    assert.ok(planned.ok, JSON.stringify(planned));
    return planned.value;
  }

  /** Writes what a plan says, as the reconciler does. */
  install(): void {
    for (const { path, to } of this.plan().changes) {
      mkdirSync(dirname(path), { recursive: true });
      if (to?.kind === 'file') writeFileSync(path, to.text);
      else rmSync(path);
    }
  }

  async #apply(): Promise<boolean> {
    this.applied++;
    await this.gate;
    this.install();
    assert.ok(this.#policy);
    return (await this.scans.scan(this.#policy)).ok;
  }

  look = () => this.#apply();

  units(): readonly string[] {
    const directory = `${this.paths.etc}/systemd/system`;
    return existsSync(directory)
      ? readdirSync(directory)
          .map((name) => name.replace(/^.*@/, ''))
          .sort()
      : [];
  }

  unit(name: string): string {
    return readFileSync(`${this.paths.etc}/systemd/system/bulkhead-test-app@${name}`, 'utf8');
  }

  /** Keeps a definition as if it had been requested, without its pace. */
  write(uid: number, texts: Omit<OwnAppTexts, 'name'>): void {
    this.writeAll(uid, [{ ...texts, name: 'blog' }]);
  }

  writeAll(uid: number, apps: readonly OwnAppTexts[]): void {
    for (const each of apps) assert.ok(parseOwnApp(each).ok, JSON.stringify(each));
    assert.ok(writeOwnApps(this.paths, uid, { name: 'alice', apps }).ok);
  }

  file(uid: number): string {
    return `${this.paths.state}/apps/${uid}.json`;
  }

  #request(caller: Caller, query: string): RequestContext {
    const agent = { memberIndex: this.#index, membership: this.#membership, apps: this.changes };
    // Fields that these answers do not use are missing.
    return {
      agent,
      caller,
      slot: { [Symbol.dispose]: () => {} },
      query: new QueryReader(new URLSearchParams(query)),
    } as unknown as RequestContext;
  }

  #makeApi(): Api {
    const silent = makeLog('human', {});
    silent.level = 'silent';
    const agent = () => ({
      ...this.#request({ kind: 'uid', uid: 0 }, '').agent,
      history: { askedBy: () => ({}) },
    });
    return makeApi(() => agent() as unknown as AgentContext, silent);
  }

  /** Returns the status and the text of a request as the agent's server passes it on. */
  async fetch(caller: Caller, method: string, path: string): Promise<string> {
    const answer = await this.#api.fetch(new Request(`http://bulkhead${path}`, { method }), {
      caller,
    });
    return `${answer.status} ${await answer.text()}`;
  }

  /** Returns the new state, or the status and reason of a refusal. */
  async set(
    caller: Caller | number,
    query: string | Readonly<Record<string, string>>,
    name = 'alice',
  ): Promise<string> {
    const by: Caller = typeof caller === 'number' ? { kind: 'uid', uid: caller } : caller;
    const text = typeof query === 'string' ? query : new URLSearchParams(query).toString();
    const answer = await answerSetApp(this.#request(by, text), name);
    return answer.ok ? answer.value.state : `${answer.error.status} ${answer.error.reason}`;
  }

  list(caller: Caller | number, name = 'alice') {
    const by: Caller = typeof caller === 'number' ? { kind: 'uid', uid: caller } : caller;
    return answerApps(this.#request(by, ''), name);
  }

  [Symbol.dispose](): void {
    this.changes[Symbol.dispose]();
    this.#events[Symbol.dispose]();
    this.#directory.remove();
  }
}
