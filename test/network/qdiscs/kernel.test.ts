/** The devices of a network namespace of its own, with the qdiscs that this kernel has. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { Stage, stageSkip } from './stage.ts';

const route =
  'ip link set out up && ip addr add 192.0.2.2/24 dev out && ip route add default via 192.0.2.1';
const veth = `ip link add out type veth peer name far && ip link set far up && ${route}`;

const tried = stageSkip === false ? hasFq() : 'no';
/** Whether this kernel has fq. Kernels of distributions do. */
function hasFq(): boolean {
  using stage = new Stage();
  stage.shell(veth);
  try {
    stage.shell('tc qdisc add dev out root fq');
    return true;
  } catch {
    return false;
  }
}
/** Ten datagrams that are to leave so many seconds later. SO_TXTIME and SCM_TXTIME are 61. */
const sendLate = (seconds: number) => `python3 -c '
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 61, struct.pack("iI", time.CLOCK_MONOTONIC, 0))
at = struct.pack("Q", time.clock_gettime_ns(time.CLOCK_MONOTONIC) + ${seconds} * 10**9)
for i in range(10): s.sendmsg([bytes(100)], [(socket.SOL_SOCKET, 61, at)], 0, ("192.0.2.1", 9))'`;

const withFq = { skip: tried === true ? false : 'this kernel has no fq' };
const withoutFq = { skip: tried === true ? 'this kernel has fq' : false };

