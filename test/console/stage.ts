/**
 * The agent as the console needs it: its real sockets, API, sessions, policy and record of owners, and no cgroups.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { ErrorResponse } from '../../src/agent/api/api.ts';
import type { ConsoleCodeResponse, ConsoleSessionStart } from '../../src/agent/api/console-api.ts';
import type { AgentContext } from '../../src/agent/api/request-context.ts';
import { makeApi } from '../../src/agent/api/routes.ts';
import { ControlServer } from '../../src/agent/api/server/server.ts';
import { ChangePace } from '../../src/agent/changes/change-pace.ts';
import { makeLog } from '../../src/agent/log.ts';
import { LatestSample } from '../../src/agent/sampling/latest-sample.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { Membership } from '../../src/agent/sampling/membership.ts';
import { ConsoleAccess } from '../../src/agent/sessions/console-access.ts';
import { ConsolePeers } from '../../src/agent/sessions/console-peers.ts';
import { ok } from '../../packages/base/result.ts';
import type { ListedChange } from '../../src/apply/read-changes.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import type { PolicyState } from '../../src/agent/reconciler.ts';
import { PolicyChanges } from '../../src/agent/policy/policy-changes.ts';
import { AccountNames } from '../../src/host/accounts/account-names.ts';
import {
  consoleAgentSocketOf,
  jailSocketDirectory,
  pathsOf,
  type Paths,
} from '../../src/host/paths.ts';
import { noCounters } from '../../src/limits/limits.ts';
import type { HistoryView } from '../../src/store/history/history.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { IncidentKinds } from '../../src/usage/incident-kinds.ts';
import type { Fault } from '../../src/usage/fault.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { kindOf, tenantMember, uidOf, type Member } from '../../src/usage/member.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';
import { partKeys, type PartFigures } from '../../src/usage/part-keys.ts';
import { networkIncidents } from '../../src/network/core/network-incidents.ts';
import { entriesIncidents } from '../../src/web/core/entries/entries-incidents.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

export const uids = { acme: 4000, alice: 5001, bob: 5002, carol: 5003, nobody: 65534 } as const;
export const policy = `<reseller user="acme"><tenant user="alice"/></reseller>
  <tenant user="bob"/><tenant user="carol"/>`;

const silent = makeLog('human', {});
silent.level = 'silent';

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the answer is
  readonly json: <T>() => T;
}

export interface Ask {
  readonly method?: string;
  readonly uid?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends one request to a unix socket, as a process of `uid`. */
