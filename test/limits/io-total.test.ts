/** How a total of reads and writes reaches the kernel's files, and what of them is right. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { IoShifter } from '../../src/agent/sampling/io-shifter.ts';
import { planPolicy } from '../../src/apply/apply.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { io } from '../../src/limits/io.ts';
import { cgroup1IoFiles, cgroup2IoFiles, restingIo } from '../../src/limits/io-caps.ts';
import { noCounters } from '../../src/limits/limits.ts';
import type { LimitValues, SettingContext } from '../../src/limits/limit.ts';
import { formatPlan } from '../../src/plan/format.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { applyPolicy } from '../../src/apply/apply.ts';
import { fakeHost } from '../../testing/fake-host.ts';
import type { Quantity } from '../../packages/base/quantity.ts';

const values = (some: Readonly<Record<string, number>>): LimitValues =>
  Object.fromEntries(
    Object.entries(some).map(([name, value]) => [`io.${name}`, value as Quantity]),
  );
const context = (some: Partial<SettingContext> = {}): SettingContext => ({
  pageBytes: 4096,
  devices: ['8:0'],
  files: new Set(['io.max']),
  ...some,
});
const linesOf = (version: 1 | 2, limits: LimitValues, some?: Partial<SettingContext>) =>
  io[version === 2 ? 'cgroup2' : 'cgroup1']
    .settings(limits, context(some))
    .map(({ file, write }) => `${file.replace('blkio.throttle.', '')} ${write}`);

suite('io total and io operations', () => {
  test('io.settings() divides a total equally among the directions of all disks', () => {
    assert.deepEqual(linesOf(2, values({ total: 8000, operations: 100 })), [
      'io.max 8:0 rbps=4000 wbps=4000 riops=50 wiops=50',
    ]);
    assert.deepEqual(linesOf(2, values({ total: 8000 }), { devices: ['8:0', '8:16'] }), [
      'io.max 8:0 rbps=2000 wbps=2000 riops=max wiops=max',
      'io.max 8:16 rbps=2000 wbps=2000 riops=max wiops=max',
    ]);
    assert.deepEqual(linesOf(1, values({ total: 8000, writes: 7 })), [
      'read_bps_device 8:0 4000',
      'write_bps_device 8:0 4000',
      'read_iops_device 8:0 0',
      'write_iops_device 8:0 7',
    ]);
  });

  test('io.settings() combines a total with the limits of each direction', () => {
    const [line] = linesOf(2, values({ total: 8000, read: 1000 }));
    assert.equal(line, 'io.max 8:0 rbps=1000 wbps=7000 riops=max wiops=max');
    const [lower] = linesOf(2, values({ total: 8000, read: 1000, write: 2000 }));
    assert.equal(lower, 'io.max 8:0 rbps=1000 wbps=2000 riops=max wiops=max');
  });

  test('io.settings() leaves each direction one operation when the total is one', () => {
    assert.deepEqual(linesOf(2, values({ operations: 1 })), [
      'io.max 8:0 rbps=max wbps=max riops=1 wiops=1',
    ]);
  });

  test('accepts() allows shifted caps within the total only while an agent shifts them', () => {
    const limits = values({ total: 8000, reads: 5 });
    const accepts = (shifted: boolean, line: string) => {
      const [setting] = io.cgroup2.settings(limits, context({ shifted }));
      return setting?.accepts?.(() => `8:0 ${line}\n`) ?? false;
    };
    assert.ok(accepts(true, 'rbps=8000 wbps=1000 riops=5 wiops=max'));
    assert.ok(!accepts(false, 'rbps=8000 wbps=1000 riops=5 wiops=max'));
    assert.ok(!accepts(true, 'rbps=8000 wbps=8000 riops=5 wiops=max'));
    assert.ok(!accepts(true, 'rbps=8000 wbps=10 riops=5 wiops=max'));
    assert.ok(!accepts(true, 'rbps=2000 wbps=2000 riops=5 wiops=max'));
    assert.ok(!accepts(true, 'rbps=4000 wbps=4000 riops=6 wiops=max'));
    assert.ok(!accepts(true, 'rbps=8000 wbps=max riops=5 wiops=max'));
  });

  test('resolvePolicy() warns when a direction has a higher limit than the total', () => {
    const text = (inside: string) =>
      `<bulkhead version="1"><tenant uid="5001"><io ${inside}/></tenant></bulkhead>`;
    const said = (inside: string) => {
      const { document, diagnostics } = parsePolicy('policy.xml', text(inside));
      assert.ok(document !== undefined);
      resolvePolicy(document, { accounts: [], uidMin: 1000 });
      return diagnostics.list.map(({ message }) => message);
    };
    assert.deepEqual(said('total="8MiB/s" read="9MiB/s" write="2MiB/s" reads="5/s"'), [
      'The io read 9MiB/s is never reached: io total allows 8MiB/s for reads and writes together',
    ]);
    assert.deepEqual(
      said('total="8MiB/s" read="unlimited" operations="unlimited" reads="7/s"'),
      [],
    );
  });

  test('caps() and counts() read what the kernel prints on cgroup v1 and v2', () => {
    const devices = ['8:0', '9:1'];
    const files2: Readonly<Record<string, string>> = {
      'io.max': '9:1 rbps=5 wbps=max riops=7 wiops=max\n',
      'io.stat':
        '7:0 \n8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=9 dios=9\n1:1 rbytes=5 wbytes=5 rios=5 wios=5\n',
    };
    const files1: Readonly<Record<string, string>> = {
      'blkio.throttle.read_bps_device': '9:1 5\n',
      'blkio.throttle.write_bps_device': '',
      'blkio.throttle.read_iops_device': '9:1 7\n',
      'blkio.throttle.write_iops_device': '',
      'blkio.throttle.io_service_bytes': '8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n',
      'blkio.throttle.io_serviced': '8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n',
    };
    const none = Infinity;
    for (const [files, texts] of [
      [cgroup2IoFiles, files2],
      [cgroup1IoFiles, files1],
    ] as const) {
      assert.deepEqual(
        files.caps((file) => texts[file], devices),
        { read: [none, 5], write: [none, none], reads: [none, 7], writes: [none, none] },
      );
      assert.deepEqual(
        files.counts((file) => texts[file], devices),
        { read: [10, 0], write: [20, 0], reads: [1, 0], writes: [2, 0] },
      );
      assert.equal(
        files.caps(() => undefined, devices),
        undefined,
      );
    }
    assert.deepEqual(restingIo({}, 1).read, [none]);
  });
});

for (const version of [1, 2] as const) {
  suite(`IoShifter on cgroup v${version}`, () => {
    const host = fakeHost(version);
    const facts = { accounts: [], uidMin: 1000 };
    const text =
      '<bulkhead version="1"><tenant uid="5001"><io total="8000B/s"/></tenant></bulkhead>';
    const { document } = parsePolicy('policy.xml', text);
    assert.ok(document !== undefined);
    const policy = resolvePolicy(document, facts);
    const probed = host.probe();
    assert.ok(probed.ok);
    const driver = probed.value;
    const cgroups = host.cgroups.find((each) =>
      each.topFileNames().has(version === 2 ? 'io.max' : 'blkio.throttle.read_bps_device'),
    );
    const counts = { read: 0, write: 0 };
    const tell = () => {
      if (version === 2) {
        cgroups?.put(
          'u5001',
          'io.stat',
          `254:0 rbytes=${counts.read} wbytes=${counts.write} rios=1 wios=1`,
        );
        return;
      }
      const bytes = `254:0 Read ${counts.read}\n254:0 Write ${counts.write}`;
      cgroups?.put('u5001', 'blkio.throttle.io_service_bytes', bytes);
      cgroups?.put('u5001', 'blkio.throttle.io_serviced', '');
    };
    const capsNow = () => {
      const files = version === 2 ? cgroup2IoFiles : cgroup1IoFiles;
      const caps = files.caps((file) => cgroups?.read('u5001', file), ['254:0']);
      return [caps?.read[0], caps?.write[0]];
    };
    let at = 0;
    let before = { ...noCounters };
    const shifter = new IoShifter(driver.tree, ['254:0']);
    const tick = (read: number, write: number) => {
      counts.read += read;
      counts.write += write;
      tell();
      at += 1000;
      const now = { ...noCounters, readBytes: counts.read, writeBytes: counts.write };
      shifter.shift([{ member: 'u5001', before, now }], at, 1);
      before = now;
    };

    test('shift() moves a total towards the direction in use, and back', () => {
      const applied = applyPolicy(policy, host, { kill: false, force: false });
      assert.ok(applied.ok && applied.value.failures.length === 0);
      const first = applied.value.operations.map((each) => each.kind === 'write' && each.note);
      assert.ok(first.includes('its share of total 8kB/s'));
      shifter.follow(new MemberIndex(policy));
      tick(0, 0);
      assert.deepEqual(capsNow(), [4000, 4000]);
      tick(4000, 0);
      assert.deepEqual(capsNow(), [8000, 1000]);
      tick(8000, 1000);
      const [read = 0, write = 0] = capsNow();
      assert.ok(read + write <= 8000 && write >= 3000, `${read} ${write}`);
      tick(0, 0);
      assert.deepEqual(capsNow(), [4000, 4000]);
      assert.equal(formatPlan(planPolicy(policy, driver)).includes('Nothing to change'), true);
    });

    test('shift() writes nothing while both directions use the same', () => {
      const { writes } = shifter;
      for (let times = 0; times < 5; times++) tick(4000, 4000);
      for (let times = 0; times < 5; times++) tick(0, 0);
      for (let times = 0; times < 5; times++) tick(100, 100);
      assert.equal(shifter.writes, writes);
    });

    test('shift() corrects foreign caps, and disposal leaves equal caps', () => {
      tick(4000, 0);
      assert.deepEqual(capsNow(), [8000, 1000]);
      const [file, line] =
        version === 2
          ? (['io.max', '254:0 rbps=8000 wbps=8000 riops=max wiops=max'] as const)
          : (['blkio.throttle.write_bps_device', '254:0 8000'] as const);
      cgroups?.write('u5001', file, line);
      tick(8000, 0);
      assert.deepEqual(capsNow(), [4000, 4000]);
      tick(4000, 0);
      assert.deepEqual(capsNow(), [8000, 1000]);
      shifter[Symbol.dispose]();
      assert.deepEqual(capsNow(), [4000, 4000]);
    });
  });
}
