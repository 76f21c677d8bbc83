/** Requests that a real nginx refuses, as faults and incidents of a real agent; and who else can write to its socket. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { IncidentResponse, IncidentsResponse } from '../../src/agent/api/api.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { sendDatagram } from '../../src/sys/sockets/sockets.ts';
import { eventually } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { entriesSocket } from '../../src/web/io/entries/entries-socket.ts';
import type { RequestEvidence } from '../../src/web/core/entries/entries-incidents.ts';
import { removeRecord, writeRecord } from '../../src/web/io/entries/record.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';
import type { Host } from '../../src/host/host.ts';
import { EntriesStage, statuses, times, vhost } from './entries-stage.ts';
import { uids } from './stage.ts';

const requestsOf = ({ evidence: [first] }: IncidentResponse) =>
  (first?.evidence?.items ?? []) as readonly RequestEvidence[];

const instance = 'bulkhead-entries-test';
const here = hostHere(instance);
const ready = await ensurePrerequisites('web', (line) => console.log(`# ${line}`));
const reason = 'skip' in here ? here.skip : ready.ok ? undefined : ready.reason;

if ('skip' in here || reason !== undefined)
  test('web entries and the agent', { skip: reason ?? true }, () => {});
else suite(here.host);

function suite(host: Host): void {
  const webUser = Number(spawnSync('id', ['-u', 'www-data'], { encoding: 'utf8' }).stdout);
  const socket = entriesSocket(host.paths);
  const record = { sender: webUser, files: [], state: '0', limits: '', apacheOwners: {} };
  let agent: RunningAgent;
  let stage: EntriesStage;

  before(async () => {
    agent = new RunningAgent(host);
    // A run that was killed may have left them.
    for (const path of [host.paths.runtime, host.paths.state])
      rmSync(path, { recursive: true, force: true });
    stage = new EntriesStage();
    agent.writePolicy(`<agent interval="1s"/>
<tenant uid="${uids.owner}"><entries limit="2"/></tenant>
<tenant uid="${uids.other}"><entries limit="9"/></tenant>`);
    await agent.start();
  });
  after(async () => {
    await agent.stop();
    agent.disableEntries();
    await agent[Symbol.asyncDispose]();
    stage.letGo();
    await stage.clear();
    stage.remove();
  });

  const isThere = () => lstatSync(socket, { throwIfNoEntry: false })?.isSocket() === true;

  test('web entries socket exists while entries are enabled, writable only for the web server', async () => {
    assert.equal(isThere(), false);
    const written = writeRecord(host.paths, record);
    assert.ok(written.ok, written.ok ? '' : formatProblem(written.error));
    await agent.until('it listens', isThere);
    const { uid, mode } = lstatSync(socket);
    assert.deepEqual([uid, mode & 0o777], [webUser, 0o600]);
    const as = (user: number, ...args: string[]) =>
      spawnSync('setpriv', [`--reuid=${user}`, `--regid=33`, '--clear-groups', ...args], {
        encoding: 'utf8',
      });
    const logger = ['logger', '--socket-errors=on', '-u', socket, 'x'];
    assert.notEqual(
      as(uids.owner, ...logger).status,
      0,
      'a tenant, even in the group of the server',
    );
    assert.equal(as(webUser, ...logger).status, 0);
    for (const command of [
      ['rm', socket],
      ['mv', socket, `${socket}.x`],
    ])
      assert.notEqual(as(webUser, ...command).status, 0, command.join(' '));
  });

  test('web entries refusals by nginx become an incident that only root and the tenant see', async () => {
    const site = (port: number) =>
      vhost('shop.example', port, stage.root('a', uids.owner), stage.at('owner.sock'));
    await stage.prepare(site);
    stage.socket = socket;
    stage.start30();
    await stage.served(['shop.example']);
    await stage.enabled(new Map([[uids.owner, 2]]));
    const path = '/buy?secret=1&x="<b>';
    const answers = await stage.atOnce(times(7, { host: 'shop.example', path }));
    assert.deepEqual(statuses(answers), { 200: 2, 508: 5 });

    const incidents = async (uid: number) =>
      (await agent.ask('/v1/incidents?limit=entries.limit', uid)).json<IncidentsResponse>()
        .incidents;
    const [found] = await eventually('the incident is there', async () => {
      const all = await incidents(0);
      return all.length > 0 && all[0]?.faults === 5 && (all[0]?.snapshots ?? 0) > 0
        ? all
        : undefined;
    });
    assert.deepEqual(
      [found?.who.uid, found?.severity, found?.value, found?.inferred],
      [uids.owner, 'refused', '2', false],
    );
    const of = async (uid: number) =>
      (await agent.ask(`/v1/incidents/${found?.id}`, uid)).json<IncidentResponse>();
    const whole = await eventually('its evidence is there', async () => {
      const incident = await of(0);
      return incident.evidence.length > 0 ? incident : undefined;
    });
    const [request] = requestsOf(whole);
    assert.deepEqual(
      [request?.site, request?.client, request?.method, request?.url],
      ['shop.example', '127.0.0.1', 'GET', path],
    );
    assert.match(whole.explanation.join('\n'), /had 5 requests refused/);
    assert.match(
      whole.explanation.join('\n'),
      /GET shop\.example\/buy \(\d\); from 1 address: 127\.0\.0\.1/,
    );
    assert.equal(requestsOf(await of(uids.owner))[0]?.url, path);
    assert.equal((await incidents(uids.other)).length, 0);
    assert.equal((await agent.ask(`/v1/incidents/${found?.id}`, uids.other)).status, 404);
    const page = (await agent.ask('/metrics')).text;
    const counter = `,uid="${uids.owner}",limit="entries.limit",severity="refused"} 5`;
    assert.ok(page.includes(counter), page);
  });

  test('web entries socket ignores hostile datagrams, and a flood of them stops nothing', async () => {
    const datagram = sendDatagram(socket);
    assert.ok(datagram);
    for (const text of [
      '',
      '{',
      '{"owner":"999999999999"}',
      '{"owner":"-1","site":"x"}',
      '{"owner":"64421',
      `{"owner":"${uids.other}","site":{},"client":[1],"url":"${'\u001b[2J'.repeat(50)}"}`,
      `{"owner":"${uids.other}","url":"${'a'.repeat(60_000)}`,
      'x'.repeat(60_000),
    ])
      datagram.send(text);
    const count = async () =>
      (
        await agent.ask(`/v1/incidents?limit=entries.limit&tenant=${uids.other}`)
      ).json<IncidentsResponse>().incidents[0];
    await eventually('two of them count', async () => (await count())?.faults === 2);
    for (let index = 0; index < 50_000; index++)
      datagram.send(
        `{"owner":"${uids.other}","site":"s","client":"c","method":"GET","url":"/${index}"}`,
      );
    await eventually('more count', async () => ((await count())?.faults ?? 0) > 10);
    assert.equal((await agent.ask('/v1/status')).status, 200);
    const id = (await count())?.id;
    const whole = (await agent.ask(`/v1/incidents/${id}`)).json<IncidentResponse>();
    assert.ok(whole.evidence.every(({ evidence }) => (evidence?.items.length ?? 0) <= 20));
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    assert.doesNotMatch(JSON.stringify(whole), /\u001b/);
  });

  test('web entries serves requests whether or not the agent listens', async () => {
    assert.ok(removeRecord(host.paths).ok);
    await agent.until('it does not listen', () => !isThere());
    const answers = await stage.atOnce(times(4, { host: 'shop.example' }));
    assert.deepEqual(statuses(answers), { 200: 2, 508: 2 });
    assert.ok(writeRecord(host.paths, record).ok);
    await agent.until('it listens again', isThere);
    await agent.stop();
    assert.deepEqual(readdirSync(host.paths.runtime).includes('web.sock'), false);
    const more = await stage.atOnce(times(4, { host: 'shop.example' }));
    assert.deepEqual(statuses(more), { 200: 2, 508: 2 });
  });
}
