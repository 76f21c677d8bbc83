/**
 * Memory: a hard limit, a soft limit that throttles first, swap, and an amount that the host does not take away.
 *
 * At the hard limit the kernel reclaims the cgroup's page cache, then kills one of its processes.
 * Sources: cgroup-v2.rst "Memory Interface Files"; cgroup-v1/memory.rst.
 *
 * v2 protects the guaranteed amount from reclaim for others as long as unprotected memory is left (`memory.low`). v1
 * has nothing like it: its soft limit only makes the kernel take memory first from cgroups above theirs, and then from
 * all of them.
 *
 * v1 counts memory and swap together (`memory.memsw`), which may never be below the memory limit.
 * The kernel rounds every value down to whole pages.
 */
import { type Bytes, type Quantity, unlimited } from '../../packages/base/quantity.ts';
import { parseCount, setCount } from './count.ts';
import { eachLine } from './flat-file.ts';
import { pressureFile } from './pressure.ts';
import {
  full,
  missingController,
  setting,
  type CounterFile,
  type Counters,
  type FileSetting,
  type KernelSide,
  type KernelSide2,
  type Limit,
  type LimitValues,
  type SupportContext,
} from './limit.ts';
import { weakSupport, type Support } from './support.ts';

const attributes = {
  limit: {
    kind: 'bytes',
    fallback: unlimited,
    unlimited: true,
    min: 4 * 2 ** 20,
    summary:
      'The maximum memory, including page cache. At the limit page cache is reclaimed, then a process is killed.',
  },
  soft: {
    kind: 'bytes',
    fallback: unlimited,
    unlimited: true,
    min: 4 * 2 ** 20,
    summary: 'Above this, processes are throttled and memory is reclaimed.',
  },
  swap: {
    kind: 'bytes',
    fallback: 0 as Bytes,
    unlimited: true,
    min: 0,
    summary: 'The maximum swap space, in addition to memory; default: none if memory is limited.',
  },
  guaranteed: {
    kind: 'bytes',
    fallback: 0 as Bytes,
    unlimited: false,
    min: 0,
    summary:
      'Memory that is not taken away for others as long as they have unguaranteed memory; no more than the limit.',
    isGuarantee: true,
  },
} as const;

const limitOf = (values: LimitValues) => values['memory.limit'] ?? attributes.limit.fallback;
const softOf = (values: LimitValues) => values['memory.soft'] ?? attributes.soft.fallback;
const guaranteedOf = (values: LimitValues) =>
  values['memory.guaranteed'] ?? attributes.guaranteed.fallback;

/** Returns the swap limit. A tenant without a memory limit may swap, too. */
function swapOf(values: LimitValues): Quantity {
  if (values['memory.swap'] !== undefined) return values['memory.swap'];
  return limitOf(values) === unlimited ? unlimited : attributes.swap.fallback;
}

/** Returns the limits with the swap limit that they imply. */
export const withSwap = (values: LimitValues): LimitValues => ({
  ...values,
  'memory.swap': swapOf(values),
});

const wholePages = (bytes: number, pageBytes: number) => bytes - (bytes % pageBytes);

function pages2(value: Quantity, pageBytes: number): string {
  return value === unlimited ? 'max' : String(wholePages(value, pageBytes));
}

/** Returns v1's text for no limit: the largest whole number of pages in a signed long. */
function noLimit1(pageBytes: number): string {
  const page = BigInt(pageBytes);
  return String(((2n ** 63n - 1n) / page) * page);
}

type File1 = 'memory.limit_in_bytes' | 'memory.soft_limit_in_bytes' | 'memory.memsw.limit_in_bytes';

function setting1(file: File1, key: 'limit' | 'soft' | 'swap', value: Quantity, pageBytes: number) {
  const none = noLimit1(pageBytes);
  const text = value === unlimited ? none : String(wholePages(value, pageBytes));
  return setting(`memory.${key}`, 'memory', file, text, none, value === unlimited ? '-1' : text);
}

