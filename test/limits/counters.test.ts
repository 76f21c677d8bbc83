/**
 * The counter files that limits read: what kernels print → the counters that come of it. A number
 * that is not one gives no counter, so that no rate is made of it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroup1IoFiles, cgroup2IoFiles } from '../../src/limits/io-caps.ts';
import type { Counters } from '../../src/limits/limit.ts';
import { limits } from '../../src/limits/limits.ts';
import { sideOf, versions, type Version } from './wanted-of.ts';

type Read = Readonly<Partial<Counters>>;
interface CounterFileRow {
  /** The text and the counters that must be read from it, by the kernel that prints it. */
  readonly good: Readonly<Record<string, readonly [text: string, counters: Read]>>;
  /** The numbers that are read stand as `N`. None: the file is a list. */
  readonly numbers?: string;
  /** The counters of a file without any known line; none if absent. */
  readonly empty?: Read;
}

const number = (counter: keyof Counters, unitsPerCount = 1): CounterFileRow => ({
  good: {
    'any kernel': ['4096\n', { [counter]: 4096 / unitsPerCount }],
    'a new cgroup': ['0\n', { [counter]: 0 }],
    'a long life': ['9007199254740992\n', { [counter]: 2 ** 53 / unitsPerCount }],
  },
  numbers: 'N\n',
});

const pressureLine = (kind: string, total: string) =>
  `${kind} avg10=0.00 avg60=1.50 avg300=0.12 total=${total}\n`;
const pressure = (counter: keyof Counters): CounterFileRow => ({
  good: {
    'Linux 5.13': [
      pressureLine('some', '12345') + pressureLine('full', '77'),
      { [counter]: 12345 },
    ],
    'Linux 4.20 for cpu': [pressureLine('some', '12345'), { [counter]: 12345 }],
    'a new cgroup': [pressureLine('some', '0') + pressureLine('full', '0'), { [counter]: 0 }],
    'a kernel without the line `some`': [pressureLine('full', '77'), {}],
  },
  numbers: pressureLine('some', 'N') + pressureLine('full', '77'),
});

const pids: Readonly<Record<string, CounterFileRow>> = {
  'pids.current': number('threads'),
  'cgroup.procs': {
    good: { 'any kernel': ['12\n345\n6789\n', { processes: 3 }] },
    empty: { processes: 0 },
  },
  'pids.peak': number('threadsPeak'),
  'pids.events': {
    good: {
      'any kernel': ['max 3\n', { forksRefused: 3 }],
      'a new cgroup': ['max 0\n', { forksRefused: 0 }],
    },
    numbers: 'max N\n',
  },
};

