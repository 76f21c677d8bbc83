/** `bulkhead fleet server` and `bulkhead fleet host`, with real servers where they talk to some. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, symlinkSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type {
  FleetHostAddJson,
  FleetHostRemoveJson,
  FleetServerCheckJson,
  FleetServerInitJson,
} from '../../../src/fleet/commands/json.ts';
import { statusSubject } from '../../../src/fleet/core/subjects.ts';
import { connectWith, readCredential } from '../../../src/fleet/io/nats/connect.ts';
import { readServerState } from '../../../src/fleet/io/server/server-state.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { done, modeOf, run } from './fleet-command.ts';
import { skipWithoutNats, startServers } from './servers.ts';

suite('bulkhead fleet server init', { skip: skipWithoutNats }, () => {
  const home = suiteDirectory('fleet-servers');
  const names = ['nats-1.example.org', 'nats-2.example.org', 'nats-3.example.org'];
  const at = join(home, 'three');

  test('writes what each server needs, and keeps secrets to itself', async () => {
    const args = ['server', 'init', '--name', 'example', '--directory', at, '--json', ...names];
    const shown = jsonOf<FleetServerInitJson>('fleet server init', await done(...args));
    assert.deepEqual(shown.servers, names);
    assert.equal(modeOf(at), '700');
    for (const name of ['servers.json', 'centre.json']) assert.equal(modeOf(join(at, name)), '600');
    for (const name of names) {
      const directory = join(at, 'servers', name);
      assert.equal(modeOf(directory), '755');
      assert.equal(modeOf(join(directory, 'tls.key')), '600');
      for (const each of readdirSync(directory))
        assert.doesNotMatch(
          readFileSync(join(directory, each), 'utf8'),
          /\bS[AOU][A-Z2-7]{56}\b/,
          `${each} has a private key of NATS`,
        );
      const certificate = execFileSync(
        'openssl',
        [
          'verify',
          '-CAfile',
          join(directory, 'ca.pem'),
          '-verify_hostname',
          name,
          join(directory, 'tls.pem'),
        ],
        { encoding: 'utf8' },
      );
      assert.match(certificate, /OK/);
    }
  });

  test('leaves servers that are there alone', async () => {
    const before = readFileSync(join(at, 'servers.json'), 'utf8');
    const { status, stderr } = await run(
      'server',
      'init',
      '--name',
      'x',
      '--directory',
      at,
      'a.example.org',
    );
    assert.equal(status, 1);
    assert.match(stderr, /it has servers already/);
    assert.equal(readFileSync(join(at, 'servers.json'), 'utf8'), before);
  });

  test('uses no directory of somebody else, and no link', async () => {
    const theirs = join(home, 'theirs');
    mkdirSync(theirs);
    chmodSync(theirs, 0o777);
    const link = join(home, 'link');
    symlinkSync(at, link);
    for (const [directory, reason] of [
      [theirs, /written by others/],
      [link, /link/],
    ] as const)
      for (const args of [
        ['server', 'init', '--name', 'x', 'a.example.org'],
        ['server', 'add', 'a.example.org', 'b.example.org'],
        ['host', 'add', 'web-1'],
        ['server', 'check'],
      ]) {
        const { status, stderr } = await run(...args, '--directory', directory);
        assert.equal(status, 1);
        assert.match(stderr, args[1] === 'init' && directory === link ? /already/ : reason);
      }
    assert.deepEqual(readdirSync(theirs), []);
  });

  for (const [addresses, reason] of [
    [['a.example.org', 'b.example.org'], /1, 3 or 5/],
    [['10.0.0.1'], /not a DNS name/],
    [['a"; x.example.org'], /not a DNS name/],
    [['../../etc'], /not a DNS name/],
    [['A.example.org'], /not a DNS name/],
    [['a.example.org', 'a.example.org', 'b.example.org'], /twice/],
  ] as const)
    test(`refuses ${addresses.join(' ')}`, async () => {
      const nowhere = join(home, 'refused');
      const { status, stderr } = await run(
        'server',
        'init',
        '--name',
        'x',
        '--directory',
        nowhere,
        ...addresses,
      );
      assert.equal(status, 1);
      assert.match(stderr, reason);
      assert.ok(!existsSync(nowhere));
    });

  test('writes units and a script that systemd and bash can read', () => {
    const directory = join(at, 'servers', names[0] ?? '');
    const script = spawnSync('bash', ['-n', join(directory, 'watch.sh')], { encoding: 'utf8' });
    assert.equal(script.status, 0, script.stderr);
    const units = readdirSync(directory).filter((each) => each.endsWith('.service'));
    assert.equal(units.length, 2);
    const read = spawnSync(
      'systemd-analyze',
      ['verify', ...units.map((each) => join(directory, each))],
      {
        encoding: 'utf8',
      },
    );
    if (read.error === undefined) assert.doesNotMatch(read.stderr, /bulkhead-fleet-nats.*:\d+:/);
  });
});

suite('bulkhead fleet host', { skip: skipWithoutNats }, () => {
  test('adds hosts, and ends one at once, while others stay connected', async () => {
    await using fleet = await startServers(1);
    const at = ['--directory', fleet.directory];
    const { added } = jsonOf<FleetHostAddJson>(
      'fleet host add',
      await done('host', 'add', 'web-1', 'web-2', ...at, '--json'),
    );
    assert.deepEqual(
      added.map(({ host }) => host),
      ['web-1', 'web-2'],
    );
    const [first, second] = added.map(({ file }) => {
      assert.equal(modeOf(file), '600');
      const credential = readCredential(file);
      assert.ok(credential.ok);
      return credential.value;
    });
    assert.ok(first !== undefined && second !== undefined);
    const [ended, other] = [
      await fleet.connect(first, { reconnect: false }),
      await fleet.connect(second, { reconnect: false }),
    ];
    await ended.request(statusSubject('web-1'), 'fine');
    const shown = jsonOf<FleetHostRemoveJson>(
      'fleet host remove',
      await done('host', 'remove', 'web-1', ...at, '--json'),
    );
    assert.deepEqual(shown, { host: 'web-1', servers: 1, of: 1 });
    await ended.closed();
    assert.ok(!existsSync(added[0]?.file ?? ''));
    await other.request(statusSubject('web-2'), 'undisturbed');
    await assert.rejects(connectWith(first, { reconnect: false }), /authorization/i);

    // Neither the file nor what the server keeps lets it in again.
    const [server] = fleet.servers;
    await server?.kill();
    server?.start();
    await fleet.healthy();
    await assert.rejects(connectWith(first, { reconnect: false }), /authorization/i);
    const back = await fleet.connect(second);
    await back.request(statusSubject('web-2'), 'back');

    await done('host', 'add', 'web-1', ...at);
    const again = readCredential(added[0]?.file ?? '');
    assert.ok(again.ok);
    assert.notEqual(again.value.seed, first.seed);
    const connection = await fleet.connect(again.value);
    await connection.request(statusSubject('web-1'), 'a new credential');
  });

  test('says why a host cannot be added or removed', async () => {
    await using fleet = await startServers(1);
    const at = ['--directory', fleet.directory];
    await done('host', 'add', 'web-1', ...at);
    for (const [args, reason] of [
      [['add', 'web-1'], /already has a credential/],
      [['add', 'web.1'], /lower case letters/],
      [['add', '*'], /lower case letters/],
      [['add', '../x'], /lower case letters/],
      [['remove', 'web-9'], /has no credential/],
    ] as const) {
      const { status, stderr } = await run('host', ...args, ...at);
      assert.equal(status, 1);
      assert.match(stderr, reason);
    }
    await fleet.servers[0]?.kill();
    const away = await run('host', 'remove', 'web-1', ...at);
    assert.equal(away.status, 1);
    assert.match(away.stderr, /Cannot connect to/);
    // It was not ended, and that can be done again.
    fleet.servers[0]?.start();
    await fleet.healthy();
    assert.match(await done('host', 'remove', 'web-1', ...at), /1 server/);
    const none = await run('host', 'add', 'web-1', '--directory', join(fleet.directory, 'none'));
    assert.match(none.stderr, /bulkhead fleet server init/);
  });

  test('adds hosts at the same time', async () => {
    await using fleet = await startServers(1);
    const names = Array.from({ length: 6 }, (_, index) => `web-${index}`);
    await Promise.all(
      names.map((each) => done('host', 'add', each, '--directory', fleet.directory)),
    );
    const state = readServerState(fleet.directory);
    assert.ok(state.ok);
    assert.deepEqual(state.value.hosts.map(({ host }) => host).toSorted(), names);
  });
});

suite('bulkhead fleet server check', { skip: skipWithoutNats }, () => {
  test('finds three servers fine, one of them away, and one back', async () => {
    await using fleet = await startServers(3);
    const check = async () => {
      const { status, stdout } = await run(
        'server',
        'check',
        '--directory',
        fleet.directory,
        '--json',
      );
      return { status, shown: jsonOf<FleetServerCheckJson>('fleet server check', stdout) };
    };
    await eventually('all is fine', async () => (await check()).status === 0);
    const { shown: fine } = await check();
    assert.equal(fine.ok, true);
    assert.deepEqual(
      fine.servers.map(({ problems }) => problems),
      [[], [], []],
    );
    for (const { version, advisories } of fine.servers) {
      assert.match(version ?? '', /^\d+\.\d+\.\d+/);
      assert.ok(Array.isArray(advisories));
    }

    const [first] = fleet.servers;
    const crowd = fleet.host('crowd');
    for (let each = 0; each < 12; each++)
      await fleet.connect({ ...crowd, servers: crowd.servers.slice(1, 2) });
    const { shown: crowded } = await check();
    assert.deepEqual(crowded.servers[1]?.problems, ['the credential of crowd has 12 connections']);

    await first?.kill();
    const { status, shown: away } = await check();
    assert.equal(status, 3);
    assert.equal(away.ok, false);
    const one = away.servers.find(({ address }) => address === first?.url);
    assert.equal(one?.version, null);
    assert.match(one?.problems[0] ?? '', /refused/);
    first?.start();
    await eventually('it is back', async () =>
      (await check()).shown.servers.every(({ version }) => version !== null),
    );
  });
});
