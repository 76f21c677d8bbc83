/** A courier and a centre on a real server: what each of them brings, and what is lost when something is killed: nothing. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { FleetServerHostsJson } from '../../../src/fleet/commands/json.ts';
import { docRequest, docSubject, statusSubject } from '../../../src/fleet/core/subjects.ts';
import { lastMessage } from '../../../src/fleet/io/nats/last-message.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { mainFile } from '../../../testing/program.ts';
import { CourierStage, hostName, Program } from './courier-stage.ts';
import { skipWithoutNats, startServers, type TestServers } from './servers.ts';

/** The time after which the courier hands over the same release again. */
const lookMilliseconds = 2_000;
const instance = 'bulkhead-fleet-nats';
const needsRoot = process.geteuid?.() === 0 ? false : 'it needs root, for a directory in /run';

suite('a courier and a centre', { skip: skipWithoutNats || needsRoot }, () => {
  const directory = suiteDirectory('fleet-courier-nats');
  let servers: TestServers;
  let stage: CourierStage;
  const started = new AsyncDisposableStack();

  before(async () => {
    servers = started.use(await startServers(1));
    stage = started.use(new CourierStage(directory, instance, servers));
    await stage.start();
  });
  after(() => started.disposeAsync());

  const file = () => join(stage.hosts, `${hostName}.json`);
  const brought = (text: string) =>
    eventually(
      `the agent got ${text}`,
      () => stage.taken.at(-1) === text,
      () => stage.taken.join(),
    );
  const manager = async () =>
    jetstreamManager(await servers.connect(servers.centre), { checkAPI: false });

  test('a file that is published reaches the agent, byte for byte, and again when it changes', async () => {
    writeFileSync(file(), '{"a": "ä"}\n');
    await brought('{"a": "ä"}\n');
    writeFileSync(file(), 'another');
    await brought('another');
  });

  test('a link in the directory is not followed', async () => {
    symlinkSync('/etc/hostname', join(stage.hosts, 'web-002.json'));
    writeFileSync(file(), 'after the link');
    await brought('after the link');
    const connection = await servers.connect(servers.centre);
    assert.equal(await lastMessage(connection, docRequest('web-002')), undefined);
    rmSync(join(stage.hosts, 'web-002.json'));
  });

  test('servers that have lost all files get them again', async () => {
    const streams = (await manager()).streams;
    await streams.delete('DOCS');
    const connection = await servers.connect(servers.centre);
    await eventually('the file is there again', async () => {
      const text = await lastMessage(connection, docRequest(hostName)).catch(() => undefined);
      return text === 'after the link';
    });
  });

  test('hints that nothing is behind hand no release over again', async () => {
    const connection = await servers.connect(servers.centre);
    const [before, began] = [stage.taken.length, performance.now()];
    for (let round = 0; round < 300; round++) {
      connection.publish(docSubject(hostName), 'after the link');
      if (round % 30 === 0) await connection.flush();
    }
    await sleep(1_000);
    const looks = (performance.now() - began) / lookMilliseconds + 1;
    assert.ok(stage.taken.length - before <= looks, `${stage.taken.length - before} of ${looks}`);
  });

  test('the file of a host that left the fleet is removed', async () => {
    const other = join(stage.hosts, 'web-003.json');
    const connection = await servers.connect(servers.centre);
    const there = () => lastMessage(connection, docRequest('web-003')).catch(() => 'unknown');
    writeFileSync(other, 'third');
    await eventually('it is there', async () => (await there()) === 'third');
    rmSync(other);
    await eventually('it is gone', async () => (await there()) === undefined);
  });

  test('so is one of a host that left while no centre ran', async () => {
    const connection = await servers.connect(servers.centre);
    await connection.request(docSubject('web-004'), 'fourth', { timeout: 60_000 });
    const there = () => lastMessage(connection, docRequest('web-004')).catch(() => 'unknown');
    await eventually('it is gone', async () => (await there()) === undefined);
    assert.equal(await lastMessage(connection, docRequest(hostName)), 'after the link');
  });

  test('the centre knows the status, and a change of it at once', async () => {
    await eventually('a status', () => stage.status()?.state === 'healthy');
    assert.deepEqual([stage.status()?.tenants, stage.status()?.faults24h], [12, 3]);
    stage.fleet = { ...stage.fleet, state: 'held', newestGeneration: 7, problems: ['no space'] };
    await eventually('the change', () => stage.status()?.state === 'held');
    assert.deepEqual([stage.status()?.newest, stage.status()?.why], [7, 'no space']);
    assert.ok(Math.abs((stage.known()?.receivedAt ?? 0) - Date.now()) < 600_000);
  });

  test('what nobody of the host has signed is refused, and noted', async () => {
    await stage.courier.kill();
    const connection = await servers.connect(servers.host(hostName));
    connection.publish(statusSubject(hostName), '{"format":1}');
    await eventually('it is noted', () => stage.known()?.refused !== undefined);
    assert.equal(stage.status()?.state, 'held');
    stage.courier.start();
    await eventually('a good one ends it', () => stage.known()?.refused === undefined);
  });

  test('events arrive once each, whatever is killed', async () => {
    stage.makeEvents(250);
    await stage.allArrived();
    for (let round = 0; round < 4; round++) {
      stage.makeEvents(300);
      await sleep(Math.random() * 500);
      await stage.courier.kill();
      stage.makeEvents(50);
      stage.courier.start();
      await sleep(Math.random() * 500);
      await stage.centre.kill();
      stage.makeEvents(120);
      await sleep(Math.random() * 300);
      stage.centre.start();
    }
    await stage.allArrived();
    const [server] = servers.servers;
    for (let round = 0; round < 2; round++) {
      stage.makeEvents(400);
      await sleep(Math.random() * 500);
      await server?.kill();
      stage.makeEvents(70);
      await sleep(Math.random() * 500);
      server?.start();
    }
    await servers.healthy();
    await stage.allArrived();
  });

  test('events that the servers have lost are sent again', async () => {
    await stage.centre.kill();
    stage.makeEvents(500);
    const streams = (await manager()).streams;
    await eventually('they are at the server', async () => {
      const { state } = await streams.info('EVENTS');
      return state.messages > 0;
    });
    await streams.purge('EVENTS');
    stage.centre.start();
    await stage.allArrived();
    await stage.centre.kill();
    stage.makeEvents(150);
    for (const name of ['EVENTS', 'MARKS', 'STATUS']) await streams.delete(name);
    stage.centre.start();
    await stage.allArrived();
    await eventually('a status again', () => stage.status()?.events?.last === stage.made);
  });

  test('a host with another key is refused until it is forgotten', async () => {
    stage.reinstall();
    stage.makeEvents(30);
    await eventually('it is refused', () => stage.known()?.refused?.includes('another key'));
    assert.match(stage.known()?.refused ?? '', /bulkhead fleet server forget web-001/);
    stage.forget();
    await stage.allArrived();
  });

  const cli = (...args: readonly string[]) =>
    spawnSync(process.execPath, [mainFile, 'fleet', ...args], { encoding: 'utf8' });
  const inDirectory = () => ['--directory', stage.storeDirectory] as const;

  test('commands show what hosts have told, and forget a key', async () => {
    await eventually('all is known', () => stage.status()?.events?.last === stage.made);
    const shown = cli('server', 'hosts', ...inDirectory(), '--json');
    assert.equal(shown.status, 0, shown.stderr);
    const { hosts } = jsonOf<FleetServerHostsJson>('fleet server hosts', shown.stdout);
    const [{ heard, ...host } = assert.fail('no host')] = hosts;
    assert.equal(heard, new Date(stage.known()?.receivedAt ?? 0).toISOString());
    assert.deepEqual(host, {
      host: hostName,
      state: 'held',
      generation: null,
      tenants: 12,
      faults24h: 3,
      outside: 0,
      behind: 0,
      lost: 0,
      room: 0.65,
      why: 'no space',
    });
    const { stdout } = cli('server', 'hosts', ...inDirectory());
    assert.match(
      stdout,
      /^1 host: 1 held\nHOST .*\nweb-001 +held +- +12 +3 +0 +65% +0 +no space\n$/,
    );
    assert.equal(cli('server', 'forget', 'web-009', ...inDirectory()).status, 1);
    assert.equal(cli('server', 'forget', hostName, ...inDirectory()).status, 0);
    await eventually('it is known again', () => stage.status()?.state === 'held');
    const nowhere = cli('server', 'hosts', '--directory', directory);
    assert.match(nowhere.stderr, /no host has told anything yet/);
  });

  test('the commands of both units work, and end when they are told to', async () => {
    await Promise.all([stage.courier.kill(), stage.centre.kill()]);
    const own = ['--instance', instance, 'fleet'];
    const from = ['--release', stage.release, '--credential', stage.centreCredential];
    const centre = new Program(mainFile, ...own, 'server', 'run', ...inDirectory(), ...from);
    const courier = new Program(mainFile, ...own, 'courier', '--credential', stage.credential);
    // Another centre has made the consumer of events, with shorter times than the command has.
    writeFileSync(file(), 'by the commands');
    try {
      centre.start();
      courier.start();
      await brought('by the commands');
      stage.makeEvents(7);
      await stage.allArrived();
      assert.deepEqual([await courier.stop(), await centre.stop()], [0, 0]);
    } finally {
      await Promise.all([courier.kill(), centre.kill()]);
    }
    const other = cli('courier', '--credential', stage.centreCredential);
    assert.match(other.stderr, /it is not of a host/);
  });
});
