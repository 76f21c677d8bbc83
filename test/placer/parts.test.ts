/** The parts of the placer: connector, history of pids, sweep, reader of processes, and lines. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatProblem } from '../../packages/base/problem.ts';
import { address, Connector } from '../../src/host/placer/connector.ts';
import { foreignCgroup } from '../../src/host/placer/foreign.ts';
import { Lines } from '../../src/sys/lines.ts';
import { monotonicMicroseconds, PidHistory } from '../../src/host/placer/pid-history.ts';
import { listProcesses, ProcessReader } from '../../src/host/placer/process-reader.ts';
import { Scan } from '../../src/host/placer/scan.ts';
import { Sweep } from '../../src/host/placer/sweep.ts';
import { openSocket, sendTo } from '../../src/sys/sockets/socket-calls.ts';
import { hostHere } from '../conformance/host-here.ts';
import { eventually } from '../../testing/patience.ts';

const instance = 'bulkhead-place-parts';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const uid = 64_331;

/** Returns an event as the kernel would send it. */
function forged(pid: number): Buffer {
  const message = Buffer.alloc(76);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(3, 4);
  message.writeUInt32LE(1, 16);
  message.writeUInt32LE(1, 20);
  message.writeUInt16LE(40, 32);
  message.writeUInt32LE(4, 36);
  message.writeInt32LE(pid, 52);
  message.writeInt32LE(pid, 56);
  message.writeUInt32LE(uid, 60);
  message.writeUInt32LE(uid, 64);
  return message;
}

test('Connector accepts messages from the kernel only', { skip }, () => {
  const opened = Connector.open();
  assert.ok(opened.ok, opened.ok ? '' : formatProblem(opened.error));
  using connector = opened.value;
  assert.equal(connector.start().ok, true);
  const seen: number[] = [];
  const drain = () => {
    while (connector.receive(100, (pid) => seen.push(pid)) === 'more');
  };
  drain();
  seen.length = 0;
  const sender = openSocket(16, 2, 11);
  assert.ok('fd' in sender);
  assert.equal(sendTo(sender.fd, forged(process.pid + 1), address(connector.port, 0)), undefined);
  drain();
  assert.equal(connector.foreign, 1, 'the forged message did not arrive');
  assert.ok(!seen.includes(process.pid + 1));
  const real = spawnSync('setpriv', ['--reuid=65000', '--clear-groups', 'true']);
  drain();
  assert.ok(seen.includes(real.pid), "the kernel's own message was not seen");
});

test('Connector notices when the kernel no longer reports to it', { skip }, () => {
  const opened = Connector.open();
  assert.ok(opened.ok);
  using connector = opened.value;
  assert.ok(connector.start().ok);
  const heard = () => {
    connector.probe();
    let received;
    do received = connector.receive(1_000, () => undefined);
    while (received === 'more');
    return received;
  };
  assert.equal(heard(), 'empty');
  const ignore = Buffer.alloc(40);
  ignore.writeUInt32LE(ignore.length, 0);
  ignore.writeUInt16LE(3, 4);
  for (const offset of [16, 20]) ignore.writeUInt32LE(1, offset);
  ignore.writeUInt16LE(4, 32);
  ignore.writeUInt32LE(2, 36);
  assert.equal(sendTo(connector.fd, ignore, address(0, 0)), undefined);
  assert.equal(heard(), 'deaf');
  assert.ok(connector.start().ok);
  assert.equal(heard(), 'empty');
});

test('Connector reports pid, uids and time of a change', { skip }, () => {
  const opened = Connector.open();
  assert.ok(opened.ok);
  using connector = opened.value;
  assert.deepEqual(connector.start(), { ok: true, value: { filtered: true } });
  const begin = monotonicMicroseconds();
  const { pid } = spawnSync('setpriv', ['--ruid=65000', '--euid=65001', '--clear-groups', 'true']);
  const end = monotonicMicroseconds();
  const seen: [number, number, number, number][] = [];
  connector.receive(1_000, (...change) => seen.push(change));
  const change = seen.findLast(([of]) => of === pid);
  assert.ok(change !== undefined);
  assert.deepEqual(change.slice(1, 3), [65000, 65001]);
  assert.ok(change[3] > begin && change[3] < end, `${begin} < ${change[3]} < ${end}`);
});

test('PidHistory.lastBefore() returns a pid before all later forks', { skip }, async () => {
  const clock = new PidHistory();
  assert.equal(clock.lastBefore(monotonicMicroseconds()), undefined);
  let before: number | undefined;
  let pids: readonly number[] = [];
  // A pause in which all pids could have been handed out forgets what was before, and rightly.
  for (let attempt = 0; before === undefined && attempt < 50; attempt++) {
    clock.sample();
    await sleep(2);
    const moment = monotonicMicroseconds();
    pids = Array.from({ length: 5 }, () => spawnSync('true').pid);
    clock.sample();
    before = clock.lastBefore(moment);
  }
  assert.ok(before !== undefined);
  const range = clock.distance(before, clock.last());
  for (const pid of pids) {
    const after = clock.distance(before, pid);
    assert.ok(after > 0 && after <= range, `${pid} is not after ${before}`);
  }
  assert.equal(clock.distance(clock.pidMax - 1, 1), 2);
  assert.equal(clock.next(clock.pidMax - 1), 1);
});

