/** The cgroup of the programs on a host that has mounted no tree of version 2. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { openCgroup } from '../../src/network/io/programs/root-cgroup.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

suite('openCgroup()', { skip }, () => {
  const directory = suiteDirectory('network-root');
  const paths = {
    instance: 'bulkhead-root-test',
    proc: `${directory}/proc`,
    sys: `${directory}/sys`,
    etc: `${directory}/etc`,
    runtime: `${directory}/run`,
    state: `${directory}/state`,
    cache: `${directory}/cache`,
  };

  test('opens the root of a tree that is mounted nowhere, which is the same each time', () => {
    mkdirSync(`${paths.proc}/self`, { recursive: true });
    writeFileSync(`${paths.proc}/self/mountinfo`, '');
    const opened = [openCgroup(paths), openCgroup(paths)];
    const ids = opened.map((each) => {
      assert.ok(each.ok, JSON.stringify(each));
      using cgroup = each.value;
      assert.ok(readdirSync(`/proc/self/fd/${cgroup.fd}`).includes('cgroup.procs'));
      return cgroup.id;
    });
    assert.deepEqual(ids, ['root', 'root']);
  });

  test('tells another cgroup from a later one of the same name', () => {
    mkdirSync(`${directory}/one`);
    mkdirSync(`${directory}/two`);
    const [one, two] = ['one', 'two'].map((name) =>
      openCgroup({ ...paths, cgroup: `${directory}/${name}` }),
    );
    assert.ok(one?.ok === true && two?.ok === true);
    using first = one.value;
    using second = two.value;
    assert.notEqual(first.id, second.id);
  });
});