export function ask(socketPath: string, path: string, options: Ask = {}): Promise<Reply> {
  const { method = 'GET', uid = 0, headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    process.seteuid?.(uid);
    try {
      const sent = request({ socketPath, path, method, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the answer is
          const json = <T>() => JSON.parse(text) as T;
          resolve({ status, text, headers: response.headers, json });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    } finally {
      process.seteuid?.(0);
    }
  });
}

export class Stage implements AsyncDisposable {
  readonly #directory = temporaryDirectory('console');
  readonly paths: Paths = {
    ...pathsOf('bulkhead-test'),
    etc: `${this.#directory.path}/etc`,
    runtime: `${this.#directory.path}/run`,
    state: `${this.#directory.path}/state`,
  };
  readonly control = `${this.paths.runtime}/control.sock`;
  readonly jailed = `${jailSocketDirectory(this.paths)}/control.sock`;
  readonly front = consoleAgentSocketOf(this.paths);
  readonly log: string[] = [];
  /** Seconds since the boot. */
  now = 1000;
  lastTick = performance.now();
  /** The answer of `/v1/status`; a part of the real one. */
  status: object = { isStatus: true };
  /** The policy that requests show and change; its directory is root's. */
  readonly #policyDirectory = temporaryDirectory('console-policy', '/root');
  readonly policyFile = `${this.#policyDirectory.path}/policy.xml`;
  /** The outcome of applies. */
  applying: Pick<PolicyState, 'state' | 'problems'> = { state: 'in force', problems: [] };
  /** The number of applies that changes of the policy have asked for. */
  applied = 0;
  /** The time that such an apply takes. */
  apply = () => Promise.resolve();
  #policy: PolicyChanges | undefined;
  /** Parts of the agent that a test brings along. */
  parts: Partial<AgentContext> = {};
  /** The answers of the history, as far as a test has any. */
  history: Partial<HistoryView> = {};
  /** The latest changes of the policy. */
  changes: readonly ListedChange[] = [];
  readonly #names = new AccountNames(this.paths);
  readonly #kinds = new IncidentKinds([entriesIncidents, ...networkIncidents]);
  readonly events = new EventStore(`${this.#directory.path}/events`, { kinds: this.#kinds });
  readonly #membership = new Membership(this.events, this.#names);
  readonly #latest = new LatestSample();
  #index = new MemberIndex();
  #generation = 0;
  #access: ConsoleAccess | undefined;
  #server: ControlServer | undefined;

  private constructor() {
    chmodSync(this.#directory.path, 0o755);
    mkdirSync(this.paths.etc);
    mkdirSync(this.paths.runtime);
    this.haveAccounts(uids);
  }

  static async start(): Promise<Stage> {
    const stage = new Stage();
    await stage.begin();
    stage.adopt(policy);
    return stage;
  }

  /** Starts the agent, also again. */
  async begin(): Promise<void> {
    await this.end();
    const { paths } = this;
    this.#generation = 0;
    const add = (line: string) => void this.log.push(line);
    this.#access = new ConsoleAccess({
      paths,
      names: this.#names,
      membership: this.#membership,
      knowsMembers: () => this.#generation > 0,
      log: { info: add, error: add },
      clock: () => this.now,
    });
    this.#policy = new PolicyChanges({
      paths,
      file: this.policyFile,
      log: { info: add, error: add },
      apply: () => {
        this.applied++;
        return this.apply();
      },
      state: () => ({ ...this.applying, stateChangedAt: 0, file: this.policyFile }),
    });
    const loginPace = new ChangePace('log in to the console');
    const api = makeApi(() => this.#context(loginPace), silent);
    this.#server = new ControlServer(api);
    const listens = [
      await this.#server.listenOnSocket(this.control),
      await this.#server.listenForJails(jailSocketDirectory(paths)),
      await this.#server.listenFor(new ConsolePeers(this.access, this.#names), this.front),
    ];
    assert.ok(listens.every((each) => each.ok));
  }

  get access(): ConsoleAccess {
    assert.ok(this.#access);
    return this.#access;
  }

  async end(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#access?.[Symbol.dispose]();
    this.#policy?.[Symbol.dispose]();
    this.#server = undefined;
    this.#access = undefined;
  }

  haveAccounts(accounts: Readonly<Record<string, number>>): void {
    const lines = Object.entries(accounts).map(
      ([user, uid]) => `${user}:x:${uid}:${uid}::/nonexistent:/bin/sh\n`,
    );
    writeFileSync(`${this.paths.etc}/passwd`, lines.join(''));
  }

  adopt(text: string): void {
    writeFileSync(this.policyFile, `<bulkhead version="1">${text}</bulkhead>`);
    this.follow();
  }

  /** Has the text of the file in force, as after an apply. */
  follow(): void {
    const whole = readFileSync(this.policyFile, 'utf8');
    const resolved = new PolicyReader().resolve('p.xml', whole, this.paths);
    assert.ok(resolved.policy, JSON.stringify(resolved.diagnostics));
    this.#index = new MemberIndex(resolved.policy);
    this.#membership.follow(this.#index.entries, new Map(), Date.now());
    this.#latest.follow(this.#index.entries);
    this.#generation = Math.max(Date.now(), this.#generation + 1);
  }

  /** Has a tick in which these tenants used as much CPU, all others nothing, and some hit limits. */
  tick(at: number, cpu: Readonly<Record<number, number>>, faults: readonly Fault[] = []): void {
    const usage = Object.entries(cpu).map(([uid, used]) => [uid, { cpu: used }] as const);
    this.measure(at, Object.fromEntries(usage), faults);
  }

  /** Has a tick with any usage of tenants by uid. */
  measure(
    at: number,
    usage: Readonly<Record<number, Partial<Record<MetricKey, number>>>>,
    faults: readonly Fault[] = [],
  ): void {
    const members = Object.keys(usage).map((uid) => tenantMember(Number(uid)));
    const columns = emptyColumns(members.length);
    for (const key of metricKeys)
      columns[key].set(Object.values(usage).map((each) => each[key] ?? 0));
    this.lastTick = performance.now();
    const moment = { at, monotonic: this.lastTick };
    const used = new Set(Object.values(usage).flatMap((each) => Object.keys(each)));
    const known = partKeys.filter((key) => used.has(key));
    const figuresOf = (member: Member): PartFigures | undefined =>
      known.length === 0 || kindOf(member) === 'site'
        ? undefined
        : Object.fromEntries(known.map((key) => [key, usage[uidOf(member)]?.[key] ?? 0]));
    const readings = [...this.#index.entries.keys()].map((member) => {
      const figures = figuresOf(member);
      const reading = { member, before: noCounters, now: noCounters };
      return figures === undefined ? reading : { ...reading, figures };
    });
    this.#latest.update({ at, seconds: 5, members, columns, known }, readings, faults, moment);
  }

  #context(loginPace: ChangePace): AgentContext {
    const context = {
      console: this.access,
      policy: this.#policy,
      loginPace,
      generation: this.#generation,
      intervalSeconds: 5,
      memberIndex: this.#index,
      membership: this.#membership,
      latest: this.#latest,
      lastTick: this.lastTick,
      events: this.events,
      kinds: this.#kinds,
      starting: undefined,
      status: () => this.status,
      state: this.paths.state,
      testAlerts: async () => ({ results: [] }),
      latestChanges: () => ok(this.changes),
      history: { askedBy: () => this.history },
      protections: () => [{ name: 'jails', state: 'on', refused: 2 }],
      cpuLimitNowOf: () => undefined,
      entriesCountedSince: () => undefined,
      ...this.parts,
    };
    // Fields that these answers do not use are missing.
    return context as unknown as AgentContext;
  }

  makeCode(uid: number, query = ''): Promise<Reply> {
    return ask(this.control, `/v1/console/codes${query}`, { method: 'POST', uid });
  }

  async code(uid: number, query = ''): Promise<string> {
    const reply = await this.makeCode(uid, query);
    assert.equal(reply.status, 200, reply.text);
    return reply.json<ConsoleCodeResponse>().code;
  }

  exchange(code: string, to = this.front): Promise<Reply> {
    return ask(to, '/v1/console/session', {
      method: 'POST',
      headers: { authorization: `Code ${code}` },
    });
  }

  async login(uid: number, query = ''): Promise<ConsoleSessionStart> {
    const reply = await this.exchange(await this.code(uid, query));
    assert.equal(reply.status, 200, reply.text);
    return reply.json<ConsoleSessionStart>();
  }

  /** Asks with a token, as the front does. */
  with(token: string, path: string, method = 'GET'): Promise<Reply> {
    return ask(this.front, path, { method, headers: { authorization: `Bearer ${token}` } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    this.events[Symbol.dispose]();
    this.#directory.remove();
    this.#policyDirectory.remove();
  }
}

export const reasonOf = (reply: Reply): string => reply.json<ErrorResponse>().reason;
