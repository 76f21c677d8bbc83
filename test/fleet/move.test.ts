/** `bulkhead fleet move` as people run it: the policies of both hosts before, between and after. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import type { FleetPlanJson } from '../../src/fleet/commands/json.ts';
import type { FleetMoveJson } from '../../src/fleet/commands/move/json.ts';
import { parseBundle } from '../../src/fleet/core/parse.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { makeDesk } from './desk.ts';
import { gibibyte } from './room-engine.ts';

const policy = `<bulkhead version="1">
  <!-- our hosts -->
  <hosts fleet="example">
    <group name="shared" hosts="web-001..web-003 rs-01"/>
    <group name="pair" hosts="web-001 web-002"/>
  </hosts>
  <package name="business"><cpu limit="200%"/></package>
  <tenant user="everywhere"/>
  <on group="pair"><tenant user="both"/></on>
  <on host="web-001">
    <package name="own"><cpu limit="50%"/></package>
    <!-- a good customer -->
    <tenant user="alice" package="business">
      <memory limit="3GiB"/>  <!-- as agreed -->
    </tenant>
    <tenant user="olga" package="own"/>
    <tenant uid="1007"/>
    <reseller user="acme"><tenant user="rita" package="business"/></reseller>
  </on>
  <on host="rs-01"><reseller user="acme"/></on>
</bulkhead>
`;

suite('bulkhead fleet move', () => {
  const { home, at, out, key, done, refused } = makeDesk('fleet-move', ['anna']);
  const file = join(at, 'fleet.xml');
  const room = join(home, 'room.json');
  const move = (...args: readonly string[]) => done('move', '-C', at, ...args);
  const json = (...args: readonly string[]) =>
    jsonOf<FleetMoveJson>('fleet move', move(...args, '--json'));
  const not = (...args: readonly string[]) => {
    const text = readFileSync(file, 'utf8');
    const stderr = refused('move', '-C', at, ...args);
    assert.equal(readFileSync(file, 'utf8'), text);
    return stderr;
  };
  const has = (host: string, tenant = 'alice') =>
    done('render', '-C', at, host).includes(`<tenant user="${tenant}"`);
  const changing = () =>
    jsonOf<FleetPlanJson>('fleet plan', done('plan', '-C', at, '--json')).changing;
  const sign = () => {
    done('sign', '-C', at, '--key', key('anna'));
    done('publish', '-C', at, out);
  };
  /** Writes what the centre says: web-003 has much room, web-002 little, and nobody knows the pressure of rs-01. */
  const writeRoomFile = (more: object = {}) => {
    const told = (memory: number, pressure: number | null = 0) => ({
      measuredSeconds: 600_000,
      cpu: { has: 8, promised: 16, unlimited: 1, p95: 1, peak: 2 },
      memory: {
        has: 64 * gibibyte,
        promised: null,
        unlimited: 1,
        p95: memory * gibibyte,
        peak: null,
      },
      pressure: { cpu: 0, memory: 0, io: pressure },
    });
    const hosts = [
      { host: 'web-003', state: 'confirmed', told: told(20) },
      { host: 'web-002', state: 'confirmed', told: told(55) },
      { host: 'rs-01', state: 'confirmed', told: told(20, null) },
    ];
    writeFileSync(room, JSON.stringify({ at: Date.now(), hosts, ...more }));
  };
  const hostsWithAlice = () =>
    ['web-001', 'web-002', 'web-003', 'rs-01'].filter((host) => has(host));

  before(() => {
    done('init', at, '--name', 'example', '--person', `anna=${key('anna')}.pub`);
    writeFileSync(file, policy);
    chmodSync(file, 0o640);
    writeRoomFile();
    sign();
  });

  test('refuses what cannot be moved, and says what to do', () => {
    const anyway = ['web-001', 'web-003', '--anyway'];
    assert.match(not('alice', 'web-01', 'web-003'), /no host "web-01".*did you mean "web-001"/);
    assert.match(not('alice', 'web-001', 'web-001'), /both are the same host/);
    assert.match(
      not('bob', ...anyway),
      /no <tenant user="bob"> for web-001; .*own file.*the panel/,
    );
    assert.match(not('1007', ...anyway), /no <tenant user="1007">/);
    assert.match(not('everywhere', ...anyway), /line 8 has "everywhere" for all hosts/);
    assert.match(not('both', ...anyway), /line 9 has "both" for 2 hosts.*<on host="web-001">/);
    assert.match(not('olga', ...anyway), /There is no package "own"/);
    assert.match(
      not('alice', 'web-003', 'web-001', '--anyway'),
      /no <tenant user="alice"> for web-003/,
    );
    assert.match(not('alice', 'web-001', 'web-003', '--finish'), /web-003 does not have "alice"/);
    assert.match(not('al"ice', ...anyway), /no <tenant user=/);
  });

  test('moves nobody to a host of which the room is unknown or none, unless it is told to', () => {
    assert.match(
      not('alice', 'web-001', 'web-003'),
      /has room is unknown: nobody has asked the centre/,
    );
    assert.match(not('alice', 'web-001', 'web-002', '--room', room), /web-002 has no room: memory/);
    assert.match(
      not('alice', 'web-001', 'rs-01', '--room', room),
      /whether rs-01 has room is unknown: its pressure is unknown; .*--like alice@web-001/,
    );
    writeRoomFile({ hosts: [] });
    assert.match(not('alice', 'web-001', 'rs-01', '--room', room), /centre knows nothing of rs-01/);
    assert.match(not('alice', 'web-001', 'rs-01', '--room', file), /not what "bulkhead fleet room/);
    writeRoomFile();
    const told = json('alice', 'web-001', 'web-002', '--room', room, '--anyway', '--dry-run');
    assert.deepEqual([told.fits, told.why, told.written], [false, 'memory', false]);
    assert.equal(readFileSync(file, 'utf8'), policy);
  });

  test('counts what the tenant used, if the centre was asked about this very tenant', () => {
    const like = (tenant: string, host: string, memory: number | null) => ({
      tenant,
      host,
      need: {
        cpu: { promised: null, p95: 0.5 },
        memory: { promised: null, p95: memory === null ? null : memory * gibibyte },
      },
    });
    // 55 GiB of 64 are in use, and 57.6 are the most: the limit of 3 GiB is too much, and 2 GiB are not.
    const fits = (more: object) => {
      writeRoomFile(more);
      const question = ['alice', 'web-001', 'web-002', '--room', room, '--anyway', '--dry-run'];
      const { fits: found, why } = json(...question);
      return [found, why];
    };
    assert.deepEqual(fits({}), [false, 'memory']);
    assert.deepEqual(fits({ like: like('alice', 'web-001', 2) }), [true, null]);
    assert.deepEqual(fits({ like: like('alice', 'web-001', 9) }), [false, 'memory']);
    for (const other of [
      like('alice', 'web-001', null),
      like('alice', 'web-003', 2),
      like('bob', 'web-001', 2),
    ])
      assert.deepEqual(fits({ like: other }), [false, 'memory']);
    writeRoomFile();
  });

  test('takes no room that was written long ago, or that no centre writes', () => {
    const refusal = (more: object) => {
      writeRoomFile(more);
      return not('alice', 'web-001', 'web-003', '--anyway', '--room', room);
    };
    const minutes = (number: number) => ({ at: Date.now() - number * 60_000 });
    assert.match(
      refusal(minutes(61)),
      /it was written 1h.* ago, and counts for 1h; .*at the centre/,
    );
    assert.match(refusal(minutes(-10)), /it is from the future; compare this clock/);
    for (const more of [
      { at: undefined },
      { hosts: [{ host: 'web-003', fits: true, why: null }] },
      { hosts: [{ host: 'web-003', state: 'confirmed', told: { cpu: 1 } }] },
    ])
      assert.match(
        refusal(more),
        /is not what "bulkhead fleet room --json" of this version prints/,
      );
    writeRoomFile(minutes(59));
    assert.equal(json('alice', 'web-001', 'web-003', '--room', room, '--dry-run').fits, true);
    writeRoomFile();
  });

  test('both hosts have the tenant between, and the target alone after', () => {
    assert.deepEqual(hostsWithAlice(), ['web-001']);
    const begun = json('alice', 'web-001', 'web-003', '--room', room);
    assert.deepEqual(
      [begun.step, begun.written, begun.package, begun.fits, begun.why],
      ['begin', true, 'business', true, null],
    );
    assert.equal(begun.next.length, 5);
    assert.deepEqual(hostsWithAlice(), ['web-001', 'web-003']);
    assert.match(done('explain', '-C', at, 'web-003', 'alice'), /memory limit +3GiB/);
    const between = readFileSync(file, 'utf8');
    assert.ok(between.startsWith(policy.slice(0, -'</bulkhead>\n'.length)));
    assert.equal(statSync(file).mode & 0o777, 0o640);
    assert.match(between, /<!-- as agreed -->\n {4}<\/tenant>\n {2}<\/on>\n<\/bulkhead>\n$/);
    assert.deepEqual(changing(), ['web-003']);
    sign();
    assert.equal(generationOf('web-003'), 2);
    assert.match(not('alice', 'web-001', 'web-003', '--anyway'), /web-003 has "alice" already/);

    const finished = move('alice', 'web-001', 'web-003', '--finish');
    assert.match(finished, /^fleet\.xml has alice for web-003 only\n/);
    assert.match(finished, /not checked: whether the account is gone from web-001/);
    assert.deepEqual(hostsWithAlice(), ['web-003']);
    const after = readFileSync(file, 'utf8');
    assert.ok(after.includes('<!-- a good customer -->'));
    assert.deepEqual(changing(), ['web-001']);
    sign();
    assert.equal(generationOf('web-001'), 3);
    assert.match(
      not('alice', 'web-001', 'web-003', '--finish'),
      /no <tenant user="alice"> for web-001/,
    );
  });

  test('goes back the same way, and takes a tenant along with its reseller', () => {
    move('alice', 'web-003', 'web-001', '--anyway');
    move('alice', 'web-003', 'web-001', '--finish');
    assert.deepEqual(hostsWithAlice(), ['web-001']);
    assert.match(not('rita', 'web-001', 'web-003', '--anyway'), /reseller "acme", which web-003/);
    move('rita', 'web-001', 'rs-01', '--anyway');
    assert.match(
      done('render', '-C', at, 'rs-01'),
      /<reseller user="acme">\s*<tenant user="rita" package="business"\/>\s*<\/reseller>/,
    );
    move('rita', 'web-001', 'rs-01', '--finish');
    assert.ok(!has('web-001', 'rita'));
    done('check', '-C', at);
  });

  function generationOf(host: string): number | undefined {
    const bundle = parseBundle(readFileSync(join(out, 'hosts', `${host}.json`), 'utf8'));
    assert.ok(bundle.ok);
    const head = JSON.parse(bundle.value.head.document) as { readonly generation: number };
    return head.generation;
  }
});
