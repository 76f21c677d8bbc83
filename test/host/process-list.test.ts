/** The kernel hands out `cgroup.procs` about a page at a time, ending each part with a whole line. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { pidsOf } from '../../src/host/cgroups/move-processes.ts';
import { findHierarchies1, findUnified, hierarchy2 } from '../../src/host/cgroups/hierarchies.ts';
import { eventually } from '../../testing/patience.ts';
import { hostHere } from '../conformance/host-here.ts';

const instance = 'bulkhead-list-test';
const here = hostHere(instance);
const done = { ok: true, value: undefined };
const skip = 'skip' in here ? here.skip : false;
/** More than fit a page, whatever the length of their numbers. */
const processes = 1_200;

test('pidsOf() of a cgroup.procs longer than a page returns all processes', { skip }, async () => {
  if ('skip' in here) return;
  const { paths } = here.host;
  const unified = here.version === 2 ? findUnified(paths) : undefined;
  const hierarchy =
    unified === undefined
      ? findHierarchies1(paths).find((each) => each.controllers.has('pids'))
      : hierarchy2(unified, instance);
  assert.ok(hierarchy !== undefined);
  const { files, rootPath } = hierarchy;
  // A run that was killed leaves an empty one.
  files.removeCgroup('');
  assert.deepEqual(files.makeCgroup(''), done);
  const listed = () => pidsOf(files.read('', 'cgroup.procs'));
  try {
    const script = `echo $$ >${rootPath}/cgroup.procs; i=0
      while [ $i -lt ${processes} ]; do sleep 3600 & i=$((i+1)); done; echo made; wait`;
    const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(shell.stdout, 'data');
    assert.equal(listed().length, processes + 1);
  } finally {
    for (const pid of listed()) process.kill(pid, 'SIGKILL');
    await eventually('all have ended', () => listed().length === 0);
    assert.deepEqual(files.removeCgroup(''), done);
  }
});