/**
 * Sets the limit on memory plus swap, which cannot be lowered below the memory limit, so it waits for that one. Without
 * swap it is one page higher: the memory limit is then reached first, and the kernel counts only that
 * (`memory.failcnt`; Linux 6.18 counts nothing at the sum).
 */
function memoryAndSwap1(values: LimitValues, pageBytes: number): FileSetting<File1> {
  const [limit, swap] = [limitOf(values), swapOf(values)];
  const bounded = limit !== unlimited && swap !== unlimited;
  const sum = bounded ? ((limit + Math.max(swap, pageBytes)) as Bytes) : unlimited;
  return {
    ...setting1('memory.memsw.limit_in_bytes', 'swap', sum, pageBytes),
    needs: 'memory.limit',
  };
}

const memoryInUse: CounterFile['parse'] = (text, into) => setCount(text, 'memoryBytes', into);

/**
 * Reads peak memory in use, including page cache. On v1 a write resets it. On v2 a write resets it only for the
 * descriptor that is written to, and only since Linux 6.12.
 * Sources: cgroup-v1/memory.rst "max_usage_in_bytes"; cgroup-v2.rst "memory.peak" (Linux 5.19).
 */
const peakFile = (file: string): CounterFile => ({
  controller: 'memory',
  file,
  peak: 'memoryPeakBytes',
  // Nothing is charged without activity.
  follows: 'cpuMicroseconds',
  parse: (text, into) => setCount(text, 'memoryPeakBytes', into),
});

const hits: CounterFile['parse'] = (text, into) => setCount(text, 'memoryHits', into);

/** Parses `oom_kill 1`, in both: v2 `memory.events`, v1 `memory.oom_control`. `max 41` only in v2. */
const events: CounterFile['parse'] = (text, into) =>
  eachLine(text, (key, value) => {
    if (key === 'oom_kill') setCount(value, 'oomKills', into);
    else if (key === 'max') setCount(value, 'memoryHits', into);
  });

/**
 * Reads the page cache that the kernel can reclaim: files, except files that exist only in memory. The file is a page
 * of text; it changes only when the cgroup's usage does.
 *
 *     file 4096       v1: total_cache
 *     shmem 0         v1: total_shmem
 */
function cacheFile(file: string, shared: string): CounterFile {
  return {
    controller: 'memory',
    file: 'memory.stat',
    follows: 'memoryBytes',
    parse(text, into) {
      const all = parseCount(valueAfter(text, file) ?? '');
      // Linux before 4.12 does not distinguish these.
      const inMemory = parseCount(valueAfter(text, shared) ?? '0');
      if (all !== undefined && inMemory !== undefined)
        into.cacheBytes = Math.max(0, all - inMemory);
    },
  };
}

function valueAfter(text: string, key: string): string | undefined {
  const start = text.startsWith(key) ? 0 : text.indexOf(`\n${key}`) + 1;
  if (start === 0 && !text.startsWith(key)) return undefined;
  const end = text.indexOf('\n', start);
  return text.slice(start + key.length, end === -1 ? text.length : end);
}

/**
 * Whether reclaiming page cache was enough. A tenant that fills its memory with page cache hits its limit all the time,
 * without harm.
 */
const cacheWasEnough = (counters: Counters, limit: number) =>
  counters.memoryBytes - counters.cacheBytes < 0.9 * limit;

function support2(attribute: string, context: SupportContext): Support {
  if (!context.controllers.has('memory')) return missingController('memory');
  if (attribute === 'guaranteed') return protectionSupport(context);
  if (attribute !== 'swap' || context.files.has('memory.swap.max')) return full;
  return noSwapAccounting;
}

/** Sources: cgroup-v2.rst "memory_recursiveprot"; MEMCG_LRU_TAIL in mmzone.h, and multigen_lru.rst. */
function protectionSupport({ isProtectionRecursive, usesMultiGenLru }: SupportContext): Support {
  const weaknesses = [
    ...(usesMultiGenLru ? [spentOnce] : []),
    ...(isProtectionRecursive ? [] : [notPassedOn]),
  ];
  if (weaknesses.length === 0) return full;
  return weakSupport(
    'partial',
    weaknesses.map(({ code }) => ({ code })),
    ...weaknesses.map(({ help }) => help),
  );
}

