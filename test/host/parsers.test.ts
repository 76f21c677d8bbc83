import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePasswd, parseUidRange } from '../../src/host/accounts/accounts.ts';
import { parseMountInfo } from '../../src/sys/files/mounts.ts';
import { cpu } from '../../src/limits/cpu.ts';
import { io } from '../../src/limits/io.ts';
import { memory } from '../../src/limits/memory.ts';
import type { Counters, Limit } from '../../src/limits/limit.ts';

test('parsePasswd() reads accounts and passes over what is none', () => {
  assert.deepEqual(
    parsePasswd(
      'root:x:0:0:root:/root:/bin/bash\n\nbroken\n:x:1:1::/:\na:x:12x:1::/h:\nal:x:7:8::/h:',
    ),
    [
      { user: 'root', uid: 0, gid: 0, home: '/root' },
      { user: 'al', uid: 7, gid: 8, home: '/h' },
    ],
  );
});

test('parseUidRange() reads login.defs, and has the usual value without', () => {
  const text = '# UID_MIN 1\nUID_MIN\t\t  500\n#UID_MAX 5\n UID_MAX 40000\n';
  assert.deepEqual(parseUidRange(text), { first: 500, last: 40_000 });
  assert.deepEqual(parseUidRange(''), { first: 1000, last: 60_000 });
});

test('parseMountInfo() reads mounts, names with spaces among them', () => {
  const [mount] = parseMountInfo(
    String.raw`27 1 254:0 / /mnt/a\040b ro,relatime shared:1 - ext4 /dev/vda rw,usrquota` + '\n',
  );
  assert.deepEqual(mount, {
    id: '27',
    device: '254:0',
    root: '/',
    mountPoint: '/mnt/a b',
    type: 'ext4',
    source: '/dev/vda',
    readOnly: true,
    superOptions: ['rw', 'usrquota'],
  });
  assert.deepEqual(parseMountInfo('garbage\n'), []);
});

const readings: readonly (readonly [
  Limit,
  'cgroup1' | 'cgroup2',
  string,
  string,
  Partial<Counters>,
])[] = [
  [
    cpu,
    'cgroup2',
    'cpu.stat',
    'usage_usec 23\nnr_throttled 3\nthrottled_usec 7\n',
    { cpuMicroseconds: 23, throttledPeriods: 3, throttledMicroseconds: 7 },
  ],
  [
    cpu,
    'cgroup1',
    'cpu.stat',
    'nr_periods 9\nnr_throttled 3\nthrottled_time 7000\n',
    { throttledPeriods: 3, throttledMicroseconds: 7 },
  ],
  [cpu, 'cgroup1', 'cpuacct.usage', '5000\n', { cpuMicroseconds: 5 }],
  [
    memory,
    'cgroup2',
    'memory.events',
    'low 0\nmax 41\noom 1\noom_kill 1\n',
    { memoryHits: 41, oomKills: 1 },
  ],
  [
    memory,
    'cgroup1',
    'memory.oom_control',
    'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
    { oomKills: 2 },
  ],
  [
    io,
    'cgroup2',
    'io.stat',
    '254:0 rbytes=4096 wbytes=1 rios=1 wios=2\n8:0 rbytes=4 wbytes=0 rios=1 wios=0\n',
    { readBytes: 4100, writeBytes: 1, reads: 2, writes: 2 },
  ],
  [io, 'cgroup2', 'io.stat', '', { readBytes: 0, writeBytes: 0, reads: 0, writes: 0 }],
  [
    io,
    'cgroup1',
    'blkio.throttle.io_service_bytes',
    '254:0 Read 10\n254:0 Write 20\n254:0 Total 30\nTotal 30\n',
    { readBytes: 10, writeBytes: 20 },
  ],
];
for (const [limit, side, file, text, expected] of readings) {
  test(`${side} ${file} is read: ${JSON.stringify(text.slice(0, 30))}`, () => {
    const into: Partial<Counters> = {};
    limit[side].counters.find((each) => each.file === file)?.parse(text, into);
    assert.deepEqual(into, expected);
  });
}
