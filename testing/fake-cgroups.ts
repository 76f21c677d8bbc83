/**
 * A cgroup hierarchy in memory that behaves like the kernel: the files of a new cgroup, how written values read back,
 * what is refused. The conformance suite runs on it and on real kernels, so a wrong rule here shows.
 */
import type { CgroupFiles } from '../src/host/cgroups/cgroup-files.ts';
import type { Errno } from '../packages/base/problem.ts';
import { fail, ok, type Result } from '../packages/base/result.ts';
import type { HierarchyController } from '../src/host/cgroups/hierarchies.ts';

const pageBytes = 4096;
const noLimit1 = '9223372036854771712';

interface Cgroup {
  readonly files: Map<string, string>;
  readonly processes: Set<number>;
}

const initialFiles: Readonly<
  Record<1 | 2, Partial<Record<HierarchyController, Record<string, string>>>>
> = {
  1: {
    cpu: {
      'cpu.shares': '1024',
      'cpu.cfs_quota_us': '-1',
      'cpu.cfs_period_us': '100000',
      'cpu.cfs_burst_us': '0',
      'cpu.stat': 'nr_periods 0\nnr_throttled 0\nthrottled_time 0',
    },
    cpuacct: { 'cpuacct.usage': '0' },
    memory: {
      'memory.limit_in_bytes': noLimit1,
      'memory.soft_limit_in_bytes': noLimit1,
      'memory.memsw.limit_in_bytes': noLimit1,
      'memory.usage_in_bytes': '0',
      'memory.use_hierarchy': '1',
    },
    io: {
      'blkio.throttle.read_bps_device': '',
      'blkio.throttle.write_bps_device': '',
      'blkio.throttle.read_iops_device': '',
      'blkio.throttle.write_iops_device': '',
    },
    pids: { 'pids.max': 'max', 'pids.current': '0', 'pids.events': 'max 0' },
  },
  2: {
    cpu: { 'cpu.max': 'max 100000', 'cpu.max.burst': '0', 'cpu.weight': '100' },
    memory: {
      'memory.max': 'max',
      'memory.high': 'max',
      'memory.low': '0',
      'memory.swap.max': 'max',
      'memory.current': '0',
      'memory.reclaim': '',
    },
    io: { 'io.max': '' },
    pids: { 'pids.max': 'max', 'pids.current': '0', 'pids.events': 'max 0' },
  },
};

/** Files whose values a new cgroup takes from its parent. */
const inherited: ReadonlySet<string> = new Set(['memory.use_hierarchy']);

function initialOf(
  version: 1 | 2,
  controllers: readonly HierarchyController[],
): Readonly<Record<string, string>> {
  return Object.assign({}, ...controllers.map((each) => initialFiles[version][each]));
}

export class FakeCgroups implements CgroupFiles {
  readonly #version: 1 | 2;
  readonly #controllers: readonly HierarchyController[];
  /** The files at the top, which has no limits. */
  readonly #topFiles: Readonly<Record<string, string>>;
  readonly #cgroups = new Map<string, Cgroup>();
  /** The number of effects so far; a test reads it or makes one fail. */
  effects = 0;
  /** Returns the error of an effect, for faults. */
  fault: (effect: string) => Errno | undefined = () => undefined;

  constructor(
    version: 1 | 2,
    controllers: readonly HierarchyController[],
    topFiles: Readonly<Record<string, string>>,
  ) {
    this.#version = version;
    this.#controllers = controllers;
    this.#topFiles = { ...initialOf(version, controllers), ...topFiles };
  }

