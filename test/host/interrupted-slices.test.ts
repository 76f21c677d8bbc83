/** Applies and releases of slices that are killed before any step: the next one finishes their work. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { ok } from '../../packages/base/result.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { SliceFiles } from '../../src/host/systemd/slice-files.ts';
import { withoutSlices } from '../../src/host/systemd/slice-parts.ts';
import { Slices, type SlicesParts } from '../../src/host/systemd/slices.ts';
import { StaleMark } from '../../src/host/systemd/stale-mark.ts';
import { setting } from '../../src/limits/limit.ts';
import type { Observed } from '../../src/plan/observed.ts';
import type { Operation } from '../../src/plan/operations.ts';
import { planChanges } from '../../src/plan/plan.ts';
import { boundsText, sliceFor, sliceOf, sliceText } from '../../src/plan/slice.ts';
import type { Wanted, WantedCgroup } from '../../src/plan/wanted.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const memory = setting('memory.limit', 'memory', 'memory.max', '1073741824', 'max');
const tasks = setting('processes.limit', 'pids', 'pids.max', '5', 'max');
const memoryFree = setting('memory.limit', 'memory', 'memory.max', 'max', 'max');
const kernelFiles: Readonly<Record<string, string>> = {
  MemoryMax: 'memory.max',
  TasksMax: 'pids.max',
};

class Killed extends Error {}

/** A host on which something runs in every user's slice. systemd sets a slice by the files that it has read. */
class SliceHost {
  readonly #directory = suiteDirectory('interrupted-slices');
  readonly #paths = { ...pathsOf('bulkhead'), etc: this.#directory, runtime: this.#directory };
  readonly #system = join(this.#directory, 'systemd', 'system');
  readonly #control = join(this.#directory, 'control');
  readonly #files = new SliceFiles(this.#paths, this.#control);
  #loaded = new Map<string, string>();
  readonly #kernel = new Map<string, ReadonlyMap<string, string>>();
  /** The number of steps until the process is killed. */
  #left = Infinity;

  constructor() {
    mkdirSync(this.#system, { recursive: true });
  }

  /** Runs something in a new process, which is killed after that number of steps; returns whether it was. */
  isKilled(steps: number, run: (slices: Slices) => void): boolean {
    this.#left = steps;
    try {
      run(this.#slices());
      return false;
    } catch (error) {
      if (error instanceof Killed) return true;
      throw error;
    }
  }

  apply(cgroups: readonly WantedCgroup[], steps = Infinity): boolean {
    return this.isKilled(steps, (slices) => {
      for (const operation of this.#plan(cgroups, slices)) execute(operation, slices);
    });
  }

  planned(cgroups: readonly WantedCgroup[]): readonly string[] {
    this.#left = Infinity;
    return this.#plan(cgroups, this.#slices()).map(({ kind }) => kind);
  }

  #plan(cgroups: readonly WantedCgroup[], slices: Slices): readonly Operation[] {
    const wanted: Wanted = { cgroups, quotas: [], quotasLeft: [] };
    const observed: Observed = {
      cgroups: slices.observe(cgroups),
      orphans: slices.orphans(new Set(cgroups.map(({ path }) => path))),
      quotas: new Map(),
      preparations: [],
      stale: slices.isStale,
      unfinished: slices.unfinished(),
    };
    return planChanges(wanted, observed).operations;
  }

  /** The limits of a unit in the kernel. */
  limits(unit: string): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#kernel.get(unit) ?? []);
  }

  #slices(): Slices {
    const stale = new StaleMark(this.#paths);
    const parts = {
      hierarchy: { files: { read: (...args: [string, string]) => this.#read(...args) } },
      files: this.#counted(this.#files),
      stale: this.#counted(stale),
      manager: {
        reload: () => this.#reload(),
        realize: (unit: string) => this.#realize(unit),
      },
    };
    return new Slices(parts as unknown as SlicesParts);
  }

  #step(): void {
    if (this.#left-- <= 0) throw new Killed();
  }

  /** The process can be killed before each change of a file. */
  #counted<T extends object>(object: T): T {
    return new Proxy(object, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        const changes = ['write', 'remove', 'set', 'clear', 'removePokes', 'poke'];
        return (...args: unknown[]) => {
          if (changes.includes(String(name))) this.#step();
          return value.apply(target, args) as unknown;
        };
      },
    });
  }

