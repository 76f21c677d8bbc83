/** `bulkhead exec` runs nothing when the files of its instance or the cgroups in them cannot be used. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { launchText, removeCgroup } from './launch-stage.ts';
import {
  instance,
  account,
  tree,
  skip,
  scratch,
  uid,
  withLaunchText,
  launch,
  assertRefused,
  useTenant,
} from './exec-stage.ts';

describe('the launch file of bulkhead exec', { skip }, () => {
  useTenant();

  test('says that no policy is in force when there is no launch file', () => {
    withLaunchText(undefined, () => {
      assertRefused(
        launch(account, ['id']),
        /^bulkhead: No policy is in force: .*run bulkhead apply$/m,
      );
    });
  });

  test('refuses a damaged launch file', () => {
    const root = tree.roots[0];
    const whole = (lines: string) => `launch 1\n${lines}end\n`;
    const right = `join ${tree.join}\nroot ${root}\n`;
    for (const text of [
      '',
      right,
      `launch 1\n${right}`,
      whole(right).slice(0, -1),
      `launch 2\n${right}end\n`,
      `jail 1\n${right}end\n`,
      `${whole(right)}\0`,
      whole(right.repeat(1000)),
      whole(`join ${tree.join}\n`),
      whole(`root ${root}\n`),
      whole(`join memory.limit_in_bytes\nroot ${root}\n`),
      whole(`join ${tree.join}\nroot ${scratch}\n`),
      whole(`join ${tree.join}\nroot /sys/fs/cgroup/../../..${scratch}\n`),
      whole(`join ${tree.join}\nbranch ${root}\n`),
    ]) {
      withLaunchText(text, () =>
        assertRefused(launch(account, ['id']), /Cannot use .*run bulkhead apply/),
      );
    }
  });

  test('refuses a launch file that others than root could have written', () => {
    const path = `/run/${instance}/launch`;
    const refused = () => assertRefused(launch(account, ['id']), /Cannot use .*run bulkhead apply/);
    const spoils: readonly (() => void)[] = [
      () => fs.chmodSync(path, 0o666),
      () => fs.chownSync(path, uid, 0),
      () => {
        fs.renameSync(path, `${path}.aside`);
        fs.symlinkSync(`${path}.aside`, path);
      },
      () => {
        fs.rmSync(path);
        execFileSync('mkfifo', [path]);
      },
    ];
    for (const spoil of spoils)
      withLaunchText(launchText(tree), () => {
        spoil();
        refused();
        fs.rmSync(path);
        fs.rmSync(`${path}.aside`, { force: true });
      });
    fs.chmodSync(`/run/${instance}`, 0o777);
    try {
      assertRefused(launch(account, ['id']), /others than root can change it; run bulkhead apply/);
    } finally {
      fs.chmodSync(`/run/${instance}`, 0o755);
    }
  });

  test('runs nothing when one hierarchy cannot be joined', () => {
    const where = makeUnjoinable();
    try {
      const roots = [...(tree.join === 'tasks' ? tree.roots : []), where];
      withLaunchText(launchText({ join: tree.join, roots }), () => {
        assertRefused(
          launch(account, ['id']),
          /Cannot start "id" inside the limits .* cannot be joined/,
        );
      });
    } finally {
      removeCgroup(where);
    }
  });

  test('runs nothing when one hierarchy lacks the tenant', () => {
    const lacking = `${tree.roots[0]}/u${uid}`;
    withLaunchText(launchText({ join: tree.join, roots: [...tree.roots, lacking] }), () => {
      assertRefused(launch(account, ['id']), /cannot be joined/);
    });
  });

  test('joins everything again when the tenant has got a reseller meanwhile', () => {
    const late = `${tree.roots[0]}/late`;
    const moved = `r990/u${uid}`;
    for (const root of [...tree.roots, late]) fs.mkdirSync(`${root}/${moved}`, { recursive: true });
    try {
      withLaunchText(launchText({ join: tree.join, roots: [...tree.roots, late] }), () => {
        const { status, stdout, stderr } = launch(account, ['cat', '/proc/self/cgroup']);
        assert.equal(status, 0, stderr);
        const ours = stdout.split('\n').filter((each) => each.includes(instance));
        assert.ok(ours.length > 0);
        for (const each of ours) assert.ok(each.endsWith(`/${moved}`), each);
      });
    } finally {
      removeCgroup(late);
      for (const root of tree.roots) removeCgroup(`${root}/r990`);
    }
  });

  test('refuses a link in place of the directory of jails', () => {
    fs.mkdirSync(`/run/${instance}/elsewhere/tenants`, { recursive: true });
    fs.symlinkSync('elsewhere', `/run/${instance}/jail`);
    try {
      assertRefused(launch(account, ['id']), /its state cannot be read: a link is in its place/);
    } finally {
      fs.rmSync(`/run/${instance}/jail`);
      fs.rmSync(`/run/${instance}/elsewhere`, { recursive: true });
    }
  });
});

/** Makes a root with a cgroup for the tenant that takes no process. */
function makeUnjoinable(): string {
  if (tree.join === 'tasks') {
    // A cpuset without processors and memory nodes, or, where there is no cpuset, nothing at all.
    const root = fs.existsSync('/sys/fs/cgroup/cpuset/tasks')
      ? `/sys/fs/cgroup/cpuset/${instance}`
      : `${tree.roots[0]}/x`;
    fs.mkdirSync(root.includes('cpuset') ? `${root}/u${uid}` : root, { recursive: true });
    return root;
  }
  // Below a threaded cgroup, a new one is invalid until it is threaded too.
  const root = `${tree.roots[0]}/threaded`;
  fs.mkdirSync(`${root}/u${uid}`, { recursive: true });
  fs.writeFileSync(`${root}/cgroup.type`, 'threaded');
  return root;
}
