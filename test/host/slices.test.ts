/** The files of slices on a real file system, and what a driver reads of slices that tenants can fill. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { failed, formatProblem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import type { CgroupFiles } from '../../src/host/cgroups/cgroup-files.ts';
import { whomFor } from '../../src/host/cgroups/systemd-delegation.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { objectPath } from '../../src/host/systemd/manager.ts';
import { pokedProperty, SliceFiles } from '../../src/host/systemd/slice-files.ts';
import { Slices, type SlicesParts } from '../../src/host/systemd/slices.ts';
import { StaleMark } from '../../src/host/systemd/stale-mark.ts';
import { SystemdDriver, type SystemdDriverParts } from '../../src/host/systemd/systemd-driver.ts';
import { limits } from '../../src/limits/limits.ts';
import { boundsText, cgroupInSlice, sliceText, type Slice } from '../../src/plan/slice.ts';
import type { WriteFile } from '../../src/plan/operations.ts';
import { slicesCgroup } from '../../src/plan/wanted.ts';
import { isGuarantee } from '../../src/policy/guarantees/guarantees.ts';
import { mustEnd } from '../../testing/patience.ts';
import { contextOf } from '../limits/wanted-of.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const text = sliceText([]);
const contextSettings = limits.flatMap(({ cgroup2 }) => cgroup2.settings({}, contextOf(2)));

function scratch() {
  const directory = suiteDirectory('slices');
  const system = join(directory, 'systemd', 'system');
  mkdirSync(system, { recursive: true });
  const paths = { ...pathsOf('bulkhead'), etc: directory, runtime: directory };
  const control = join(directory, 'control');
  return { directory, system, control, paths, files: new SliceFiles(paths, control) };
}

test("whomFor() reads from the unit whether its cgroups are tenants' or resellers'", () => {
  const unit = (whom: string) => `[Unit]\nDescription=Cgroups of Bulkhead's ${whom} (bulkhead)\n`;
  assert.equal(whomFor(unit('tenants'), 'bulkhead'), 'tenants');
  assert.equal(whomFor(unit('resellers'), 'bulkhead'), 'resellers');
  // A file without text is one that a loss of power left.
  for (const other of ['', unit('resellers').replace('(bulkhead)', '(other)')])
    assert.equal(whomFor(other, 'bulkhead'), 'tenants');
});

suite('SliceFiles', () => {
  const ann = { uid: 1001 };
  const bob = { uid: 1002 };
  const shop = { uid: 1001, site: 'my-shop.example' };

  test('write(), slices() and remove() handle the files and their directories', () => {
    const { system, files } = scratch();
    assert.deepEqual(files.slices(), []);
    for (const owner of [shop, bob, ann]) assert.ok(files.write(owner, text, true).ok);
    assert.deepEqual(files.slices(), [ann, shop, bob]);
    assert.equal(files.read(ann), text);
    assert.equal(files.path(ann), `${system}/user-1001.slice.d/90-bulkhead.conf`);
    assert.equal(
      files.path(shop),
      String.raw`${system}/user-1001-my\x2dshop.example.slice.d/90-bulkhead.conf`,
    );
    assert.deepEqual(readdirSync(`${system}/user-1001.slice.d`), ['90-bulkhead.conf']);
    for (const owner of [ann, bob, shop, { uid: 1003 }]) assert.ok(files.remove(owner).ok);
    assert.deepEqual(readdirSync(system), []);
  });

  test('write() and slices() include user.slice, with a poked property of its own', () => {
    const { system, files } = scratch();
    for (const slice of [ann, slicesCgroup] as const) {
      assert.ok(files.write(slice, text, true).ok);
    }
    assert.deepEqual(files.slices(), [slicesCgroup, ann]);
    assert.equal(files.path(slicesCgroup), `${system}/user.slice.d/90-bulkhead.conf`);
    // The property is in our file of the slice, so systemd's file has no effect next to it.
    for (const slice of [ann, slicesCgroup] as const) {
      const settings = contextSettings.filter(
        ({ attribute }) => slice === ann || isGuarantee(attribute),
      );
      const written = slice === ann ? sliceText(settings) : boundsText(settings);
      assert.match(written, new RegExp(`^${pokedProperty(slice)}=`, 'm'));
    }
    assert.ok(files.remove(slicesCgroup).ok);
    assert.deepEqual(readdirSync(system), ['user-1001.slice.d']);
  });

  test('a tenant and the slice outside it have files of different names', () => {
    const { system, files } = scratch();
    const outside = { outside: 1001 };
    assert.ok(files.write(outside, text, true).ok);
    assert.deepEqual(readdirSync(`${system}/user-1001.slice.d`), ['91-bulkhead.conf']);
    assert.deepEqual(files.slices(), [outside]);
    assert.ok(files.write(ann, text, true).ok);
    assert.deepEqual(files.slices(), [outside, ann]);
    assert.deepEqual(files.slices(new Set(['u1001'])), [outside]);
    assert.ok(files.remove(outside).ok);
    assert.deepEqual(files.slices(), [ann]);
  });

  test("slices() and remove() skip others' files, and directories that have some", () => {
    const { system, files } = scratch();
    mkdirSync(`${system}/user-1001.slice.d`);
    writeFileSync(`${system}/user-1001.slice.d/10-own.conf`, '[Slice]\n');
    mkdirSync(`${system}/user-1002.slice.d`);
    writeFileSync(`${system}/user-1002.slice.d/90-bulkhead.conf`, '[Slice]\nTasksMax=1\n');
    for (const other of ['user-.slice.d', 'user-1001-a-b.slice.d', 'user-1001-.slice.d']) {
      mkdirSync(`${system}/${other}`);
      writeFileSync(`${system}/${other}/90-bulkhead.conf`, text);
    }
    assert.deepEqual(files.slices(), []);
    // Files of a killed apply are ours.
    mkdirSync(`${system}/user-1003.slice.d`);
    writeFileSync(`${system}/user-1003.slice.d/90-bulkhead.conf`, '');
    assert.deepEqual(files.slices(), [{ uid: 1003 }]);
    assert.ok(files.remove({ uid: 1003 }).ok);
    assert.ok(!existsSync(`${system}/user-1003.slice.d`));
    assert.ok(files.write(ann, text, true).ok);
    assert.deepEqual(files.slices(), [ann]);
    assert.deepEqual(files.slices(new Set(['u1001'])), []);
    assert.ok(files.remove(ann).ok);
    assert.deepEqual(readdirSync(`${system}/user-1001.slice.d`), ['10-own.conf']);
  });

  test("removePokes() removes what poke() has left, and keeps an administrator's property", () => {
    const { control, files } = scratch();
    const directory = `${control}/user-1001.slice.d`;
    const path = `${directory}/50-TasksMax.conf`;
    const systemdWrites = (text: string) => () => {
      mkdirSync(directory, { recursive: true });
      writeFileSync(path, text);
      utimesSync(path, 1000, 1000);
      return ok(undefined);
    };
    for (const slice of [ann, { outside: 1001 }]) {
      assert.ok(files.poke(slice, systemdWrites('[Slice]\nTasksMax=40\n')).ok);
      assert.match(readFileSync(path, 'utf8'), /^#.*bulkhead.*\n\[Slice\]\nTasksMax=40\n$/);
      // systemd would report a later change as one that it has not read.
      assert.equal(statSync(path).mtimeMs, 1_000_000);
      assert.ok(files.poke(slice, systemdWrites('[Slice]\nTasksMax=41\n')).ok);
      assert.ok(files.removePokes([slice]).ok);
      assert.ok(!existsSync(directory));
      systemdWrites('[Slice]\nTasksMax=7\n')();
      assert.ok(files.poke(slice, systemdWrites('[Slice]\nTasksMax=40\n')).ok);
      assert.ok(files.removePokes([slice]).ok);
      assert.equal(readFileSync(path, 'utf8'), '[Slice]\nTasksMax=7\n');
      rmSync(directory, { recursive: true });
      // One that is set after ours replaces it.
      assert.ok(files.poke(slice, systemdWrites('[Slice]\nTasksMax=40\n')).ok);
      systemdWrites('[Slice]\nTasksMax=8\n')();
      assert.ok(files.removePokes([slice]).ok);
      assert.equal(readFileSync(path, 'utf8'), '[Slice]\nTasksMax=8\n');
      rmSync(directory, { recursive: true });
    }
    const refused = failed({ action: 'set', object: 'x', reason: 'y' });
    assert.equal(
      files.poke(ann, () => refused),
      refused,
    );
  });

  test('a process that is killed after it has set a slice loses no property', () => {
    const { control, files, paths } = scratch();
    const directory = `${control}/user-1001.slice.d`;
    const path = `${directory}/50-TasksMax.conf`;
    const killed = () => {
      mkdirSync(directory, { recursive: true });
      writeFileSync(path, '[Slice]\nTasksMax=40\n');
      throw new Error('killed');
    };
    const next = () => new SliceFiles(paths, control);
    for (const slice of [ann, { outside: 1001 }]) {
      assert.throws(() => files.poke(slice, killed));
      assert.ok(next().removePokes([slice]).ok);
      assert.ok(!existsSync(directory));
      mkdirSync(directory, { recursive: true });
      writeFileSync(path, '[Slice]\nTasksMax=7\n');
      assert.throws(() => files.poke(slice, killed));
      assert.ok(next().removePokes([slice]).ok);
      assert.equal(readFileSync(path, 'utf8'), '[Slice]\nTasksMax=7\n');
      // An administrator's later change is not the one that was interrupted.
      writeFileSync(path, '[Slice]\nTasksMax=8\n');
      assert.ok(next().removePokes([slice]).ok);
      assert.equal(readFileSync(path, 'utf8'), '[Slice]\nTasksMax=8\n');
      rmSync(directory, { recursive: true });
    }
  });

  test('write() refuses a directory that is a symbolic link', () => {
    const { directory, system, files } = scratch();
    mkdirSync(join(directory, 'elsewhere'));
    symlinkSync(join(directory, 'elsewhere'), `${system}/user-1001.slice.d`);
    const written = files.write({ uid: 1001 }, text, true);
    assert.ok(!written.ok);
    assert.match(
      formatProblem(written.error),
      /it is a symbolic link or not a directory; remove it$/,
    );
    assert.deepEqual(readdirSync(join(directory, 'elsewhere')), []);
  });
});

test('StaleMark persists until clear(), with the slices that it names and that are not left', () => {
  const { paths } = scratch();
  const mark = new StaleMark(paths);
  assert.equal(mark.isSet, false);
  assert.ok(mark.set().ok);
  assert.equal(new StaleMark(paths).isSet, true);
  assert.deepEqual(mark.slices(), []);
  const [ann, bob, shop] = [{ uid: 1001 }, { uid: 1002 }, { uid: 1001, site: 'my-shop.example' }];
  const outside = { outside: 1001 };
  for (const slice of [ann, bob, slicesCgroup, ann, undefined, shop, outside] as const)
    assert.ok(mark.set(slice).ok);
  assert.deepEqual(new StaleMark(paths).slices(), [ann, bob, slicesCgroup, shop, outside]);
  assert.ok(mark.clear((slice) => slice !== slicesCgroup).ok);
  assert.deepEqual(new StaleMark(paths).slices(), [slicesCgroup]);
  for (const each of [mark, mark]) assert.ok(each.clear(() => true).ok);
  assert.equal(existsSync(join(paths.runtime, 'reload')), false);
});

test('StaleMark knows the lines of earlier versions', () => {
  const { paths } = scratch();
  writeFileSync(join(paths.runtime, 'reload'), '1001\n1002/s-x.example\nslices\n1003/\nx1004\n');
  assert.deepEqual(new StaleMark(paths).slices(), [
    { uid: 1001 },
    { uid: 1002, site: 's-x.example' },
    slicesCgroup,
  ]);
});

test('release() keeps disk limits of user.slice, which others have set', () => {
  const done = { ok: true, value: undefined } as const;
  const written: string[] = [];
  const realized: string[] = [];
  const marked = new Set<Slice>();
  const parts = {
    hierarchy: {
      files: {
        read: (_cgroup: string, file: string) =>
          file === 'io.max' ? '8:0 rbps=1048576 wbps=max riops=max wiops=max\n' : 'populated 1\n',
        write: (cgroup: string, file: string, value: string) => {
          written.push(`${cgroup}/${file} ${value}`);
          return done;
        },
      },
    },
    files: {
      slices: () => [slicesCgroup, { uid: 1001 }],
      remove: () => done,
      removePokes: () => done,
      poke: (_slice: Slice, realize: () => unknown) => realize(),
      sync: () => done,
    },
    stale: {
      isSet: false,
      set: (slice: Slice) => (marked.add(slice), done),
      slices: () => [...marked],
      clear: () => done,
    },
    manager: {
      reload: () => done,
      realize: (unit: string, property: string) => {
        realized.push(`${unit} ${property}`);
        return done;
      },
    },
  };
  assert.deepEqual(new Slices(parts as unknown as SlicesParts).release(), done);
  assert.deepEqual(realized, ['user.slice MemoryLow', 'user-1001.slice TasksMax']);
  assert.deepEqual(written, ['u1001/io.max 8:0 rbps=max wbps=max riops=max wiops=max']);
});

test('realize() leaves a mark for the slice outside, whose file may lack what systemd sets', () => {
  const steps: string[] = [];
  const parts = {
    hierarchy: { files: { read: () => 'populated 1\n' } },
    files: { poke: (_slice: Slice, realize: () => unknown) => realize() },
    stale: { set: () => (steps.push('marked'), ok(undefined)) },
    manager: { realize: (unit: string) => (steps.push(unit), ok(undefined)) },
  };
  const slices = new Slices(parts as unknown as SlicesParts);
  const unit = 'user-1001.slice';
  const write = { file: 'cgroup.events', to: 'populated 1' } as WriteFile;
  for (const cgroup of ['u1001', 'outside/u1001'])
    assert.ok(slices.realize({ kind: 'realize', cgroup, label: '', unit, writes: [write] }).ok);
  assert.deepEqual(steps, [unit, 'marked', unit]);
});

test('realize() lifts no disk limit that nothing would set again', () => {
  const written: string[] = [];
  const full = failed({ action: 'write', object: '/run/bulkhead/reload', reason: 'it is full' });
  const parts = {
    hierarchy: {
      files: {
        read: () => '8:0 rbps=4096 wbps=max riops=max wiops=max\n',
        write: (_cgroup: string, _file: string, text: string) => written.push(text),
      },
    },
    stale: { set: () => full },
  };
  const slices = new Slices(parts as unknown as SlicesParts);
  const unit = 'user-1001.slice';
  const cgroup = 'outside/u1001';
  assert.equal(slices.realize({ kind: 'realize', cgroup, label: '', unit, writes: [] }), full);
  assert.deepEqual(written, []);
});

test('objectPath() escapes characters that D-Bus object paths do not allow', () => {
  assert.equal(objectPath('user-1001.slice'), '/org/freedesktop/systemd1/unit/user_2d1001_2eslice');
});

suite('SystemdDriver.execute() of a file with a memory limit below what is in use', () => {
  const write = { attribute: 'memory.limit', direction: 'lower', file: 'memory.max' } as const;
  const run = (from: string | undefined) => {
    const { system, files, paths } = scratch();
    const stale = new StaleMark(paths);
    const reader = { memoryInUse: () => 2 ** 30 };
    const hierarchy = { files: { read: () => 'max', write: () => ok(undefined) } };
    const slices = new Slices({ files, stale, hierarchy } as unknown as SlicesParts);
    const parts = { capabilities: {}, paths, hierarchy, reader, slices };
    const driver = new SystemdDriver(parts as unknown as SystemdDriverParts);
    const cgroup = 'outside/u1001';
    const [unit, path] = ['user-1001.slice', files.path({ outside: 1001 })];
    const writes = [
      { ...write, cgroup, to: '4096', text: '4096' } as Partial<WriteFile> as WriteFile,
    ];
    if (from !== undefined) assert.ok(files.write({ outside: 1001 }, from, true).ok);
    const label = 'tenant ann';
    const gentle = { kill: false, force: false };
    const file = { kind: 'unit', cgroup, label, unit, path, text, from, writes } as const;
    const done = driver.execute(file, gentle);
    const set = driver.execute({ kind: 'realize', cgroup, label, unit, writes }, gentle);
    assert.ok(!set.ok);
    assert.match(formatProblem(set.error), /in use and cannot be reclaimed/);
    return {
      isDone: done.ok,
      written: readdirSync(system).length > 0 && files.read({ outside: 1001 }),
    };
  };

  test('writes the first limits, so that a tenant cannot keep its slice without any', () => {
    for (const from of [undefined, ''])
      assert.deepEqual(run(from), { isDone: true, written: text });
  });

  test('keeps a file that has limits', () => {
    const from = `${text}MemoryMax=8192\n`;
    assert.deepEqual(run(from), { isDone: false, written: from });
  });
});

suite('SystemdDriver.processes() of a slice', () => {
  const driverWith = (children: (cgroup: string) => readonly string[]) => {
    const files: Partial<CgroupFiles> = { children, read: (cgroup) => `${pidOf(cgroup)}\n` };
    const parts = { hierarchy: { files }, paths: pathsOf('bulkhead'), capabilities: {} };
    return new SystemdDriver(parts as unknown as SystemdDriverParts);
  };
  const pids = new Map<string, number>();
  const pidOf = (cgroup: string) => {
    if (!pids.has(cgroup)) pids.set(cgroup, pids.size + 1);
    return pids.get(cgroup);
  };

  test('returns the processes of all cgroups in it, once each', () => {
    const driver = driverWith((cgroup) =>
      cgroup === 'u1001' ? ['session-1.scope', 'user@1001.service'] : [],
    );
    assert.equal(driver.processes('u1001').length, 3);
  });

  test('includes the processes of a unit with the name of a site', () => {
    const seen = new Set<string | undefined>();
    const driver = driverWith((cgroup) => {
      seen.add(cgroupInSlice(cgroup));
      return cgroup === 'u1001' ? ['s-shop.service', 'user-1001-shop.slice'] : [];
    });
    assert.equal(driver.processes('u1001').length, 3);
    const slice = 'user.slice/user-1001.slice';
    assert.deepEqual(
      [...seen],
      [slice, `${slice}/./s-shop.service`, `${slice}/./user-1001-shop.slice`],
    );
  });

  test('returns at most 1000, however many or deep cgroups a tenant makes', () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `c${index}`);
    const wide = driverWith((cgroup) => (cgroup.split('/').length < 4 ? names : []));
    assert.equal(mustEnd(() => wide.processes('u1001')).length, 1000);
    const deep = driverWith(() => ['c']);
    assert.equal(mustEnd(() => deep.processes('u1001')).length, 1000);
  });
});