  #read(cgroup: string, file: string): string | undefined {
    if (file === 'cgroup.events') return 'populated 1\n';
    return `${this.limits(sliceOf(sliceFor(cgroup)))[file] ?? 'max'}\n`;
  }

  #reload() {
    this.#step();
    this.#loaded = new Map();
    for (const directory of [this.#control, this.#system]) {
      for (const name of existsSync(directory) ? readdirSync(directory) : []) {
        const texts = readdirSync(join(directory, name)).map((file) =>
          readFileSync(join(directory, name, file), 'utf8'),
        );
        const unit = name.replace(/\.d$/, '');
        this.#loaded.set(unit, [this.#loaded.get(unit) ?? '', ...texts].join('\n'));
      }
    }
    this.#step();
    return ok(undefined);
  }

  #realize(unit: string) {
    this.#step();
    const lines = [...(this.#loaded.get(unit) ?? '').matchAll(/^(\w+)=(\d+)$/gm)];
    const limits = lines.flatMap(([, name = '', value = '']) => {
      const file = kernelFiles[name];
      return file === undefined ? [] : [[file, value] as const];
    });
    this.#kernel.set(unit, new Map(limits));
    const path = `${this.#control}/${unit}.d/50-TasksMax.conf`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `[Slice]\nTasksMax=${new Map(limits).get('pids.max') ?? 'infinity'}\n`);
    this.#step();
    return ok(undefined);
  }
}

function execute(operation: Operation, slices: Slices): void {
  const done = executed(operation, slices);
  assert.ok(done?.ok, `${operation.kind} was executed`);
}

function executed(operation: Operation, slices: Slices) {
  if (operation.kind === 'unit') return slices.write(operation);
  if (operation.kind === 'remove') return slices.remove(operation.cgroup);
  if (operation.kind === 'reload') return slices.reload();
  return operation.kind === 'realize' ? slices.realize(operation) : undefined;
}

const unitOf = (uid: number, text: string) => ({ unit: `user-${uid}.slice`, path: '', text });

function outside(uid: number, settings: WantedCgroup['settings']): WantedCgroup {
  const unit = unitOf(uid, boundsText(settings));
  return { path: `outside/u${uid}`, kind: 'outside', label: `u${uid}`, settings, unit };
}

function tenant(uid: number, settings: WantedCgroup['settings']): WantedCgroup {
  const unit = unitOf(uid, sliceText(settings));
  return { path: `u${uid}`, kind: 'tenant', label: `u${uid}`, settings, unit };
}

interface Change {
  readonly before: readonly WantedCgroup[];
  readonly after: readonly WantedCgroup[];
  readonly limits: Readonly<Record<string, string>>;
}

const changes: Readonly<Record<string, Change>> = {
  'a limit lifted from the slice outside': {
    before: [outside(1, [memory, tasks])],
    after: [outside(1, [tasks])],
    limits: { 'pids.max': '5' },
  },
  'all limits lifted from the slice outside': {
    before: [outside(1, [memory, tasks])],
    after: [outside(1, [])],
    limits: {},
  },
  'a slice outside that is no longer ours': {
    before: [outside(1, [memory, tasks])],
    after: [],
    limits: {},
  },
  'a tenant that leaves the policy': {
    before: [tenant(1, [memory, tasks])],
    after: [],
    limits: {},
  },
  'a tenant that gets a reseller': {
    before: [tenant(1, [memory, tasks])],
    after: [outside(1, [tasks])],
    limits: { 'pids.max': '5' },
  },
  'a tenant that loses its reseller': {
    before: [outside(1, [memory, tasks])],
    after: [tenant(1, [memoryFree, tasks])],
    limits: { 'pids.max': '5' },
  },
};

/** More steps than any of the changes takes. */
const stepsMax = 100;

/** Does it on new hosts, killed after each number of steps, until it ends before it is killed. */
function killedAnywhere(
  before: Change['before'],
  isKilled: (host: SliceHost, at: number) => boolean,
) {
  for (let steps = 0; ; steps++) {
    assert.ok(steps < stepsMax);
    const host = new SliceHost();
    assert.ok(!host.apply(before));
    assert.notDeepEqual(host.limits('user-1.slice'), {});
    if (!isKilled(host, steps)) return;
  }
}

suite('an apply that is killed anywhere is completed by the next one', () => {
  for (const [name, { before, after, limits }] of Object.entries(changes)) {
    test(name, () => {
      killedAnywhere(before, (host, steps) => {
        const isKilled = host.apply(after, steps);
        assert.ok(!host.apply(after));
        assert.deepEqual(host.limits('user-1.slice'), limits, `killed after ${steps} steps`);
        assert.deepEqual(host.planned(after), [], `killed after ${steps} steps`);
        return isKilled;
      });
    });
  }
});

test('a release that is killed anywhere is completed by the next driver', () => {
  const none = { pending: () => [], make: () => ok(undefined), unmake: () => ok(undefined) };
  killedAnywhere([tenant(1, [memory, tasks])], (host, steps) => {
    const isKilled = host.isKilled(steps, (slices) => assert.ok(slices.release().ok));
    host.isKilled(Infinity, (slices) => {
      const delegation = withoutSlices(none, slices);
      for (const { id } of delegation.pending()) assert.ok(delegation.make(id).ok);
      assert.deepEqual(delegation.pending(), []);
    });
    assert.deepEqual(host.limits('user-1.slice'), {}, `killed after ${steps} steps`);
    return isKilled;
  });
});