suite('qdiscs of devices that lead out', { skip: stageSkip }, () => {
  const records = ({ state }: Stage) =>
    existsSync(`${state}/network`) ? readdirSync(`${state}/network`) : [];

  test('without a default route there is nothing to set', () => {
    using stage = new Stage();
    const [report] = stage.run('adopt');
    assert.equal(report?.support, 'partial');
    assert.match(report.reason, /no device has a default route/);
    assert.deepEqual(records(stage), []);
  });

  test('without fq in the kernel the report says so, and nothing is changed', withoutFq, () => {
    using stage = new Stage();
    stage.shell(veth);
    const before = stage.qdisc('out');
    const [report] = stage.run('adopt');
    assert.equal(report?.support, 'partial');
    assert.match(report.reason, /^out keeps the qdisc noqueue: this kernel has no qdisc fq/);
    assert.equal(stage.qdisc('out'), before);
    assert.deepEqual(records(stage), []);
  });

  test('without the right to change qdiscs the report says so', () => {
    using stage = new Stage();
    stage.shell(veth);
    const words = ['setpriv', '--bounding-set', '-net_admin'];
    const [report] = stage.runWith(words, 'adopt');
    assert.match(
      report?.reason ?? '',
      /^out keeps the qdisc noqueue: qdiscs may not be changed here/,
    );
    assert.deepEqual(records(stage), []);
  });

  for (const qdisc of ['tbf rate 1gbit burst 1mb latency 50ms', 'htb default 1', 'pfifo'])
    test(`${qdisc.split(' ')[0]} of the administrator stays`, () => {
      using stage = new Stage();
      stage.shell(`${veth} && tc qdisc add dev out root handle 1: ${qdisc}`);
      const before = stage.qdisc('out');
      const [report] = stage.run('adopt', 'restore');
      assert.equal(report?.support, 'partial');
      assert.match(report.reason, /^out has the qdisc \w+ of the administrator/);
      assert.equal(stage.qdisc('out'), before);
    });

  test('every way of a route with several counts, and IPv6 as well', () => {
    using stage = new Stage();
    stage.shell(`ip link add out type veth peer name far && ip link set far up && ip link set out up
      ip link add out2 type veth peer name far2 && ip link set far2 up && ip link set out2 up
      ip link add out6 type veth peer name far6 && ip link set far6 up && ip link set out6 up
      ip addr add 192.0.2.2/24 dev out; ip addr add 198.51.100.2/24 dev out2
      ip route add default nexthop via 192.0.2.1 nexthop via 198.51.100.1
      [ ! -e /proc/net/if_inet6 ] || ip -6 route add default dev out6
      ip route add 203.0.113.0/24 dev far; ip route add unreachable default metric 999`);
    const six = existsSync('/proc/net/if_inet6') ? ['out6'] : [];
    const [report] = stage.run('read');
    const found = report?.devices.map(({ device }) => device).toSorted();
    assert.deepEqual(found, ['out', 'out2', ...six]);
  });

  test('a bridge counts itself', () => {
    using stage = new Stage();
    stage.shell(`ip link add port type veth peer name far && ip link set far up && ip link set port up
      ip link add out type bridge && ip link set port master out && ${route}`);
    const [report] = stage.run('read');
    assert.deepEqual(
      report?.devices.map(({ device }) => device),
      ['out'],
    );
  });

  test('a damaged record is reported, and nothing is changed', () => {
    using stage = new Stage();
    stage.shell(`${veth} && install -d -m 700 ${stage.state}/network`);
    stage.shell(`echo '{"boot":"x","devices":[{}]}' > ${stage.state}/network/qdiscs.json`);
    const before = stage.qdisc('out');
    const [adopted, read] = stage.run('adopt', 'read');
    assert.match(adopted?.reason ?? '', /Cannot use the record .*: it is damaged/);
    assert.match(read?.remarks.join() ?? '', /it is damaged/);
    assert.match(stage.restore()[0]?.reason ?? '', /it is damaged/);
    assert.equal(stage.qdisc('out'), before);
  });

  test('fq is set, stays set, and restoring removes exactly it', withFq, () => {
    using stage = new Stage();
    stage.shell(veth);
    const before = stage.qdisc('out');
    const [adopted, reset, gone] = stage.run(
      'adopt',
      'tc qdisc del dev out root',
      'check',
      'ip link del out',
      'check',
    );
    assert.equal(adopted?.support, 'full');
    assert.equal(adopted.reason, 'fq on out');
    assert.equal(reset?.support, 'full');
    assert.match(gone?.reason ?? '', /no device has a default route/);
    assert.deepEqual(records(stage), []);
    stage.shell(veth);
    stage.run('adopt');
    assert.match(stage.qdisc('out'), /^qdisc fq 7b1d: root .*limit 100000p flow_limit 1000p/);
    assert.deepEqual(stage.restore(), []);
    assert.equal(stage.qdisc('out'), before);
    assert.deepEqual(records(stage), []);
  });

  test("an administrator's qdisc that came after ours stays", withFq, () => {
    using stage = new Stage();
    stage.shell(veth);
    stage.run(
      'adopt',
      'tc qdisc replace dev out root handle 1: tbf rate 1gbit burst 1mb latency 50ms',
    );
    assert.deepEqual(stage.restore(), []);
    assert.match(stage.qdisc('out'), /^qdisc tbf 1: root/);
    stage.shell('tc qdisc replace dev out root handle 5: fq');
    assert.equal(stage.run('adopt')[0]?.reason, 'fq on out');
    assert.deepEqual(stage.restore(), []);
    assert.match(stage.qdisc('out'), /^qdisc fq 5: root/);
  });

  test('with many queues mq gets fq at each of them', withFq, (t) => {
    using stage = new Stage();
    try {
      stage.shell(`ip link add out numtxqueues 4 numrxqueues 4 type ifb && ${route}`);
    } catch {
      return t.skip('this kernel has no ifb');
    }
    const before = stage.qdisc('out');
    if (!before.startsWith('qdisc mq 0:')) return t.skip(`the kernel chose ${before}`);
    const [report] = stage.run('adopt');
    assert.equal(report?.reason, 'fq on out (mq, 4 queues)');
    const leaves = stage.qdisc('out').split('\n');
    assert.match(leaves[0] ?? '', /^qdisc mq 7b1d: root/);
    assert.equal(
      leaves.filter((each) => / parent 7b1d:[1-4] .*limit 100000p/.test(each)).length,
      4,
    );
    // Half of the work: mq without its leaves.
    stage.shell('tc qdisc del dev out root && tc qdisc add dev out root handle 7b1d: mq');
    assert.equal(stage.run('adopt')[0]?.reason, 'fq on out (mq, 4 queues)');
    assert.deepEqual(stage.restore(), []);
    assert.equal(stage.qdisc('out'), before);
  });

  test('below a bond the ports count, below a VLAN its device', withFq, (t) => {
    using stage = new Stage();
    try {
      stage.shell(`ip link add bond0 type bond && ip link add port1 type dummy && ip link add port2 type dummy
        ip link set port1 master bond0 && ip link set port2 master bond0 && ip link set bond0 up
        ip link add link bond0 name out type vlan id 7 && ${route}`);
    } catch {
      return t.skip('this kernel has no bonds, dummies or VLANs');
    }
    const [report] = stage.run('adopt');
    assert.equal(report?.reason, 'fq on port1, fq on port2');
    assert.deepEqual(stage.restore(), []);
    assert.doesNotMatch(stage.shell('tc qdisc show'), / fq /);
  });

  test('at a bridge fq delays datagrams before they reach the port', withFq, () => {
    using stage = new Stage();
    stage.shell(`ip link add port type veth peer name far && ip link set far up && ip link set port up
      ip link add out type bridge && ip link set port master out && ${route}
      ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev out`);
    assert.equal(stage.run('adopt')[0]?.reason, 'fq on out');
    stage.shell(sendLate(1));
    assert.match(stage.shell('tc -s qdisc show dev out'), /throttled [1-9]/);
  });

  test('no account fills the queue by sockets that ask for a low rate', withFq, () => {
    using stage = new Stage();
    stage.shell(`${veth} && ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev out`);
    stage.run('adopt');
    assert.match(stage.qdisc('out'), / nopacing /);
    // 100 datagrams of 1000 bytes at 100 kB/s: SO_MAX_PACING_RATE is 47.
    stage.shell(`python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 47, 100000)
for i in range(100): s.sendto(bytes(1000), ("192.0.2.1", 9))'`);
    assert.doesNotMatch(stage.shell('tc -s qdisc show dev out'), /throttled [1-9]/);
  });

  test('no datagram waits longer than two seconds, whatever time its sender wrote', withFq, () => {
    using stage = new Stage();
    stage.shell(`${veth} && ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev out`);
    stage.run('adopt');
    assert.match(stage.qdisc('out'), /horizon 2s horizon_cap/);
    stage.shell(sendLate(9));
    assert.match(stage.shell('tc -s qdisc show dev out'), /horizon_caps 10/);
  });

  test('a killed run leaves nothing that restoring does not find', withFq, () => {
    using stage = new Stage();
    const many = Array.from(
      { length: 40 },
      (_, at) =>
        `ip link add d${at} type veth peer name p${at} && ip link set p${at} up && ip link set d${at} up && ip addr add 10.9.${at}.2/24 dev d${at} && ip route add default via 10.9.${at}.1 metric ${at + 1}`,
    );
    stage.shell(many.join(' && '));
    const before = stage.shell('tc qdisc show');
    for (const [round, step] of ['adopt', 'drop', 'adopt', 'restore', 'adopt', 'drop'].entries())
      stage.runKilled(300 + round * 150, step);
    const [whole] = stage.run('adopt');
    assert.equal(whole?.support, 'full');
    assert.equal(whole.devices.length, 40);
    assert.deepEqual(stage.restore(), []);
    assert.equal(stage.shell('tc qdisc show'), before);
    assert.deepEqual(records(stage), []);
  });
});
