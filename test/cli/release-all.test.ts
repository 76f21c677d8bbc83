/** `release --all` lists what it undoes, asks, goes on after a failure, and leaves nothing of an instance. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { ownDirectories, releaseSteps } from '../../src/apply/release-everything.ts';
import { agentLock, pathsOf } from '../../src/host/paths.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { hostHere } from '../conformance/host-here.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import type {
  ApplyJson,
  DoctorJson,
  PlanJson,
  Released,
  ReleasePlan,
  StatusJson,
  VerifyJson,
} from '../../src/cli/commands/json.ts';

const instance = 'bulkhead-release-all';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const paths = pathsOf(instance);
const root = suiteDirectory('release-all');
const bulkhead = (...args: readonly string[]) =>
  spawnSync('./bulkhead', ['--instance', instance, ...args], { encoding: 'utf8' });

after(() => {
  for (const each of [paths.runtime, paths.state, paths.cache])
    rmSync(each, { recursive: true, force: true });
});

test('releaseSteps() lists an agent that no unit has started, until it has ended', async () => {
  const own = { ...paths, runtime: `${root}/run`, state: `${root}/state` };
  mkdirSync(own.runtime);
  const listed = async () => {
    const steps = await releaseSteps([], own, { kill: false, keepHistory: false });
    return steps.filter(({ what }) => what.includes('agent'));
  };
  const lock = lockFile(agentLock(own), { waitMs: 0 });
  assert.ok(lock.ok);
  const [step, ...more] = await listed();
  assert.equal(step?.what, 'the agent, which has to be stopped');
  assert.deepEqual(more, []);
  assert.match((await step.run()).map(({ reason }) => reason).join(), /an agent still runs/);
  lock.value[Symbol.dispose]();
  assert.deepEqual(await step.run(), []);
  assert.deepEqual(await listed(), []);
  rmSync(own.runtime, { recursive: true });
});

test('ownDirectories() leaves a cache that is not only ours', () => {
  const cache = `${root}/cache`;
  const own = { ...paths, runtime: `${root}/none`, state: `${root}/none`, cache };
  mkdirSync(cache, { mode: 0o700 });
  assert.deepEqual(ownDirectories(own), process.geteuid?.() === 0 ? [cache] : []);
  chmodSync(cache, 0o777);
  assert.deepEqual(ownDirectories(own), []);
  rmSync(cache, { recursive: true });
  symlinkSync('/tmp', cache);
  assert.deepEqual(ownDirectories(own), []);
});

test('release --all removes everything of an instance', { skip }, () => {
  const policy = `${root}/policy.xml`;
  writeFileSync(
    policy,
    `<bulkhead version="1">${treeElement(paths)}<tenant uid="64426"><processes limit="30"/></tenant></bulkhead>`,
  );
  const planned = jsonOf<PlanJson>('plan', bulkhead('plan', policy, '--json').stdout);
  assert.ok(planned.operations.length > 0);
  const drift = jsonOf<VerifyJson>('verify', bulkhead('verify', policy, '--json').stdout);
  assert.deepEqual(drift.drift, planned.operations);
  const applied = jsonOf<ApplyJson>('apply', bulkhead('apply', policy, '--json').stdout);
  assert.deepEqual([applied.failures, applied.problems], [[], []]);
  const status = jsonOf<StatusJson>('status', bulkhead('status', '-p', policy, '--json').stdout);
  assert.deepEqual(
    status.tenants.map(({ uid, inForce }) => [uid, inForce]),
    [[64426, true]],
  );
  const doctor = jsonOf<DoctorJson>('doctor', bulkhead('doctor', '--json').stdout);
  assert.ok('driver' in doctor);
  mkdirSync(`${paths.state}/history`, { recursive: true });
  writeFileSync(`${paths.state}/history/kept`, '');

  const listed = bulkhead('release', '--all', '--dry-run');
  assert.equal(listed.status, 0, listed.stderr);
  assert.match(listed.stdout, /limits, jails, cgroups and quotas\n.*\/run\//);
  const steps = jsonOf<ReleasePlan>(
    'release',
    bulkhead('release', '--all', '--dry-run', '--json').stdout,
  );
  assert.ok(steps.steps.some((each) => each.startsWith('/run/')));
  assert.match(bulkhead('release', '--all').stderr, /add --yes/);
  assert.equal(bulkhead('verify', policy).status, 0, 'nothing was changed');

  // Whatever is mounted there is not removed.
  mkdirSync(`${paths.runtime}/mounted`, { recursive: true });
  const mounted = `mount -t tmpfs none ${paths.runtime}/mounted && touch ${paths.runtime}/mounted/file &&
    ! ./bulkhead --instance ${instance} release --all --yes && ls ${paths.runtime}/mounted/file`;
  const refused = spawnSync('unshare', ['-m', 'bash', '-c', mounted], { encoding: 'utf8' });
  assert.equal(refused.status, 0, refused.stdout + refused.stderr);
  assert.match(refused.stderr, /something is mounted at .*run the same command again to continue/s);

  mkdirSync(`${paths.cache}/modules`, { recursive: true });
  const again = bulkhead('release', '--all', '--yes', '--keep-history');
  assert.equal(again.status, 0, again.stderr);
  assert.equal(existsSync(paths.runtime), false);
  assert.equal(existsSync(paths.cache), false);
  assert.ok(existsSync(`${paths.state}/history/kept`));
  assert.equal(bulkhead('verify', policy).status, 3);
  const last = bulkhead('release', '--all', '--yes', '--json');
  assert.equal(last.status, 0);
  assert.deepEqual(jsonOf<Released>('release', last.stdout).problems, []);
  assert.equal(existsSync(paths.state), false);

  for (const words of [['--dry-run'], ['--yes'], []])
    assert.equal(
      bulkhead('release', '--all', ...words).stdout,
      'There is nothing to undo\n',
      words.join(),
    );
  assert.equal(existsSync(paths.runtime), false);
});
