/**
 * A makefile that uses more than each of its processes may have, by starting many. The test runs as
 * root.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { jailTools, runInJail } from '../../packages/modules/io/rebuild/sandbox.ts';
import { makeJailCgroup } from '../../src/modules/io/sandbox-cgroup.ts';
import { formatCause, formatProblem } from '../../packages/base/problem.ts';

const bounds = { memoryBytes: 256 * 2 ** 20, processes: 64 };
const tools = jailTools();
const skip = tools.ok ? whyNoCgroup() : formatProblem(tools.error);

function whyNoCgroup(): string | false {
  const made = makeJailCgroup(bounds);
  if (made.ok) made.value[Symbol.dispose]();
  return made.ok ? false : formatCause(made.error);
}

const cgroups = () => globSync('/sys/fs/cgroup/{,*/}bulkhead-jail-*');
const ours = () => cgroups().filter((each) => each.includes(`-jail-${process.pid}-`));

test('makeJailCgroup() limits the memory of all processes together', { skip }, async () => {
  // Each has 100 MiB, which is what one may have, says so, and keeps them while the others begin.
  const held = `perl -e '$x = "x" x (100 << 20); print "had\\n"; sleep 20' || echo ended`;
  const lines: string[] = [];
  const run = await runInJail({
    command: ['sh', '-c', `for n in 1 2 3 4 5 6 7 8; do { ${held}; } & done; wait; echo done`],
    writable: '/build',
    makeCgroup: makeJailCgroup,
    limits: { ...bounds, addressSpaceBytes: 200 * 2 ** 20 },
    onLine: (line) => lines.push(line),
  });
  assert.ok(run.ok, run.ok ? '' : formatProblem(run.error));
  assert.equal(run.value.unbounded, undefined);
  const had = lines.filter((line) => line === 'had').length;
  assert.ok(had < 8, `${had} of 8 processes had 100 MiB, with 256 MiB for all`);
  assert.deepEqual(ours(), []);
});

test('makeJailCgroup() limits the memory of files, too', { skip }, async () => {
  const run = await runInJail({
    command: ['sh', '-c', 'head -c 400M /dev/zero >big; exec stat -c "%s" big'],
    writable: '/build',
    makeCgroup: makeJailCgroup,
    limits: { ...bounds, writableBytes: 2 ** 30 },
  });
  assert.ok(run.ok, run.ok ? '' : formatProblem(run.error));
  assert.ok(!run.value.lastLines.includes(String(400 * 2 ** 20)), run.value.lastLines.join('\n'));
});

test('makeJailCgroup() removes what a killed run left behind', { skip }, async () => {
  const jail = new URL('../../packages/modules/io/rebuild/sandbox.ts', import.meta.url).href;
  const cgroup = new URL('../../src/modules/io/sandbox-cgroup.ts', import.meta.url).href;
  const program = `
    const { runInJail } = await import(${JSON.stringify(jail)});
    const { makeJailCgroup: makeCgroup } = await import(${JSON.stringify(cgroup)});
    await runInJail({ command: ['sh', '-c', 'echo ready; sleep 600'], writable: '/w', makeCgroup,
      onLine: (line) => console.log(line) });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const left = () => cgroups().filter((each) => each.includes(`-jail-${child.pid}-`));
  await once(child.stdout, 'data');
  assert.ok(left().length > 0);
  const inside = left().flatMap((each) =>
    readFileSync(`${each}/cgroup.procs`, 'latin1').split('\n').filter(Boolean),
  );
  assert.ok(inside.length > 0, 'nobody is in the cgroup of the jail');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(left().length > 0, 'a killed run cannot have removed it');
  const next = makeJailCgroup(bounds);
  assert.ok(next.ok, next.ok ? '' : formatCause(next.error));
  next.value[Symbol.dispose]();
  for (let tries = 0; left().length > 0 && tries < 600; tries++) {
    await sleep(100);
    const again = makeJailCgroup(bounds);
    if (again.ok) again.value[Symbol.dispose]();
  }
  assert.deepEqual(left(), []);
});

test('makeJailCgroup() keeps cgroups of running jails and of other names', { skip }, () => {
  const [directory] = new Set(cgroupDirectories());
  assert.ok(directory !== undefined);
  const foreign = `${directory}/bulkhead-jailer-${process.pid}`;
  mkdirSync(foreign);
  const first = makeJailCgroup(bounds);
  const second = makeJailCgroup(bounds);
  try {
    assert.ok(first.ok && second.ok);
    second.value[Symbol.dispose]();
    assert.equal(ours().length, first.value.procsFiles.length);
    assert.ok(globSync(foreign).length === 1);
  } finally {
    if (first.ok) first.value[Symbol.dispose]();
    rmdirSync(foreign);
  }
  assert.deepEqual(ours(), []);
});

/** Returns the directories in which makeJailCgroup() makes cgroups. */
function cgroupDirectories(): readonly string[] {
  const made = makeJailCgroup(bounds);
  if (!made.ok) return [];
  using cgroup = made.value;
  return cgroup.procsFiles.map((file) => file.split('/').slice(0, -2).join('/'));
}