const noIo = { readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
const rows: Readonly<Record<Version, Readonly<Record<string, CounterFileRow>>>> = {
  1: {
    ...pids,
    'cpu.stat': {
      good: {
        'Linux 3.10': [
          'nr_periods 9\nnr_throttled 3\nthrottled_time 7000\n',
          { throttledPeriods: 3, throttledMicroseconds: 7 },
        ],
        'Linux 6.18': [
          'nr_periods 9\nnr_throttled 3\nthrottled_time 7500\nwait_sum 5\nnr_bursts 2\nburst_time 8\n',
          { throttledPeriods: 3, throttledMicroseconds: 7.5 },
        ],
      },
      numbers: 'nr_periods 9\nnr_throttled N\nthrottled_time N\n',
    },
    'cpuacct.usage': number('cpuMicroseconds', 1000),
    'memory.usage_in_bytes': number('memoryBytes'),
    'memory.failcnt': number('memoryHits'),
    'memory.max_usage_in_bytes': number('memoryPeakBytes'),
    'memory.oom_control': {
      good: {
        'Linux 3.10': ['oom_kill_disable 0\nunder_oom 0\n', {}],
        'Linux 4.13': ['oom_kill_disable 0\nunder_oom 1\noom_kill 2\n', { oomKills: 2 }],
      },
      numbers: 'oom_kill_disable 0\nunder_oom 0\noom_kill N\n',
    },
    'memory.stat': {
      good: {
        'Linux 3.10': ['cache 1\nrss 2\ntotal_cache 8192\ntotal_rss 4096\n', { cacheBytes: 8192 }],
        'Linux 6.18': [
          'cache 1\nrss 2\nshmem 3\ntotal_cache 8192\ntotal_rss 4\ntotal_shmem 4096\n',
          { cacheBytes: 4096 },
        ],
        'a moment between two updates': ['total_cache 4096\ntotal_shmem 8192\n', { cacheBytes: 0 }],
      },
      numbers: 'cache 1\nshmem 2\ntotal_cache N\ntotal_shmem N\n',
    },
    'blkio.throttle.io_service_bytes': {
      good: {
        'Linux 3.10': [
          '8:0 Read 10\n8:0 Write 20\n8:0 Sync 25\n8:0 Async 5\n8:0 Total 30\nTotal 30\n',
          { readBytes: 10, writeBytes: 20 },
        ],
        'Linux 6.18': [
          '8:0 Read 1\n8:0 Write 2\n8:0 Sync 3\n8:0 Async 0\n8:0 Discard 9\n8:0 Total 12\n' +
            '259:1 Read 10\n259:1 Write 20\n259:1 Total 30\nTotal 42\n',
          { readBytes: 11, writeBytes: 22 },
        ],
        'a new cgroup': ['Total 0\n', { readBytes: 0, writeBytes: 0 }],
      },
      numbers: '8:0 Read 1\n8:0 Write 2\n259:1 Read N\n259:1 Write N\n',
      empty: { readBytes: 0, writeBytes: 0 },
    },
    'blkio.throttle.io_serviced': {
      good: {
        'Linux 3.10': ['8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n', { reads: 1, writes: 2 }],
        'Linux 6.8 with multipath': [
          '(unknown) Read 1\n(unknown) Write 2\n',
          { reads: 1, writes: 2 },
        ],
        'a new cgroup': ['Total 0\n', { reads: 0, writes: 0 }],
      },
      numbers: '8:0 Read 1\n8:0 Write 2\n259:1 Read N\n259:1 Write N\n',
      empty: { reads: 0, writes: 0 },
    },
  },
  2: {
    ...pids,
    'cpu.stat': {
      good: {
        'Linux 4.15': [
          'usage_usec 23\nuser_usec 20\nsystem_usec 3\nnr_periods 9\nnr_throttled 3\nthrottled_usec 7\n',
          { cpuMicroseconds: 23, throttledPeriods: 3, throttledMicroseconds: 7 },
        ],
        'Linux 6.13': [
          'usage_usec 23\nuser_usec 20\nsystem_usec 3\nnice_usec 1\ncore_sched.force_idle_usec 0\n' +
            'nr_periods 9\nnr_throttled 3\nthrottled_usec 7\nnr_bursts 2\nburst_usec 8\n',
          { cpuMicroseconds: 23, throttledPeriods: 3, throttledMicroseconds: 7 },
        ],
        'a parent that does not enable cpu': [
          'usage_usec 23\nuser_usec 20\nsystem_usec 3\n',
          { cpuMicroseconds: 23 },
        ],
      },
      numbers: 'usage_usec N\nnr_periods 9\nnr_throttled N\nthrottled_usec N\n',
    },
    'cpu.pressure': pressure('cpuPressureMicroseconds'),
    'memory.current': number('memoryBytes'),
    'memory.peak': number('memoryPeakBytes'),
    'memory.pressure': pressure('memoryPressureMicroseconds'),
    'memory.events': {
      good: {
        'Linux 4.12': ['low 0\nhigh 5\nmax 41\noom 1\n', { memoryHits: 41 }],
        'Linux 4.13': [
          'low 0\nhigh 5\nmax 41\noom 1\noom_kill 1\n',
          { memoryHits: 41, oomKills: 1 },
        ],
        'Linux 5.17': [
          'low 0\nhigh 5\nmax 41\noom 3\noom_kill 2\noom_group_kill 1\n',
          { memoryHits: 41, oomKills: 2 },
        ],
      },
      numbers: 'low 0\nhigh 5\nmax N\noom 3\noom_kill N\noom_group_kill 1\n',
    },
    'memory.stat': {
      good: {
        'Linux 4.5': ['anon 4096\nfile 8192\nkernel_stack 1\nsock 0\n', { cacheBytes: 8192 }],
        'Linux 6.18': [
          'anon 4096\nfile 8192\nkernel 9\nshmem 4096\nfile_mapped 1\nactive_file 2\n',
          { cacheBytes: 4096 },
        ],
        'a moment between two updates': ['anon 1\nfile 4096\nshmem 8192\n', { cacheBytes: 0 }],
      },
      numbers: 'anon 1\nfile N\nshmem N\nfile_mapped 3\n',
    },
    'io.stat': {
      good: {
        'Linux 4.5': [
          '254:0 rbytes=4096 wbytes=1 rios=1 wios=2\n8:0 rbytes=4 wbytes=0 rios=1 wios=0\n',
          { readBytes: 4100, writeBytes: 1, reads: 2, writes: 2 },
        ],
        'Linux 5.15, without the end of a line': [
          '7:1 7:0 8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n',
          { readBytes: 1, writeBytes: 2, reads: 3, writes: 4 },
        ],
        'Linux 6.18 with io.cost': [
          '7:0 \n8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7 cost.wait=8\n',
          { readBytes: 1, writeBytes: 2, reads: 3, writes: 4 },
        ],
        'Linux 6.8 with multipath': [
          '(unknown) rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n',
          { readBytes: 1, writeBytes: 2, reads: 3, writes: 4 },
        ],
      },
      numbers: '8:0 rbytes=1 wbytes=1 rios=1 wios=1\n259:1 rbytes=N wbytes=N rios=N wios=N\n',
      empty: noIo,
    },
    'io.pressure': pressure('ioPressureMicroseconds'),
  },
};

/** Why a number is not one. */
const bad: Readonly<Record<string, string>> = {
  missing: '',
  garbage: 'garbage',
  max: 'max',
  negative: '-1',
  'a negative one that is printed unsigned': '18446744073709551615',
  overlong: '9'.repeat(400),
  fractional: '1.5',
};

function countersIn(version: Version, file: string, text: string): Read {
  const counterFile = limits
    .flatMap((limit) => limit[sideOf(version)].counters)
    .find((each) => each.file === file);
  const counters: Partial<Counters> = {};
  counterFile?.parse(text, counters);
  return counters;
}

for (const version of versions) {
  for (const [file, { good, numbers, empty = {} }] of Object.entries(rows[version])) {
    const title = `parse() of ${file} on cgroup v${version}`;
    for (const [kernel, [text, expected]] of Object.entries(good)) {
      const names = Object.keys(expected).join(', ') || 'no counter';
      test(`${title} gives ${names} when the text is from ${kernel}`, () => {
        assert.deepEqual(countersIn(version, file, text), expected);
      });
    }

    for (const [name, text] of [
      ['empty', ''],
      ['garbage', 'garbage'],
    ] as const) {
      const outcome = Object.values(empty).includes(0) ? '0' : 'no counter';
      test(`${title} gives ${outcome} when the text is ${name}`, () => {
        assert.deepEqual(countersIn(version, file, text), empty);
      });
    }

    for (const [name, value] of Object.entries(numbers === undefined ? {} : bad)) {
      test(`${title} gives no counter when its number is ${name}`, () => {
        const text = numbers?.replaceAll('N', value) ?? '';
        assert.deepEqual(countersIn(version, file, text), {});
      });
    }
  }

  test(`limits read no file on cgroup v${version} that the table does not name`, () => {
    const read = limits.flatMap((limit) => limit[sideOf(version)].counters.map(({ file }) => file));
    assert.deepEqual(Object.keys(rows[version]).toSorted(), read.toSorted());
  });
}

test('parse() of cpu.stat leaves a counter as it is when only its own number is garbage', () => {
  const counters: Partial<Counters> = { throttledPeriods: 5 };
  const [file] = limits.flatMap((limit) =>
    limit.cgroup2.counters.filter((each) => each.file === 'cpu.stat'),
  );
  file?.parse('usage_usec 23\nnr_throttled garbage\n', counters);
  assert.deepEqual(counters, { throttledPeriods: 5, cpuMicroseconds: 23 });
});

const ioNumbers = (read: number, write: number, reads: number, writes: number) => ({
  read: [read],
  write: [write],
  reads: [reads],
  writes: [writes],
});

test('cgroup2IoFiles.counts() counts a disk when Linux 5.15 prints it after another one', () => {
  const counts = cgroup2IoFiles.counts(() => '7:0 8:0 rbytes=1 wbytes=2 rios=3 wios=4\n', ['8:0']);
  assert.deepEqual(counts, ioNumbers(1, 2, 3, 4));
});

test('cgroup2IoFiles.counts() counts 0 when a number is garbage', () => {
  const counts = cgroup2IoFiles.counts(
    () => '8:0 rbytes=garbage wbytes=-2 rios=3 wios=max\n',
    ['8:0'],
  );
  assert.deepEqual(counts, ioNumbers(0, 0, 3, 0));
});

test('cgroup1IoFiles.counts() returns nothing when a file is missing', () => {
  const read = (file: string) => (file.endsWith('_serviced') ? undefined : '8:0 Read 1\n');
  assert.equal(cgroup1IoFiles.counts(read, ['8:0']), undefined);
});
