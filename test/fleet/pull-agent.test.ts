/** The puller and a real agent: the account of the puller hands over a release, and may do nothing else. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { FleetOutboxResponse } from '../../src/agent/api/fleet-api.ts';
import type { FleetPullJson } from '../../src/fleet/commands/json.ts';
import { hostNamespaces, parseSigned } from '../../src/fleet/core/told/signed.ts';
import { parseStatus } from '../../src/fleet/core/told/status.ts';
import { isSignedByHost } from '../../src/fleet/io/verify/host-signature.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { addSystemAccount, removeAccount } from '../attacks/accounts-stage.ts';
import { hostName, HostStage } from './host-stage.ts';

const stage = new HostStage('bulkhead-fleet-courier', 896_000);
const { skip } = stage;
const [first = 0] = stage.uids;
const account = 'bulkhead-fleet';
const limit = (processes: number) => `<defaults><processes limit="${processes}"/></defaults>`;

describe('the puller of a host in a fleet', { skip }, () => {
  stage.register();
  let uid = 0;
  let served = '';
  const server = createServer((request, response) => {
    const isBundle = request.url === `/hosts/${hostName}.json`;
    response.writeHead(isBundle ? 200 : 404).end(isBundle ? served : '');
  });

  before(async () => {
    uid = addSystemAccount(account);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const from = `http://127.0.0.1:${port}/`;
    stage.agent.writePolicy(stage.ownPolicy(stage.membership(` from="${from}"`)));
    await stage.until('it knows the address', ({ from: known }) => known?.[0] === from);
  });
  after(() => {
    server.close();
    removeAccount(account);
  });

  test('brings a release, which the agent verifies and puts in force', async () => {
    served = stage.bundle(1, limit(100));
    const pulled = await stage.cliAs(uid, 'pull', '--json');
    assert.equal(pulled.status, 0, pulled.stderr);
    const { isSame, state } = jsonOf<FleetPullJson>('fleet pull', pulled.stdout);
    assert.equal(isSame, false);
    assert.notEqual(state, null);
    await stage.until('it is healthy', (each) => each.state === 'healthy');
    assert.equal(stage.processesMax(first), '100');
  });

  test('brings what was damaged on its way, which changes nothing', async () => {
    served = stage.bundle(2, limit(50)).replace('"policy":"', '"policy":"A');
    const pulled = await stage.cliAs(uid, 'pull');
    assert.equal(pulled.status, 1);
    assert.match(pulled.stderr, /the policy is not the one that was signed/);
    assert.equal(stage.processesMax(first), '100');
    assert.equal((await stage.state()).release?.generation, 1);
  });

  test('gets the status of the host, signed by it', async () => {
    const asked = await stage.agent.ask('/v1/fleet/outbox?after=0', uid);
    assert.equal(asked.status, 200);
    const signed = parseSigned(asked.json<FleetOutboxResponse>().status);
    assert.ok(signed.ok && isSignedByHost(hostNamespaces.status, signed.value));
    const status = parseStatus(signed.value.document);
    assert.ok(status.ok);
    const { host, generation, tenants } = status.value;
    assert.deepEqual([host, generation, tenants], [hostName, 1, stage.uids.length]);
    assert.equal((await stage.agent.ask('/v1/fleet/outbox', first)).status, 403);
  });

  test('may do nothing else, and no other account may do that', async () => {
    const asked = async (as: number, ...args: readonly string[]) => {
      const { status, stderr } = await stage.cliAs(as, ...args);
      assert.equal(status, 1, args.join(' '));
      return stderr;
    };
    for (const args of [['keep'], ['back'], ['resume'], ['hold', '--for', '1h', '--reason', 'x']])
      assert.match(await asked(uid, ...args), /only root may/);
    assert.match(await asked(first, 'pull'), /only root may/);
    assert.match(await asked(first, 'accept', readable(stage.bundle(3, limit(40)))), /only root/);
    assert.equal((await stage.state()).release?.generation, 1);
  });

  const shared = suiteDirectory('fleet-courier', '/tmp', 0o755);
  function readable(text: string): string {
    mkdirSync(shared, { recursive: true });
    const file = join(shared, 'release.json');
    writeFileSync(file, text);
    chmodSync(file, 0o644);
    return file;
  }
});
