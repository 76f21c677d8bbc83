/** Refusals at limits of sites and resellers, as faults and incidents of a real agent: whose they are, and who sees them. */
import assert from 'node:assert/strict';
import { lstatSync, rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { IncidentResponse, IncidentsResponse } from '../../src/agent/api/api.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import type { Host } from '../../src/host/host.ts';
import { sendDatagram } from '../../src/sys/sockets/sockets.ts';
import { eventually } from '../../testing/patience.ts';
import { entriesSocket } from '../../src/web/io/entries/entries-socket.ts';
import { writeRecord } from '../../src/web/io/entries/record.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';

const here = hostHere('bulkhead-entries-members-test');
const uids = { owner: 650_001, other: 650_002, reseller: 650_009 };

if ('skip' in here) test('web entries of sites and the agent', { skip: here.skip }, () => {});
else suite(here.host);

function suite(host: Host): void {
  const socket = entriesSocket(host.paths);
  let agent: RunningAgent;

  before(async () => {
    for (const path of [host.paths.runtime, host.paths.state])
      rmSync(path, { recursive: true, force: true });
    agent = new RunningAgent(host);
    agent.writePolicy(`<agent interval="1s"/>
<reseller uid="${uids.reseller}"><entries limit="50"/>
  <tenant uid="${uids.owner}"><entries limit="20"/>
    <site name="shop.example"><entries limit="5"/></site></tenant>
  <tenant uid="${uids.other}"/>
</reseller>`);
    await agent.start();
    const record = { sender: 0, files: [], state: '0', limits: '', apacheOwners: {} };
    const written = writeRecord(host.paths, record);
    assert.ok(written.ok, written.ok ? '' : formatProblem(written.error));
    await agent.until(
      'it listens',
      () => lstatSync(socket, { throwIfNoEntry: false }) !== undefined,
    );
  });
  after(async () => {
    await agent.stop();
    agent.disableEntries();
    await agent[Symbol.asyncDispose]();
  });

  const send = (fields: Readonly<Record<string, unknown>>) => {
    const datagram = sendDatagram(socket);
    assert.ok(datagram);
    datagram.send(JSON.stringify(fields));
  };
  const incidents = async (uid: number) =>
    (await agent.ask('/v1/incidents?limit=entries.limit', uid)).json<IncidentsResponse>().incidents;
  const owner = String(uids.owner);
  const request = { site: 'www.shop.example', client: '192.0.2.1', method: 'GET', url: '/a?b' };

  test('web entries refusals become faults only of the member whose limit was hit', async () => {
    send({ owner, of: `u${owner}/shop.example`, ...request });
    send({ owner, of: `r${uids.reseller}`, ...request });
    send({ owner, of: `u${owner}`, site: '', client: '', method: 'exec', url: 'php-cgi' });
    // Members that there are not, and words that are none.
    for (const whose of ['u650003', `u${owner}/x.example`, 'r1', '../u1', `u${owner}/../..`, ''])
      send({ owner: '650003', of: whose, ...request });
    const found = await eventually('all three are there', async () => {
      const all = await incidents(0);
      return all.length >= 3 ? all : undefined;
    });
    assert.deepEqual(
      found.map(({ who, value, faults }) => [who.kind, who.site, value, faults]).toSorted(),
      [
        ['reseller', undefined, '50', 1],
        ['site', 'shop.example', '5', 1],
        ['tenant', undefined, '20', 1],
      ],
    );
    const kindsOf = async (uid: number) =>
      (await incidents(uid)).map(({ who }) => who.kind).toSorted();
    assert.deepEqual(await kindsOf(uids.owner), ['site', 'tenant']);
    assert.deepEqual(await kindsOf(uids.other), []);
    assert.deepEqual(await kindsOf(uids.reseller), ['reseller', 'site', 'tenant']);
  });

  test("web entries incident of a command hides the command's name from the reseller", async () => {
    const found = (await incidents(0)).find(({ who }) => who.kind === 'tenant');
    assert.ok(found);
    const textFor = async (uid: number) => {
      const asked = await agent.ask(`/v1/incidents/${found.id}`, uid);
      const { evidence, explanation } = asked.json<IncidentResponse>();
      return evidence.length === 0 ? undefined : explanation.join('\n');
    };
    const text = await eventually('its evidence is there', () => textFor(0));
    assert.match(text, /had 1 command refused/);
    assert.match(text, /not started: .* exit status 75/);
    assert.match(text, /Not started: php-cgi \(1\)/);
    assert.doesNotMatch(text, /508|visitor/);
    const theirs = (await textFor(uids.reseller)) ?? '';
    assert.match(theirs, /1 command of them was not started/);
    assert.doesNotMatch(theirs, /php-cgi|508/);
  });
}
