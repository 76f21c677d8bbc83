/** Which qdisc a device gets, and what is read of the kernel's messages. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  attribute,
  attributeOfNumber,
  attributeOfText,
  joined,
} from '../../../packages/base/netlink-attributes.ts';
import { decide, ourHandle } from '../../../src/network/core/qdiscs/decide.ts';
import {
  devicesLeadingOut,
  otherDevices,
  remarksOnOthers,
} from '../../../src/network/core/qdiscs/leading-out.ts';
import { formatRecord, parseRecord } from '../../../src/network/core/qdiscs/record.ts';
import { reportOf } from '../../../src/network/core/qdiscs/report.ts';
import {
  defaultRouteDevices,
  readDevice,
  readQdisc,
  rootParent,
  routeDevices,
  type Qdisc,
} from '../../../src/network/core/qdiscs/rtnetlink.ts';

const eth0 = { index: 2, name: 'eth0' };
const qdisc = (kind: string, handle: number, parent = rootParent): Qdisc => ({
  device: 2,
  kind,
  handle,
  parent,
});

suite('the qdisc of a device', () => {
  const decided = (isOurs: boolean, ...qdiscs: readonly Qdisc[]) => {
    const { report, steps } = decide(eth0, qdiscs, isOurs);
    return [
      report.support,
      ...steps.map(({ kind, place }) => `${kind} ${place.parent.toString(16)}`),
    ];
  };

  test("only the kernel's own choice is replaced", () => {
    assert.deepEqual(decided(false, qdisc('fq_codel', 0)), ['partial', 'fq ffffffff']);
    assert.deepEqual(decided(true, qdisc('fq_codel', 0)), ['partial', 'fq ffffffff']);
    assert.deepEqual(decided(false, qdisc('fq', 0)), ['partial', 'fq ffffffff']);
    assert.deepEqual(decided(false, qdisc('cake', 0x80010000)), ['partial']);
    assert.deepEqual(decided(false, qdisc('fq', 0x80010000)), ['full']);
    assert.deepEqual(decided(true, qdisc('fq', ourHandle)), ['full']);
    assert.deepEqual(decided(false), ['none']);
  });

  test("leaves of mq are replaced if it is ours, and nobody's else", () => {
    const leaves = [qdisc('fq_codel', 0, ourHandle | 1), qdisc('fq', 0x80020000, ourHandle | 2)];
    assert.deepEqual(decided(false, qdisc('mq', 0), qdisc('fq_codel', 0, 1)), [
      'partial',
      'mq ffffffff',
    ]);
    assert.deepEqual(decided(true, qdisc('mq', ourHandle), ...leaves), ['partial', 'fq 7b1d0001']);
    assert.deepEqual(decided(false, qdisc('mq', ourHandle), ...leaves), ['partial']);
    assert.deepEqual(decided(true, qdisc('mq', 0x10000), qdisc('fq_codel', 0, 0x10001)), [
      'partial',
    ]);
    assert.deepEqual(decided(true, qdisc('mq', ourHandle), ...leaves.slice(1)), ['full']);
    assert.deepEqual(decided(true, qdisc('mq', ourHandle), qdisc('cake', 0x90000, ourHandle | 1)), [
      'partial',
    ]);
  });

  test('the report has no characters that change a terminal', () => {
    const { report } = decide({ index: 2, name: 'e\u001B[2J' }, [qdisc('x\u001B', 0x10000)], false);
    assert.doesNotMatch(report.reason, /\p{Cc}/u);
  });

  test('the weakest device counts for the host', () => {
    const device = (support: 'full' | 'partial') => ({ device: support, support, reason: support });
    assert.equal(reportOf([device('full')]).support, 'full');
    assert.deepEqual(reportOf([device('full'), device('partial')]).reason, 'partial');
    assert.equal(reportOf([]).support, 'partial');
  });
});

suite('devices that lead out', () => {
  const names = (...args: Parameters<typeof devicesLeadingOut>) =>
    devicesLeadingOut(...args).map(({ name }) => name);

  test('ports of bonds, devices of VLANs, bridges themselves', () => {
    const devices = [
      { index: 1, name: 'lo' },
      { index: 2, name: 'eth0', master: 4 },
      { index: 3, name: 'eth1', master: 4 },
      { index: 4, name: 'bond0', kind: 'bond' },
      { index: 5, name: 'bond0.7', kind: 'vlan', below: 4 },
      { index: 6, name: 'br0', kind: 'bridge' },
      { index: 7, name: 'eth2', master: 6 },
      { index: 8, name: 'veth0', kind: 'veth', below: 9 },
    ];
    assert.deepEqual(names(devices, [5, 4]), ['eth0', 'eth1']);
    assert.deepEqual(names(devices, [6, 8, 1, 99]), ['br0', 'veth0']);
  });

  test('others by which networks are reached are remarked on, until they have fq', () => {
    const devices = [
      { index: 2, name: 'eth0' },
      { index: 3, name: 'eth1' },
      { index: 4, name: 'docker0', kind: 'bridge' },
      { index: 5, name: 'port', master: 4 },
    ];
    const others = otherDevices(devices, [2, 3, 4, 5], [devices[0]!]);
    assert.deepEqual(others, [devices[1]]);
    assert.match(remarksOnOthers(others, []).join(), /roughly at eth1,/);
    assert.deepEqual(
      remarksOnOthers(others, [{ device: 3, kind: 'fq', handle: 1, parent: rootParent }]),
      [],
    );
  });

  test('loops come to an end', () => {
    const devices = [
      { index: 1, name: 'a', kind: 'vlan', below: 2 },
      { index: 2, name: 'b', kind: 'vlan', below: 1 },
    ];
    assert.equal(names(devices, [1]).length, 1);
  });
});

suite("the kernel's messages", () => {
  const link = joined(
    Uint8Array.of(0, 0, 0, 0, 7, 0, 0, 0, ...Array<number>(8).fill(0)),
    attributeOfText(3, 'eth0.7'),
    attributeOfNumber(5, 2),
    attribute(18, attributeOfText(1, 'vlan')),
  );

  test('a device, and one whose lower device is elsewhere', () => {
    assert.deepEqual(readDevice(link), { index: 7, name: 'eth0.7', kind: 'vlan', below: 2 });
    const elsewhere = joined(link, attributeOfNumber(37, 0));
    assert.deepEqual(readDevice(elsewhere), { index: 7, name: 'eth0.7', kind: 'vlan' });
  });

  test('default routes, with one way or several', () => {
    const route = (bits: number, type: number, ...attributes: readonly Uint8Array[]) =>
      joined(Uint8Array.of(2, bits, 0, 0, 254, 0, 0, type, 0, 0, 0, 0), ...attributes);
    const hop = (index: number) => Uint8Array.of(8, 0, 0, 0, index, 0, 0, 0);
    assert.deepEqual(defaultRouteDevices(route(0, 1, attributeOfNumber(4, 3))), [3]);
    assert.deepEqual(
      defaultRouteDevices(route(0, 1, attribute(9, joined(hop(3), hop(4))))),
      [3, 4],
    );
    assert.deepEqual(defaultRouteDevices(route(24, 1, attributeOfNumber(4, 3))), []);
    assert.deepEqual(defaultRouteDevices(route(0, 7, attributeOfNumber(4, 3))), [], 'unreachable');
    assert.deepEqual(defaultRouteDevices(route(0, 1, attribute(9, new Uint8Array(12)))), []);
    assert.deepEqual(routeDevices(route(24, 1, attributeOfNumber(4, 3))), [3]);
    const linkLocal = route(
      64,
      1,
      attributeOfNumber(4, 3),
      attribute(1, Uint8Array.of(0xfe, 0x80)),
    );
    linkLocal[0] = 10;
    assert.deepEqual(routeDevices(linkLocal), []);
  });

  test('a message that is cut anywhere is no reason to fail', () => {
    for (let length = 0; length <= link.length; length++) {
      const cut = link.subarray(0, length);
      readDevice(cut);
      readQdisc(cut);
      defaultRouteDevices(cut);
    }
  });
});

suite('the record of set devices', () => {
  const record = { devices: [{ index: 2, kind: 'mq' as const }], defaultQdisc: 'fq_codel' };

  test('it is read as it was written, and is of no use after a restart', () => {
    assert.deepEqual(parseRecord(formatRecord(record, 'a'), 'a'), { ok: true, value: record });
    assert.deepEqual(parseRecord(formatRecord(record, 'a'), 'b'), {
      ok: true,
      value: { devices: [] },
    });
  });

  test('other texts are refused', () => {
    for (const text of [
      '',
      '[]',
      '{}',
      '{"boot":"a","devices":[1]}',
      '{"boot":"a","devices":[{"index":2,"kind":"x"}]}',
    ])
      assert.equal(parseRecord(text, 'a').ok, false, text);
  });
});
