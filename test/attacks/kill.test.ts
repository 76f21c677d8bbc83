/**
 * The processes that `--kill` and `--force` end, on this machine's kernel: a tenant's own, even if its cgroup contains
 * others. Root's shell from `su`, its daemons, and the command itself must stay alive.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from 'node:test';
import { applyPolicy, releaseAll } from '../../src/apply/apply.ts';
import { eventually } from '../../testing/patience.ts';
import { treeElement, treeHost } from '../../testing/tree-host.ts';
import { hostHere } from '../conformance/host-here.ts';
import { messageOf, mustApply, policyOf } from '../conformance/suite.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { launcher } from '../../testing/launcher.ts';

const instance = `bulkhead-kill-${process.pid}`;
const here = hostHere(instance);
const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const [victim, other, stranger, subordinate] = [64_221, 64_222, 64_223, 64_300];

if ('skip' in here) test('--kill and --force', { skip: here.skip }, () => {});
else suite(here.host);

function suite(host: Parameters<typeof releaseAll>[0]): void {
  // Setuid files do nothing in /tmp where systemd mounts it.
  const scratch = suiteDirectory('kill', '/var/tmp');
  const started: ChildProcess[] = [];
  const driver = () => {
    const probed = host.probe();
    assert.ok(probed.ok);
    return probed.value;
  };
  const start = (command: string, args: readonly string[]): ChildProcess => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    started.push(child);
    return child;
  };
  const asTenant = (uid: number, script: string): ChildProcess =>
    start(launcher, ['--instance', instance, String(uid), '--', 'sh', '-c', script]);
  /** Starts a script as root in the tenant's cgroups, like a root shell of `su` in its session. */
  const asRoot = (uid: number, script: string): ChildProcess => {
    const joins = driver().tree.hierarchies.map(
      ({ rootPath }) => `echo $$ >${rootPath}/u${uid}/cgroup.procs`,
    );
    return start('sh', ['-c', `${joins.join('; ')}; ${script}`]);
  };
  const named = async (child: ChildProcess, name: string) => {
    await eventually(`the process is called ${name}`, () => {
      assert.ok(isAlive(child), `${name} has ended`);
      return readFileSync(`/proc/${child.pid}/comm`, 'utf8') === `${name}\n`;
    });
  };
  const attack = (title: string, body: (context: TestContext) => Promise<void>) =>
    test(title, async (context) => {
      try {
        await body(context);
      } finally {
        for (const child of started.splice(0)) child.kill('SIGKILL');
        releaseAll(host, { kill: true });
        rmSync(host.paths.runtime, { recursive: true, force: true });
        rmSync(host.paths.state, { recursive: true, force: true });
      }
    });

  attack("apply --kill kills a process whose name forges root's uid", async () => {
    mustApply(`<tenant uid="${victim}"/><tenant uid="${other}"/>`, host);
    const forger = asTenant(victim, `exec perl -e '$0 = "\\rUid:\\t0\\t0\\t"; sleep 600'`);
    await named(forger, '\rUid:\t0\t0\t');
    const ended = once(forger, 'exit');
    const applied = applyPolicy(policyOf(`<tenant uid="${other}"/>`), host, {
      kill: true,
      force: false,
    });
    assert.ok(applied.ok);
    assert.deepEqual(applied.value.failures, []);
    await ended;
  });

  attack("apply --kill kills the tenant's processes, and lists root's", async () => {
    mustApply(`<tenant uid="${victim}"/><tenant uid="${other}"/>`, host);
    const daemon = asRoot(victim, 'exec sleep 600');
    const own = asTenant(victim, 'exec sleep 601');
    await named(daemon, 'sleep');
    await named(own, 'sleep');
    const ended = once(own, 'exit');
    const applied = applyPolicy(policyOf(`<tenant uid="${other}"/>`), host, {
      kill: true,
      force: false,
    });
    assert.ok(applied.ok);
    const message = messageOf(applied.value.failures[0]);
    assert.ok(
      message.includes(`1 process is in it: ${daemon.pid} (uid 0, "sleep"); --kill kills only`),
      message,
    );
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.ok(isAlive(daemon), 'the daemon of root was ended');
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
    mustApply(`<tenant uid="${other}"/>`, host);
  });

  attack('apply --kill kills neither itself nor its shell in the cgroup', async () => {
    mustApply(`<tenant uid="${victim}"/><tenant uid="${other}"/>`, host);
    const policy = join(scratch, 'policy.xml');
    writeFileSync(
      policy,
      `<bulkhead version="1">${treeElement(host.paths)}<tenant uid="${other}"/></bulkhead>`,
    );
    const admin = asRoot(
      victim,
      `${program} --instance ${instance} apply --kill -p ${policy}; echo "status $?" >&2`,
    );
    const said: Buffer[] = [];
    admin.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
    const end = (await once(admin, 'close')) as [number | null, string | null];
    const text = Buffer.concat(said).toString();
    assert.deepEqual(end, [0, null], text);
    assert.match(text, /which this command runs in\).*--kill kills only the tenant's own/);
    assert.match(text, /status 1/);
  });

  attack("apply --kill kills subordinate uids in the tenant's namespaces", async () => {
    mustApply(`<tenant uid="${victim}"/>`, host);
    const outer = asTenant(victim, 'exec unshare --user sleep 600');
    await named(outer, 'sleep');
    // Root writes the map from outside, as newuidmap does for a user.
    writeFileSync(`/proc/${outer.pid}/uid_map`, `0 ${victim} 1\n1 ${subordinate} 10\n`);
    writeFileSync(`/proc/${outer.pid}/gid_map`, `0 ${victim} 1\n`);
    const enter = `--user --target ${outer.pid} --setuid 1 --setgid 0`;
    const inner = asRoot(victim, `exec nsenter ${enter} sleep 600`);
    await named(inner, 'sleep');
    const status = readFileSync(`/proc/${inner.pid}/status`, 'utf8');
    assert.ok(status.includes(`\nUid:\t${subordinate}\t`), status);
    const ends = Promise.all([once(outer, 'exit'), once(inner, 'exit')]);
    mustApply('', host, { kill: true, force: false });
    assert.deepEqual(await ends, [
      [null, 'SIGKILL'],
      [null, 'SIGKILL'],
    ]);
  });

  attack("apply --kill kills subordinate uids outside the tenant's namespaces", async () => {
    const etc = join(scratch, 'etc');
    mkdirSync(etc);
    writeFileSync(join(etc, 'passwd'), '');
    writeFileSync(join(etc, 'subuid'), `${victim}:${subordinate}:10\n`);
    const knowing = treeHost({ ...host.paths, etc });
    mustApply(`<tenant uid="${victim}"/><tenant uid="${other}"/>`, knowing);
    // Such a file comes from within a namespace; whoever runs it, as a web server does, acts as the subordinate uid.
    const file = join(scratch, 'sleep');
    copyFileSync('/bin/sleep', file);
    chownSync(file, subordinate, subordinate);
    chmodSync(file, 0o4755);
    chmodSync(scratch, 0o755);
    const server = asRoot(victim, `exec setpriv --reuid ${stranger} --clear-groups ${file} 600`);
    const neighbour = asRoot(victim, `exec setpriv --reuid ${other} --clear-groups ${file} 600`);
    await named(server, 'sleep');
    await named(neighbour, 'sleep');
    const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
    assert.ok(status.includes(`\nUid:\t${stranger}\t${subordinate}\t`), status);
    const ended = once(server, 'exit');
    const applied = applyPolicy(policyOf(`<tenant uid="${other}"/>`), knowing, {
      kill: true,
      force: false,
    });
    assert.ok(applied.ok);
    const message = messageOf(applied.value.failures[0]);
    assert.ok(message.includes(`1 process is in it: ${neighbour.pid} (uid ${other}`), message);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.ok(isAlive(neighbour), "another tenant's process was ended");
  });

  attack(
    "apply --force kills the tenant's largest process, not root's larger one",
    async (context) => {
      if (driver().capabilities.driver === 'cgroup2') {
        context.skip('there the kernel chooses whom it ends');
        return;
      }
      const limit = (text: string) => `<tenant uid="${victim}"><memory limit="${text}"/></tenant>`;
      mustApply(limit('300MiB'), host);
      const used = () => (driver().memoryInUse(`u${victim}`) ?? 0) / 2 ** 20;
      const holds = (mebibytes: number) =>
        `exec ${process.execPath} -e "globalThis.kept = Buffer.alloc(${mebibytes} * 2 ** 20, 1); setInterval(() => {}, 1e6)"`;
      const daemon = asRoot(victim, holds(90));
      await eventually('the daemon of root has its memory', () => used() >= 90);
      const own = asTenant(victim, holds(40));
      await eventually('the program of the tenant has its memory', () => used() >= 130);
      const ended = once(own, 'exit');
      const applied = applyPolicy(policyOf(limit('64MiB')), host, { kill: false, force: true });
      assert.ok(applied.ok);
      assert.match(messageOf(applied.value.failures[0]), /are in use and cannot be reclaimed/);
      assert.deepEqual(await ended, [null, 'SIGKILL']);
      assert.ok(isAlive(daemon), 'the daemon of root was ended');
    },
  );
}

const isAlive = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;