  #effect(name: string): Errno | undefined {
    this.effects++;
    return this.fault(name);
  }

  #parent(cgroup: string): Cgroup | undefined {
    return this.#cgroups.get(cgroup.slice(0, Math.max(0, cgroup.lastIndexOf('/'))));
  }

  /** Returns the cgroup's controllers: on v2 the ones that its parent enables. */
  #controllersFor(cgroup: string): readonly HierarchyController[] {
    if (this.#version === 1 || cgroup === '') return this.#controllers;
    const names = this.#parent(cgroup)?.files.get('cgroup.subtree_control')?.split(' ') ?? [];
    return this.#controllers.filter((each) => names.includes(each));
  }

  makeCgroup(cgroup: string): Result<void, Errno> {
    if (this.#cgroups.has(cgroup)) return fail('EEXIST');
    if (cgroup !== '' && this.#parent(cgroup) === undefined) return fail('ENOENT');
    const fault = this.#effect(`mkdir ${cgroup}`);
    if (fault !== undefined) return fail(fault);
    const own: [string, string][] = this.#version === 2 ? [['cgroup.subtree_control', '']] : [];
    this.#cgroups.set(cgroup, {
      files: new Map([...own, ...this.#filesFor(cgroup)]),
      processes: new Set(),
    });
    return ok(undefined);
  }

  removeCgroup(cgroup: string): Result<void, Errno> {
    const found = this.#cgroups.get(cgroup);
    if (found === undefined) return fail('ENOENT');
    if (found.processes.size > 0 || this.children(cgroup).length > 0) return fail('EBUSY');
    const fault = this.#effect(`rmdir ${cgroup}`);
    if (fault !== undefined) return fail(fault);
    this.#cgroups.delete(cgroup);
    return ok(undefined);
  }

  children(cgroup: string): readonly string[] {
    const prefix = cgroup === '' ? '' : `${cgroup}/`;
    return [...this.#cgroups.keys()]
      .filter(
        (path) =>
          path !== '' && path.startsWith(prefix) && !path.slice(prefix.length).includes('/'),
      )
      .map((path) => path.slice(prefix.length));
  }

  hasChildren(cgroup: string): boolean {
    return this.children(cgroup).length > 0;
  }

  exists(cgroup: string): boolean {
    return this.#cgroups.has(cgroup);
  }

  open(): undefined {
    return undefined;
  }

  openForBoth(): undefined {
    return undefined;
  }

  fileNames(): ReadonlySet<string> | undefined {
    return this.#cgroups.has('') ? this.topFileNames() : undefined;
  }

  topFileNames(): ReadonlySet<string> {
    return new Set(Object.keys(initialOf(this.#version, this.#controllers)));
  }

  readTop(file: string): string | undefined {
    const text = this.#topFiles[file];
    return text === undefined ? undefined : `${text}\n`;
  }

  read(cgroup: string, file: string): string | undefined {
    const found = this.#cgroups.get(cgroup);
    if (found === undefined) return undefined;
    if (file === 'cgroup.procs') return [...found.processes].map((pid) => `${pid}\n`).join('');
    const text = found.files.get(file);
    return text === undefined ? undefined : `${text}\n`;
  }

  write(cgroup: string, file: string, text: string): Result<void, Errno> {
    const found = this.#cgroups.get(cgroup);
    if (found === undefined) return fail('ENOENT');
    if (file === 'cgroup.procs') return this.#place(found, Number(text));
    if (!found.files.has(file)) return fail('ENOENT');
    const fault =
      this.#effect(`write ${cgroup}/${file}`) ?? this.#refusal(cgroup, found, file, text);
    if (fault !== undefined) return fail(fault);
    found.files.set(file, this.#readBack(found.files.get(file) ?? '', file, text));
    if (file === 'cgroup.subtree_control') this.#subtreeControl(cgroup);
    return ok(undefined);
  }

  /**
   * Updates cgroups that already exist: they get the files of a controller that is enabled later, and lose them when it
   * is disabled.
   */
  #subtreeControl(cgroup: string): void {
    const all = Object.keys(initialOf(2, this.#controllers));
    for (const name of this.children(cgroup)) {
      const path = cgroup === '' ? name : `${cgroup}/${name}`;
      const files = this.#cgroups.get(path)?.files;
      const now = new Map(this.#filesFor(path));
      for (const file of all) if (!now.has(file)) files?.delete(file);
      for (const [file, text] of now) if (files?.has(file) === false) files.set(file, text);
    }
  }

  #filesFor(cgroup: string): readonly [string, string][] {
    const parent = cgroup === '' ? undefined : this.#parent(cgroup);
    const initial = Object.entries(initialOf(this.#version, this.#controllersFor(cgroup)));
    return initial.map(([file, text]) =>
      inherited.has(file)
        ? [file, (parent ? parent.files.get(file) : this.#topFiles[file]) ?? text]
        : [file, text],
    );
  }

  #place(cgroup: Cgroup, pid: number): Result<void, Errno> {
    if (this.#version === 2 && isDividing(cgroup)) return fail('EBUSY');
    for (const each of this.#cgroups.values()) each.processes.delete(pid);
    cgroup.processes.add(pid);
    return ok(undefined);
  }

  #refusal(cgroup: string, { files }: Cgroup, file: string, text: string): Errno | undefined {
    const value = (name: string) => Number(files.get(name));
    const written = Number(text === '-1' ? noLimit1 : text);
    switch (file) {
      case 'cpu.cfs_quota_us':
        return this.#quotaRefusal(cgroup, value('cpu.cfs_burst_us'), Number(text));
      case 'cpu.cfs_burst_us':
        return value('cpu.cfs_quota_us') > 0 && written > value('cpu.cfs_quota_us')
          ? 'EINVAL'
          : undefined;
      case 'memory.limit_in_bytes':
        if (written > value('memory.memsw.limit_in_bytes')) return 'EINVAL';
        return value('memory.usage_in_bytes') > written ? 'EBUSY' : undefined;
      case 'memory.memsw.limit_in_bytes':
        return written < value('memory.limit_in_bytes') ? 'EINVAL' : undefined;
      case 'cgroup.subtree_control':
        return this.#controlRefusal(cgroup, text);
      default:
        return undefined;
    }
  }

  #quotaRefusal(cgroup: string, burst: number, quota: number): Errno | undefined {
    if (quota < 0) return undefined;
    const quotaOf = (each: Cgroup | undefined) => Number(each?.files.get('cpu.cfs_quota_us') ?? -1);
    const parent = quotaOf(this.#parent(cgroup));
    const below = this.children(cgroup).map((name) =>
      quotaOf(this.#cgroups.get(`${cgroup}/${name}`)),
    );
    const isBounded = (parent <= 0 || quota <= parent) && below.every((each) => each <= quota);
    return burst > quota || !isBounded ? 'EINVAL' : undefined;
  }

  /**
   * Returns the error if controllers cannot be enabled or disabled. Processes and controllers for children exclude each
   * other, except in the kernel's own root.
   */
  #controlRefusal(cgroup: string, asked: string): Errno | undefined {
    const mine: readonly string[] = this.#controllersFor(cgroup);
    const { on, off } = controlsIn(asked);
    if (![...on, ...off].every((each) => mine.includes(each))) return 'ENOENT';
    if (on.length > 0 && (this.#cgroups.get(cgroup)?.processes.size ?? 0) > 0) return 'EBUSY';
    const below = this.children(cgroup).map((name) => this.#cgroups.get(`${cgroup}/${name}`));
    return off.length > 0 && below.some((each) => isDividing(each)) ? 'EBUSY' : undefined;
  }

  #readBack(before: string, file: string, text: string): string {
    if (file === 'cgroup.subtree_control') {
      const { on, off } = controlsIn(text);
      const names = new Set([...before.split(' '), ...on]);
      const isOn = (each: string) => names.has(each) && !off.includes(each);
      return ['cpu', 'io', 'memory', 'pids'].filter(isOn).join(' ');
    }
    if (file.startsWith('blkio.') || file === 'io.max') return deviceLines(before, text);
    if (file.endsWith('_in_bytes') && text === '-1') return noLimit1;
    if (/^memory\.(.*_in_bytes|max|high|low|swap\.max)$/.test(file) && /^\d+$/.test(text))
      return String(Number(text) - (Number(text) % pageBytes));
    return text;
  }

  /** Puts a process into a cgroup, or a value that only the kernel writes; for tests. */
  put(cgroup: string, file: string, text: string): void {
    const found = this.#cgroups.get(cgroup);
    if (file === 'cgroup.procs') found?.processes.add(Number(text));
    else found?.files.set(file, text);
  }
}

/** Whether it enables controllers for its children. */
const isDividing = (cgroup: Cgroup | undefined) =>
  (cgroup?.files.get('cgroup.subtree_control') ?? '') !== '';

/** Parses `+cpu -io`. */
function controlsIn(text: string) {
  const names = (sign: string) =>
    text.split(' ').flatMap((each) => (each.startsWith(sign) ? [each.slice(1)] : []));
  return { on: names('+'), off: names('-') };
}

/** Updates the lines of devices; a device without any limit has no line. */
function deviceLines(before: string, text: string): string {
  const [device = '', ...rest] = text.split(' ');
  const others = before.split('\n').filter((line) => line !== '' && !line.startsWith(`${device} `));
  const value = rest.join(' ');
  const none = value === '0' || /^(\w+=max ?)+$/.test(value);
  return [...others, ...(none ? [] : [`${device} ${value}`])].join('\n');
}