test('Sweep checks processes that were forked since, and no others', { skip }, () => {
  const clock = new PidHistory();
  const seen: number[] = [];
  const sweep = new Sweep(clock, (pid) => {
    seen.push(pid);
    return 'other';
  });
  const before = clock.last();
  const pids = Array.from({ length: 10 }, () => spawnSync('true').pid);
  sweep.from(before);
  while (sweep.step(10) === 'more');
  assert.equal(sweep.pending, false);
  for (const pid of pids) assert.ok(seen.includes(pid), `${pid} was not looked at`);
  assert.ok(!seen.includes(before) && seen.length < 1_000, `${seen.length} were looked at`);
  sweep.from((clock.last() + 1) % clock.pidMax);
  assert.equal(sweep.step(10), 'lapped');
});

test(
  'Scan checks processes that are forked during it, and reports what it cannot know',
  { skip },
  () => {
    const seen: number[] = [];
    let child: number | undefined;
    const scan = new Scan(new PidHistory(), (pid) => {
      child ??= spawnSync('true').pid;
      seen.push(pid);
      if (pid === child) return { uid: 1, reason: 'no' };
      return pid === process.pid ? { unknown: 'why' } : 'other';
    });
    let found;
    while ((found = scan.step(1)) === undefined);
    assert.ok(seen.includes(process.pid) && seen.includes(child ?? 0));
    const outside = [{ pid: child, uid: 1, reason: 'no' }];
    assert.deepEqual(found, { outside, unknown: ['why'], outrun: false });
  },
);

test('ProcessReader reads the owner of a process that cannot be dumped', { skip }, async () => {
  const child = spawn('setpriv', [
    '--ruid=65000',
    '--euid=65001',
    '--clear-groups',
    'sleep',
    '3600',
  ]);
  const reader = new ProcessReader();
  try {
    assert.ok(child.pid !== undefined);
    const { pid } = child;
    const owner = await eventually('it has changed its uid', () => {
      const found = reader.owner(pid);
      return found.ok && found.value.ruid === 0 ? undefined : found;
    });
    const value = {
      ruid: 65000,
      euid: 65001,
      tgid: child.pid,
      dead: false,
      thread: undefined,
    };
    assert.deepEqual(owner, { ok: true, value });
    const cgroups = reader.cgroups(child.pid, undefined);
    assert.match(cgroups.ok ? cgroups.value : '', /^\d+:.*:\//m);
    assert.ok(listProcesses().includes(child.pid));
  } finally {
    child.kill('SIGKILL');
  }
  await once(child, 'exit');
  assert.deepEqual(reader.owner(child.pid ?? 0), { ok: false, error: 'gone' });
});

test('foreignCgroup() recognizes containers and user managers by their names', () => {
  const id = 'f'.repeat(64);
  for (const path of [
    `/docker/${id}`,
    `/system.slice/docker-${id}.scope`,
    `/machine.slice/libpod-${id}.scope`,
    `/libpod_parent/libpod-${id}`,
    `/kubepods.slice/kubepods-burstable.slice/x`,
    `/kubepods/besteffort/pod1/${id}`,
    `/system.slice/crio-${id}.scope`,
    `/system.slice/cri-containerd-${id}.scope`,
    `/lxc/web`,
    `/lxc.payload.web/init.scope`,
    '/machine.slice/machine-web.scope',
  ]) {
    assert.equal(foreignCgroup(path)?.kind, 'container', path);
  }
  for (const path of [
    '/user.slice/user-1001.slice/user@1001.service/app.slice',
    '/user.slice/user-1001.slice/user@1001.service/docker/x',
  ]) {
    assert.equal(foreignCgroup(path)?.kind, 'user manager', path);
  }
  for (const path of [
    '/',
    '/user.slice/user-1001.slice/session-3.scope',
    '/system.slice/docker.service',
    '/system.slice/containerd.service',
    '/system.slice/cron.service',
    '/dockers',
    '/my-machine.slice',
  ]) {
    assert.equal(foreignCgroup(path), undefined, path);
  }
  assert.match(foreignCgroup('/docker/\u001b[31m')?.reason ?? '', /\\u\{1b\}/);
});

test('Lines joins lines from any pieces, and refuses lines that are too long', () => {
  const seen: string[] = [];
  const lines = new Lines(8, (line) => seen.push(line));
  for (const piece of ['a', 'b\nc', '\n', '\ndef']) assert.ok(lines.add(Buffer.from(piece)));
  assert.deepEqual(seen, ['ab', 'c', '']);
  assert.equal(lines.add(Buffer.from('0123456789')), false);
  assert.ok(lines.add(Buffer.from('g\n')));
  assert.equal(seen.at(-1), 'g');
});