const spentOnce = {
  code: 'guarantee spent once',
  help: { code: 'run', value: 'echo n > /sys/kernel/mm/lru_gen/enabled' },
} as const;
const notPassedOn = {
  code: 'guarantee not passed on',
  help: {
    code: 'run on Linux 5.7',
    value: 'mount -o remount,memory_recursiveprot /sys/fs/cgroup',
  },
} as const;

function support1(attribute: string, context: SupportContext): Support {
  if (!context.controllers.has('memory')) return missingController('memory');
  if (attribute === 'soft') {
    return weakSupport('partial', [{ code: 'soft if the host is short' }], {
      code: 'v2 always enforces it',
    });
  }
  if (attribute === 'guaranteed') return noProtection1;
  if (attribute !== 'swap' || context.files.has('memory.memsw.limit_in_bytes')) return full;
  return noSwapAccounting;
}

const noProtection1 = weakSupport('none', [{ code: 'no guarantee' }], { code: 'use v2' });

const noSwapAccounting = weakSupport('none', [{ code: 'no swap accounting' }], {
  code: 'swap accounting',
});

const cgroup2: KernelSide2<'memory.low' | 'memory.high' | 'memory.max' | 'memory.swap.max'> = {
  settings(values, { pageBytes, files }) {
    return [
      setting(
        'memory.guaranteed',
        'memory',
        'memory.low',
        pages2(guaranteedOf(values), pageBytes),
        '0',
      ),
      setting('memory.soft', 'memory', 'memory.high', pages2(softOf(values), pageBytes), 'max'),
      setting('memory.limit', 'memory', 'memory.max', pages2(limitOf(values), pageBytes), 'max'),
      setting('memory.swap', 'memory', 'memory.swap.max', pages2(swapOf(values), pageBytes), 'max'),
    ].filter((each) => files.has(each.file));
  },
  since: { 'memory.low': 405, 'memory.high': 405, 'memory.max': 405, 'memory.swap.max': 405 },
  systemd: {
    'memory.low': 'MemoryLow',
    'memory.high': 'MemoryHigh',
    'memory.max': 'MemoryMax',
    'memory.swap.max': 'MemorySwapMax',
  },
  counters: [
    { controller: 'memory', file: 'memory.current', parse: memoryInUse },
    { controller: 'memory', file: 'memory.events', parse: events },
    cacheFile('file ', 'shmem '),
    peakFile('memory.peak'),
    pressureFile('memory', 'memoryPressureMicroseconds'),
  ],
  support: support2,
};

const cgroup1: KernelSide<File1> = {
  settings(values, { pageBytes, files }) {
    return [
      setting1('memory.soft_limit_in_bytes', 'soft', softOf(values), pageBytes),
      setting1('memory.limit_in_bytes', 'limit', limitOf(values), pageBytes),
      memoryAndSwap1(values, pageBytes),
    ].filter((each) => files.has(each.file));
  },
  since: {
    'memory.soft_limit_in_bytes': 0,
    'memory.limit_in_bytes': 0,
    'memory.memsw.limit_in_bytes': 'configured',
  },
  counters: [
    { controller: 'memory', file: 'memory.usage_in_bytes', parse: memoryInUse },
    { controller: 'memory', file: 'memory.failcnt', parse: hits },
    { controller: 'memory', file: 'memory.oom_control', parse: events },
    cacheFile('total_cache ', 'total_shmem '),
    peakFile('memory.max_usage_in_bytes'),
  ],
  support: support1,
};

export const memory: Limit = {
  name: 'memory',
  summary: 'Memory.',
  attributes,
  faults: [
    {
      attribute: 'limit',
      severity: 'throttled',
      counter: 'memoryHits',
      inferred: false,
      unless: cacheWasEnough,
    },
    { attribute: 'limit', severity: 'killed', counter: 'oomKills', inferred: false },
  ],
  cgroup2,
  cgroup1,
};
