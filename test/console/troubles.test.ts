/** Incidents and troubles as pages get them: causes and remedies for whoever may see them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IncidentResponse } from '../../src/agent/api/api.ts';
import type { Trouble, TroublesResponse } from '../../src/agent/api/report-api.ts';
import { evidenceOf } from '../../src/usage/evidence.ts';
import type { Incident, Snapshot } from '../../src/usage/incident.ts';
import { requestEvidence } from '../../src/web/core/entries/entries-incidents.ts';
import { incidentOf, processOf, snapshotOf } from '../usage/incidents.ts';
import { ask, reasonOf, Stage, uids } from './stage.ts';

const minute = 60_000;
const alice = `u${uids.alice}` as const;
const request = { method: 'GET', path: '/search.php', script: '/srv/search.php', seconds: 3 };
const worker = processOf({ command: 'php-fpm: pool alice', cpuSeconds: 50, request });

class Told implements AsyncDisposable {
  readonly stage: Stage;
  /** Later than the beginning of all accounts. */
  readonly begin = Date.now() + minute;

  private constructor(stage: Stage) {
    this.stage = stage;
  }

  static async start(policy?: string): Promise<Told> {
    const stage = await Stage.start();
    if (policy !== undefined) stage.adopt(policy);
    return new Told(stage);
  }

  /** Records an incident from one minute to another. */
  had(from: number, to: number, changes: Partial<Incident>, evidence: readonly Snapshot[]): number {
    const {
      id: _id,
      snapshots: _snapshots,
      ...incident
    } = incidentOf({ member: alice, ...changes });
    const times = { begin: this.begin + from * minute, end: this.begin + to * minute };
    const opened = this.stage.events.open({ ...incident, name: 'alice', ...times });
    assert.ok(opened.ok);
    for (const each of evidence) assert.ok(this.stage.events.addSnapshot(opened.value, each).ok);
    return opened.value;
  }

  async troubles(uid: number, name = 'alice', minutes = 600): Promise<TroublesResponse> {
    const query = `from=${this.begin}&to=${this.begin + minutes * minute}`;
    const reply = await ask(this.stage.control, `/v1/tenants/${name}/troubles?${query}`, { uid });
    assert.equal(reply.status, 200, reply.text);
    return reply.json<TroublesResponse>();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stage[Symbol.asyncDispose]();
  }
}

const brief = ({ limit, severity, seconds, incidents }: Trouble) => [
  limit,
  severity,
  seconds,
  incidents,
];

test('troubles are durations by limit, the worst first, in the period only', async () => {
  await using told = await Told.start();
  told.had(-10, 10, { faults: 5 }, []);
  told.had(8, 30, { faults: 6, value: '150%' }, []);
  told.had(40, 40, { limit: 'processes.limit', severity: 'refused' }, []);
  told.had(50, 51, { limit: 'memory.limit', severity: 'killed' }, []);
  told.had(52, 53, { limit: 'io.read', severity: 'observed' }, []);
  const { troubles, isCut, who } = await told.troubles(0);
  assert.deepEqual(troubles.map(brief), [
    ['memory.limit', 'killed', 65, 1],
    ['processes.limit', 'refused', 5, 1],
    ['cpu.limit', 'throttled', 1800, 2],
  ]);
  const [, , cpu] = troubles;
  assert.deepEqual([cpu?.faults, cpu?.value, cpu?.resource, isCut], [11, '150%', 'cpu', false]);
  assert.equal(who.name, 'alice');
  assert.deepEqual((await told.troubles(0, 'alice', 20)).troubles.map(brief), [
    ['cpu.limit', 'throttled', 1200, 2],
  ]);
});

test('causes are shown to root and the tenant, and a reseller gets programs only', async () => {
  await using told = await Told.start();
  const id = told.had(0, 9, {}, [snapshotOf([worker])]);
  const seen = async (uid: number) => {
    const [trouble] = (await told.troubles(uid)).troubles;
    const reply = await ask(told.stage.control, `/v1/incidents/${id}`, { uid });
    assert.equal(reply.status, 200, reply.text);
    const { users, requests, resource } = reply.json<IncidentResponse>();
    assert.deepEqual([trouble?.users, trouble?.requests], [users, requests]);
    assert.equal(resource, 'cpu');
    return { users, requests, remedies: trouble?.remedies, text: reply.text };
  };
  for (const uid of [0, uids.alice]) {
    const { users, requests, remedies } = await seen(uid);
    assert.deepEqual(users, [{ title: worker.command, processes: 1, amount: 50 }]);
    const { seconds: secondsMax, ...what } = request;
    assert.deepEqual(requests, [{ ...what, count: 1, secondsMax }]);
    assert.deepEqual(remedies, ['slow-request', 'higher-limit']);
  }
  const { users, requests, remedies, text } = await seen(uids.acme);
  assert.deepEqual(users, [{ title: 'php-fpm', processes: 1, amount: 50 }]);
  assert.deepEqual([requests, remedies], [[], ['heavy-job', 'higher-limit']]);
  assert.doesNotMatch(text, /search|pool alice/);
});

