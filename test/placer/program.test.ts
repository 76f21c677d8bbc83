/** The program of the placer reports what it is given, and when it is off. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatProblem } from '../../packages/base/problem.ts';
import { releaseAll } from '../../src/apply/apply.ts';
import { main, RawPlacer } from './raw-placer.ts';
import { targetsHere } from './stage.ts';
import { treeHost } from '../../testing/tree-host.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { hostHere } from '../conformance/host-here.ts';
import { mustApply } from '../conformance/suite.ts';

const instance = 'bulkhead-place-program';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const uid = 64_331;

const host = treeHost(pathsOf(instance));
const body = `<tenant uid="${uid}"/>`;
const release = () => {
  if (!skip) assert.deepEqual(releaseAll(host, { kill: true }), { ok: true, value: undefined });
};
after(() => {
  if (!skip) execFileSync('rm', ['-rf', host.paths.runtime, host.paths.state]);
});

test(
  'a placer in another pid namespace reports that it gets no events, and polls',
  { skip },
  async () => {
    mustApply(body, host);
    try {
      // Inside, pids are others; the kernel takes what is written as they are there.
      const script = 'setpriv --reuid="$1" --clear-groups sleep 3600 & exec "$2" "$3"';
      await using placer = new RawPlacer(
        'unshare',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
        'sh',
        '-c',
        script,
        'sh',
        String(uid),
        process.execPath,
        main,
      );
      placer.say({ kind: 'targets', ...targetsHere(host, body) });
      const status = await placer.status((each) => each.migrated === 1);
      assert.equal(status.state, 'off');
      assert.match(
        status.problem === undefined ? '' : formatProblem(status.problem),
        /reports nothing here.*every 2 seconds/,
      );
      const driver = host.probe();
      assert.ok(driver.ok);
      assert.equal(driver.value.processes(`u${uid}`).length, 1);
    } finally {
      release();
    }
  },
);

test('a placer without CAP_NET_ADMIN reports that it is off', { skip }, async () => {
  await using placer = new RawPlacer(
    'setpriv',
    '--bounding-set=-net_admin',
    process.execPath,
    main,
  );
  placer.say({ kind: 'ping', id: 5 });
  const status = await placer.status((each) => each.pong === 5);
  assert.equal(status.state, 'off');
  assert.match(
    status.problem === undefined ? '' : formatProblem(status.problem),
    /EPERM .*CAP_NET_ADMIN/,
  );
});

test('a placer continues when its supervisor does not read', { skip }, async () => {
  await using placer = new RawPlacer(process.execPath, main);
  placer.child.stdout?.pause();
  for (let id = 1; id <= 30_000; id++) placer.say({ kind: 'ping', id });
  await sleep(200);
  placer.child.stdout?.resume();
  const last = await placer.status((each) => each.pong === 30_000);
  assert.equal(last.state, 'on');
});
