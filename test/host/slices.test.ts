/** The files of slices on a real file system, and what a driver reads of slices that tenants can fill. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { printProblem } from '../../src/base/problem.ts';
import type { CgroupFiles } from '../../src/host/cgroups/cgroup-files.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { objectPath } from '../../src/host/systemd/manager.ts';
import { SliceFiles } from '../../src/host/systemd/slice-files.ts';
import { StaleMark } from '../../src/host/systemd/stale-mark.ts';
import { SystemdDriver, type SystemdDriverParts } from '../../src/host/systemd/systemd-driver.ts';
import { sliceText } from '../../src/plan/slice.ts';
import { mustEnd } from '../../src/testing/patience.ts';

const text = sliceText([]);

function scratch(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-slices-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const system = join(directory, 'systemd', 'system');
  mkdirSync(system, { recursive: true });
  const paths = { ...pathsOf('bulkhead'), etc: directory, runtime: directory };
  return { directory, system, paths, files: new SliceFiles(paths) };
}

suite('the files of slices', () => {
  test('are written, listed and removed, each with its directory', (t) => {
    const { system, files } = scratch(t);
    assert.deepEqual(files.tenants(), []);
    for (const uid of [1002, 1001]) assert.ok(files.write(uid, text).ok);
    assert.deepEqual(files.tenants(), [1001, 1002]);
    assert.equal(files.read(1001), text);
    assert.equal(files.path(1001), `${system}/user-1001.slice.d/90-bulkhead.conf`);
    assert.deepEqual(readdirSync(`${system}/user-1001.slice.d`), ['90-bulkhead.conf']);
    for (const uid of [1001, 1002, 1003]) assert.ok(files.remove(uid).ok);
    assert.deepEqual(readdirSync(system), []);
  });

  test('of others stay, and so does a directory that has some', (t) => {
    const { system, files } = scratch(t);
    mkdirSync(`${system}/user-1001.slice.d`);
    writeFileSync(`${system}/user-1001.slice.d/10-own.conf`, '[Slice]\n');
    mkdirSync(`${system}/user-1002.slice.d`);
    writeFileSync(`${system}/user-1002.slice.d/90-bulkhead.conf`, '[Slice]\nTasksMax=1\n');
    mkdirSync(`${system}/user-.slice.d`);
    writeFileSync(`${system}/user-.slice.d/90-bulkhead.conf`, text);
    assert.deepEqual(files.tenants(), []);
    assert.ok(files.write(1001, text).ok);
    assert.deepEqual(files.tenants(), [1001]);
    assert.ok(files.remove(1001).ok);
    assert.deepEqual(readdirSync(`${system}/user-1001.slice.d`), ['10-own.conf']);
  });

  test('are not written through a link', (t) => {
    const { directory, system, files } = scratch(t);
    mkdirSync(join(directory, 'elsewhere'));
    symlinkSync(join(directory, 'elsewhere'), `${system}/user-1001.slice.d`);
    const written = files.write(1001, text);
    assert.ok(!written.ok);
    assert.match(
      printProblem(written.error),
      /it is a symbolic link or not a directory; remove it$/,
    );
    assert.deepEqual(readdirSync(join(directory, 'elsewhere')), []);
  });
});

test('a mark survives until a reload, with whose slices are to be left', (t) => {
  const { paths } = scratch(t);
  const mark = new StaleMark(paths);
  assert.equal(mark.isSet, false);
  assert.ok(mark.set().ok);
  assert.equal(new StaleMark(paths).isSet, true);
  assert.deepEqual(mark.uids(), []);
  for (const uid of [1001, 1002, 1001, undefined]) assert.ok(mark.set(uid).ok);
  assert.deepEqual(new StaleMark(paths).uids(), [1001, 1002]);
  assert.ok(mark.clear().ok);
  assert.ok(mark.clear().ok);
  assert.equal(existsSync(join(paths.runtime, 'reload')), false);
});

test('objectPath() escapes what the path of an object cannot have', () => {
  assert.equal(objectPath('user-1001.slice'), '/org/freedesktop/systemd1/unit/user_2d1001_2eslice');
});

suite('the processes of a slice', () => {
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

  test('are those of all that is in it, once each', () => {
    const driver = driverWith((cgroup) =>
      cgroup === 'u1001' ? ['session-1.scope', 'user@1001.service'] : [],
    );
    assert.equal(driver.processes('u1001').length, 3);
  });

  test('are found within bounds, however many cgroups a tenant makes, and in whatever depth', () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `c${index}`);
    const wide = driverWith((cgroup) => (cgroup.split('/').length < 4 ? names : []));
    assert.equal(mustEnd(() => wide.processes('u1001')).length, 1000);
    const deep = driverWith(() => ['c']);
    assert.equal(mustEnd(() => deep.processes('u1001')).length, 1000);
  });
});