test('a session that a reseller made for its tenant sees no more than the reseller', async () => {
  await using told = await Told.start();
  const id = told.had(0, 9, {}, [snapshotOf([worker])]);
  const { token } = await told.stage.login(uids.acme, '?as=alice');
  for (const path of [
    `/v1/incidents/${id}`,
    `/v1/tenants/alice/troubles?from=1&to=${told.begin * 2}`,
  ]) {
    const reply = await told.stage.with(token, path);
    assert.equal(reply.status, 200, reply.text);
    assert.match(reply.text, /php-fpm/);
    assert.doesNotMatch(reply.text, /search|pool alice/);
  }
  const own = await told.stage.login(uids.alice, '?embed=1');
  assert.match((await told.stage.with(own.token, `/v1/incidents/${id}`)).text, /search\.php/);
});

test('others learn nothing of a tenant, and a jail sees its own', async () => {
  await using told = await Told.start();
  told.had(0, 9, {}, [snapshotOf([worker])]);
  for (const uid of [uids.bob, uids.nobody]) {
    const reply = await ask(told.stage.control, '/v1/tenants/alice/troubles', { uid });
    assert.deepEqual(
      [reply.status, reasonOf(reply)],
      [404, 'there is none with that name that you may see'],
    );
  }
  const path = `/v1/tenants/alice/troubles?from=1&to=${told.begin * 2}`;
  const jailed = await ask(told.stage.jailed, path, { uid: uids.alice });
  assert.equal(jailed.json<TroublesResponse>().troubles.length, 1);
  assert.equal((await ask(told.stage.jailed, path, { uid: uids.acme })).status, 404);
});

test("troubles from before the account had its uid are nobody else's", async () => {
  await using told = await Told.start();
  const former = incidentOf({ member: alice, name: 'former', begin: 1000, end: 2000 });
  assert.ok(told.stage.events.open(former).ok);
  const count = async (uid: number) => {
    const reply = await ask(told.stage.control, '/v1/tenants/alice/troubles?from=1&to=5000', {
      uid,
    });
    return reply.json<TroublesResponse>().troubles.length;
  };
  assert.deepEqual([await count(0), await count(uids.alice), await count(uids.acme)], [1, 0, 0]);
});

test("a tenant's troubles include those of its sites", async () => {
  const site = `<tenant user="alice"><site name="shop.example"><cpu limit="50%"/></site></tenant>`;
  await using told = await Told.start(site);
  told.had(0, 9, { member: `u${uids.alice}/shop.example`, value: '50%' }, []);
  const { troubles } = await told.troubles(uids.alice);
  assert.deepEqual(
    troubles.map((each) => [each.site, each.value]),
    [['shop.example', '50%']],
  );
});

test('refused requests show whether one address sent most of them', async () => {
  await using told = await Told.start();
  const item = (client: string) => ({
    at: 1,
    site: 'shop.example',
    client,
    method: 'GET',
    url: '/',
  });
  const snapshot = (clients: readonly string[]) =>
    snapshotOf([], {}, { evidence: evidenceOf(requestEvidence, clients.map(item)) });
  const entries = { limit: 'entries.limit', severity: 'refused' } as const;
  const remedies = async (uid: number) => (await told.troubles(uid)).troubles[0]?.remedies;
  told.had(0, 1, entries, [snapshot(['a', 'a', 'a', 'a', 'b'])]);
  assert.deepEqual(await remedies(uids.alice), ['one-visitor', 'higher-limit']);
  assert.deepEqual(await remedies(uids.acme), ['higher-limit']);
  told.had(2, 9, entries, [snapshot(['a', 'b', 'c', 'd', 'e'])]);
  assert.deepEqual(await remedies(uids.alice), ['many-visitors', 'higher-limit']);
});

test('hostile names and periods are refused or harmless', async () => {
  await using told = await Told.start();
  const title = `\u001b[31m${'x'.repeat(5000)}`;
  told.had(0, 9, {}, [snapshotOf([{ ...worker, command: title }])]);
  const [trouble] = (await told.troubles(0)).troubles;
  const shown = trouble?.users[0]?.title ?? '';
  assert.ok(shown.length < 200 && !shown.includes('\u001b'), shown);
  for (const [path, status] of [
    ['/v1/tenants/alice/troubles?from=2&to=1', 400],
    ['/v1/tenants/alice/troubles?from=-1', 400],
    ['/v1/tenants/%00/troubles', 404],
    ['/v1/tenants/..%2F..%2Fetc/troubles', 404],
  ] as const)
    assert.equal((await ask(told.stage.control, path)).status, status, path);
});
