/**
 * A process that makes whoever reads about it wait for ever, where root asks what processes of php-fpm do, and who holds a
 * socket: it costs its own account that alone. The attack in C says how.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { release } from 'node:os';
import { test } from 'node:test';
import { listeningSockets, serviceProcesses } from '../../src/confine/io/listening.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { worksOf } from '../../src/web/io/fpm/idle/master-work.ts';
import { keyOf, type JailKey } from '../../src/jail/core/jail-key.ts';
import { parseStateFile, type JailStateFile } from '../../src/jail/core/state-file.ts';
import { findOccupants } from '../../src/jail/io/occupants.ts';
import { processesWithSockets } from '../../src/web/io/listeners.ts';
import { childrenOf, HangingProcess, skip } from './hanging-process.ts';

const [attacker, other] = [64_245, 64_246];

test(
  'worksOf() reports other masters when the worker of one hangs reads',
  { skip, timeout: patienceMilliseconds },
  async (context) => {
    using hostile = await HangingProcess.start(attacker);
    const master = spawn('sh', ['-c', 'sleep 3600 & wait'], {
      uid: other,
      gid: other,
      detached: true,
      stdio: 'ignore',
    });
    context.after(() => process.kill(-(master.pid ?? 0), 'SIGKILL'));
    await eventually('it has a worker', () => childrenOf(master.pid ?? 0) !== '');
    // It does not wait for a connection, so it is busy; alone, a master without workers is known.
    const quiet = spawn('sleep', ['3600'], { uid: other, gid: other, stdio: 'ignore' });
    context.after(() => quiet.kill('SIGKILL'));
    await once(quiet, 'spawn');
    const works = await worksOf([hostile.pid, master.pid ?? 0, quiet.pid ?? 0]);
    assert.deepEqual([works.has(hostile.pid), works.has(quiet.pid ?? 0)], [false, true]);
  },
);

test(
  'processesWithSockets() finds the holder of a socket despite a process that hangs reads',
  { skip, timeout: patienceMilliseconds },
  async (context) => {
    using _hostile = await HangingProcess.start(attacker);
    const script =
      'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); print fileno(S), "\\n"; sleep 3600';
    const holder = spawn('perl', ['-e', `$| = 1; ${script}`], {
      uid: other,
      gid: other,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    context.after(() => holder.kill('SIGKILL'));
    const [printed] = (await once(holder.stdout, 'data')) as [Buffer];
    const link = readlinkSync(`/proc/${holder.pid}/fd/${printed.toString().trim()}`);
    const inode = /\d+/.exec(link)?.[0] ?? '';
    assert.deepEqual(processesWithSockets('/proc', new Set([inode])).get(inode), [holder.pid]);
  },
);

test(
  'findOccupants() finds a process in a jail despite a process that hangs reads',
  { skip, timeout: patienceMilliseconds },
  async () => {
    using _hostile = await HangingProcess.start(attacker);
    const child = spawn('sleep', ['3600'], { uid: other, gid: other, stdio: 'ignore' });
    try {
      await once(child, 'spawn');
      const stateFile = (namespace: number): JailStateFile => ({
        ...parseStateFile('jail 1\nstate ready\nend\n'),
        namespace,
      });
      const namespace = Number(/\d+/.exec(readlinkSync('/proc/self/ns/mnt'))?.[0]);
      const stateFiles = new Map<JailKey, JailStateFile>([
        [keyOf({ uid: attacker }), stateFile(1)],
        [keyOf({ uid: other }), stateFile(namespace)],
      ]);
      const found = findOccupants(stateFiles);
      assert.deepEqual(found.get(keyOf({ uid: other }))?.inside, [child.pid]);
    } finally {
      child.kill('SIGKILL');
    }
  },
);

test(
  "listeningSockets() finds a service's sockets despite a process that hangs reads",
  { skip, timeout: patienceMilliseconds },
  async () => {
    using hostile = await HangingProcess.start(attacker);
    const server = createServer().listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      assert.deepEqual(serviceProcesses('/proc', '', hostile.hanging), [`${hostile.hanging}`]);
      const found = listeningSockets('/proc', [`${process.pid}`, `${hostile.hanging}`]);
      const shown = port.toString(16).toUpperCase().padStart(4, '0');
      assert.deepEqual([...found], [`tcp 0100007F:${shown}`]);
    } finally {
      server.close();
    }
  },
);

const [major = 0, minor = 0] = release().split('.').map(Number);
const isOld = major < 6 || (major === 6 && minor < 11);

test(
  "userNamespaceMaker() returns a namespace's maker despite a process that hangs reads",
  { skip: skip || (isOld && 'this kernel only has links of /proc for that') },
  async () => {
    using hostile = await HangingProcess.start(attacker);
    const module = new URL('../../src/sys/processes/user-namespace.ts', import.meta.url);
    const ask = `import { userNamespaceMaker } from ${JSON.stringify(module.href)};
      console.log(JSON.stringify([${hostile.hanging}, ${hostile.pid}, 1].map((pid) => userNamespaceMaker(pid, '/proc/' + pid + '/ns/user').value ?? null)));`;
    // In another process: where it hangs, this one ends.
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', ask], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
      killSignal: 'SIGKILL',
    });
    assert.equal(stdout, `[${attacker},null,null]\n`, stderr);
  },
);
