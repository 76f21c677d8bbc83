/** Commands at the centre show what hosts have told, and say what they have not. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type {
  FleetFaultsJson,
  FleetIncidentJson,
  FleetRoomJson,
} from '../../src/fleet/commands/centre/json.ts';
import type { FleetEvent } from '../../src/fleet/core/told/events.ts';
import { statusText, type HostStatus } from '../../src/fleet/core/told/status.ts';
import { CentreStore } from '../../src/fleet/io/server/centre-store.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { makeDesk } from './desk.ts';
import { gibibyte } from './room-engine.ts';
import { snapshotOf, toldHost } from './told/snapshots.ts';
import { snapshotText } from '../../src/fleet/core/told/snapshot.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

const minute = 60_000;
const now = Date.now();
const ago = (minutes: number) => new Date(now - minutes * minute).toISOString();

const event = (minutes: number, more: Partial<FleetEvent> = {}): FleetEvent => ({
  at: ago(minutes),
  member: 'u1001',
  name: 'alice',
  limit: 'memory.limit',
  severity: 'killed',
  faults: 2,
  ...more,
});

suite('commands at the centre', () => {
  const directory = suiteDirectory('fleet-centre-commands');
  const place = join(directory, 'centre');
  const gibibytes = (many: number) => many * gibibyte;
  const cliOf = (centre: string, ...args: readonly string[]) => {
    const all = [mainFile, 'fleet', ...args, '--directory', centre];
    const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  const cli = (...args: readonly string[]) => cliOf(place, ...args);

  {
    using store = new CentreStore(place);
    const tell = (
      host: string,
      events: HostStatus['events'],
      receivedAt = now + 3_600_000,
      room: HostStatus['room'] = null,
    ) => {
      store.pinned(host, `key of ${host}`);
      const status: HostStatus = {
        format: 1,
        fleet: 'example',
        host,
        at: new Date(receivedAt).toISOString(),
        state: 'healthy',
        generation: 7,
        newest: 7,
        root: '0'.repeat(64),
        confirmed: 7,
        tenants: 3,
        faults24h: 1,
        outside: 0,
        why: null,
        room,
        events,
      };
      assert.ok(store.status(host, statusText(status), receivedAt).ok);
    };
    const made = (host: string, epoch: string, first: number, ...events: readonly FleetEvent[]) =>
      assert.ok(
        store.add({ format: 1, fleet: 'example', host, epoch, oldest: 1, first, events }, now).ok,
      );
    const used = { has: 8, promised: 43.2, unlimited: 0, p95: 2, peak: 7 };
    const room = {
      measuredSeconds: 600_000,
      cpu: used,
      memory: { ...used, has: gibibytes(64), promised: gibibytes(80), p95: gibibytes(30) },
      pressure: { cpu: 0, memory: 0, io: 0 },
    };
    tell('web-001', { last: 9, epoch: 'e1' }, undefined, room);
    tell('web-002', { last: 118, epoch: 'e2' }, now - 86_400_000, room);
    tell('web-003', null);
    made(
      'web-001',
      'e1',
      1,
      event(30),
      event(30, { limit: 'cpu.limit', severity: 'throttled', faults: 40 }),
      event(30, { member: 'u1002', name: 'bob' }),
      event(29, { faults: 5 }),
      event(10),
      event(2, { member: 'u1001/shop.example', name: 'alice/shop.example' }),
      event(2, { member: 'r1000', name: '\u001b[31mred' }),
      event(1, { member: 'u1003', name: null, limit: 'later.limit', severity: 'frozen' }),
    );
    made('web-002', 'e2', 1, event(20, { member: 'u2001' }));
    made('web-003', 'old', 1, event(3 * 1440, { name: 'carol' }));
  }
  const faults = (...args: readonly string[]) =>
    jsonOf<FleetFaultsJson>('fleet faults', cli('faults', '--json', ...args).stdout);

  test('faults are incidents of all hosts, and what has not come is named', () => {
    const { incidents, total, unknown } = faults();
    assert.equal(total, 8);
    assert.deepEqual(
      incidents.map(({ id, severity, faults: number }) => [id, severity, number]),
      [
        ['web-001/8', 'frozen', 2],
        ['web-001/6', 'killed', 2],
        ['web-001/7', 'killed', 2],
        ['web-001/5', 'killed', 2],
        ['web-002/1', 'killed', 2],
        ['web-001/1', 'killed', 7],
        ['web-001/2', 'throttled', 40],
        ['web-001/3', 'killed', 2],
      ],
    );
    assert.deepEqual(unknown, {
      silent: ['web-002'],
      notReceived: 118,
      notCounted: ['web-003'],
      lost: 0,
      parts: [
        { host: 'web-002', notReceived: 117, lost: 0 },
        { host: 'web-001', notReceived: 1, lost: 0 },
      ],
    });
  });

  test('faults are narrowed by tenant, host, limit, severity, period and number', () => {
    const ids = (...args: readonly string[]) => faults(...args).incidents.map(({ id }) => id);
    assert.deepEqual(ids('alice', '--host', 'web-001', '--limit', 'memory'), [
      'web-001/6',
      'web-001/5',
      'web-001/1',
    ]);
    assert.deepEqual(ids('2001'), ['web-002/1']);
    assert.deepEqual(ids('alice/shop.example'), ['web-001/6']);
    assert.deepEqual(ids('--severity', 'throttled'), ['web-001/2']);
    assert.deepEqual(ids('--period', '5m'), ['web-001/8', 'web-001/6', 'web-001/7']);
    assert.deepEqual(ids('carol', '--period', '7d'), ['web-003/1']);
    const few = faults('-n', '2');
    assert.deepEqual([few.incidents.length, few.total], [2, 8]);
  });

  test('a host whose clock is ahead comes before no other', () => {
    const ahead = join(directory, 'ahead');
    const hour = 3_600_000;
    const about = { format: 1, fleet: 'example', epoch: 'e1', oldest: 1, first: 1 } as const;
    {
      using store = new CentreStore(ahead);
      for (const host of ['web-001', 'web-002']) store.pinned(host, `key of ${host}`);
      const later = { ...event(0), at: '9999-12-31T23:59:59.000Z' };
      store.add({ ...about, host: 'web-001', events: [later] }, now - hour);
      store.add({ ...about, host: 'web-002', events: [event(1)] }, now);
    }
    const { incidents } = jsonOf<FleetFaultsJson>(
      'fleet faults',
      cliOf(ahead, 'faults', '--json').stdout,
    );
    assert.deepEqual(
      incidents.map(({ host, end }) => [host, end <= now]),
      [
        ['web-002', true],
        ['web-001', true],
      ],
    );
  });

  test('text says what is not known, and has no control characters of others', () => {
    const { stdout, status } = cli('faults');
    assert.equal(status, 0);
    assert.ok(!stdout.includes('\u001b'));
    const known =
      /\nNot known: 1 host silent \(web-002\); 118 events not yet received \(web-002: 117, web-001: 1\); events of web-003 not counted\n$/;
    assert.match(stdout, known);
    assert.match(cli('faults', 'nobody').stdout, /^No limit was hit from .*\nNot known: 1 host/);
    const other = cli('faults', '--host', 'web-009');
    assert.equal(other.status, 1);
    assert.match(other.stderr, /"web-009": the centre does not know it/);
  });

  test('an incident shows its minutes, and what else happened then', () => {
    const incident = (id: string) =>
      jsonOf<FleetIncidentJson>('fleet incident', cli('incident', id, '--json').stdout);
    const first = incident('web-001/1');
    assert.deepEqual(
      first.minutes.map(({ faults: number }) => number),
      [2, 5],
    );
    assert.deepEqual(
      first.alongside.map(({ id }) => id),
      ['web-001/2'],
    );
    assert.equal(first.others, 1);
    // A later event names the same incident.
    assert.equal(incident('web-001/4').id, 'web-001/1');
    assert.equal(incident('web-003/old/1').name, 'carol');
    const { stdout } = cli('incident', 'web-001/1');
    assert.match(stdout, /^Incident +web-001\/1\nHost +web-001\nWho +alice, u1001\n/);
    assert.match(stdout, /At that time, the same tenant hit:/);
    for (const [id, exit] of [
      ['42', 2],
      ['web-001/0', 2],
      ['web-001/99', 1],
      ['web-001/other/1', 1],
      ['web-009/1', 1],
    ] as const)
      assert.equal(cli('incident', id).status, exit, id);
  });

  test('room is shown for hosts that told it lately, and the others drop out with the reason', () => {
    const { at, hosts } = jsonOf<FleetRoomJson>('fleet room', cli('room', '--json').stdout);
    assert.deepEqual(
      hosts.map(({ host, fits, tightest, why }) => [host, fits, tightest, why]),
      [
        ['web-001', true, 'memory', null],
        ['web-002', null, null, 'silent'],
        ['web-003', null, null, 'its room is unknown'],
      ],
    );
    assert.ok(at >= now && at <= Date.now());
    assert.deepEqual([hosts[0]?.told?.cpu.p95, hosts[1]?.told], [2, null]);
    const lines = cli('room')
      .stdout.split('\n')
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(lines[1], ['web-001', '25%', '47%', '5.4x', '43%', 'yes']);
    assert.deepEqual(lines[2], ['web-002', '?', '?', '?', '?', 'unknown: silent']);
    assert.match(cli('server', 'hosts').stdout, /ROOM +BEHIND.*\nweb-001 .* 43% /);
  });

  test('room for a tenant of a package counts what the package promises on each host', () => {
    const { at: policy, out, key, done } = makeDesk('fleet-centre-desk', ['anna']);
    done('init', policy, '--name', 'example', '--person', `anna=${key('anna')}.pub`);
    writeFileSync(
      join(policy, 'fleet.xml'),
      `<bulkhead version="1">
  <hosts fleet="example"><group name="all" hosts="web-001 web-002"/></hosts>
  <defaults><memory limit="24GiB"/></defaults>
  <package name="business"><cpu limit="200%"/></package>
  <on host="web-001"><package name="business"><cpu limit="800%"/></package></on>
  <on host="web-002"><package name="other"/></on>
</bulkhead>\n`,
    );
    done('sign', '-C', policy, '--key', key('anna'));
    done('publish', '-C', policy, out);
    const roomFor = (...args: readonly string[]) =>
      jsonOf<FleetRoomJson>('fleet room', cli('room', '--json', '--release', out, ...args).stdout);
    const business = roomFor('--package', 'business');
    assert.equal(business.package, 'business');
    // Of 43.2 promised cores and 80 promised GiB, 2 and 30 are in use: the same part of 8 and 24 comes on top.
    const [first, second, third] = business.hosts;
    assert.deepEqual([first?.host, first?.fits], ['web-001', true]);
    assert.equal(first?.cpu.after?.toFixed(4), ((2 + (8 * 2) / 43.2) / 8).toFixed(4));
    assert.equal(first?.memory.after?.toFixed(4), ((30 + (24 * 30) / 80) / 64).toFixed(4));
    assert.deepEqual([second?.why, third?.fits], ['silent', null]);
    assert.match(third?.why ?? '', /^its policy is unknown: /);
    const other = roomFor('--package', 'other').hosts.find(({ host }) => host === 'web-001');
    assert.deepEqual([other?.fits, other?.why], [false, 'it has no package "other"']);
    const text = cli('room', '--package', 'business', '--release', out).stdout;
    assert.match(text, /COMMITTED +AFTER +FITS\nweb-001 +25% +47% +5\.4x +61% +yes\n/);
    const none = cli('room', '--package', 'gold', '--release', out);
    assert.equal(none.status, 1);
    assert.match(none.stderr, /the package "gold": no published policy has that package/);
    const nowhere = cli('room', '--package', 'business', '--release', join(directory, 'nothing'));
    assert.equal(nowhere.status, 1);
    assert.match(nowhere.stderr, /no policy of a host can be read in .*--release/);
  });

  test('a host that is published and never told anything is named', () => {
    const lone = join(directory, 'lone');
    using store = new CentreStore(lone);
    assert.ok(store.hosts().ok);
    const at = ['--directory', lone];
    const run = (...args: readonly string[]) =>
      spawnSync(process.execPath, [mainFile, 'fleet', ...args, ...at], { encoding: 'utf8' });
    assert.match(run('faults').stderr, /no host has told anything yet/);
    const silent = toldHost('web-007', now, {}, { status: null, receivedAt: 0 });
    writeFileSync(join(lone, 'hosts.jsonl'), snapshotText(snapshotOf([silent], now)));
    assert.match(run('faults').stdout, /\nNot known: 1 host silent \(web-007\)/);
    assert.match(run('room').stdout, /\nweb-007 .* unknown: unknown\n/);
  });

  test('a fleet without servers is told what it needs', () => {
    const nowhere = ['--directory', join(directory, 'nowhere')];
    for (const args of [['faults'], ['incident', 'web-001/1'], ['room']]) {
      const all = [mainFile, 'fleet', ...args, ...nowhere];
      const { status, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
      assert.equal(status, 1);
      assert.match(
        stderr,
        /it needs servers of the fleet; "bulkhead fleet server init" begins one/,
      );
    }
  });
});
