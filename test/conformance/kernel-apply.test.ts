/** Applying a policy on the kernel of this machine: with processes, after kills, and beside another apply. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { applyPolicy, releaseAll } from '../../src/apply/apply.ts';
import { scriptBeside } from '../../testing/script-beside.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { messageOf, mustApply, policyOf, uids } from './suite.ts';
import { kernelSuite, type KernelStage } from './kernel-stage.ts';

const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const killedApply = scriptBeside(import.meta, 'killed-apply');
const { first, second, third, reseller } = uids;
const gentle = { kill: false, force: false };

kernelSuite('bulkhead-kernel-apply', suite);

function suite({ instance, host, version, driver, inside, runs, held }: KernelStage): void {
  held('applyPolicy() kills the processes of a removed tenant only with --kill', async () => {
    mustApply(`<tenant uid="${first}"/><tenant uid="${second}"/>`, host);
    const child = inside(first, 'sleep', '3600');
    await runs(child, 'sleep');
    const without = policyOf(`<tenant uid="${second}"/>`);
    const kept = applyPolicy(without, host, { kill: false, force: false });
    assert.ok(kept.ok);
    assert.match(
      messageOf(kept.value.failures[0]),
      new RegExp(
        `process is in it: ${child.pid} \\(uid ${first}, "sleep"\\); stop them, or pass --kill`,
      ),
    );
    assert.equal(child.exitCode ?? child.signalCode, null);
    const exited = once(child, 'exit');
    mustApply(`<tenant uid="${second}"/>`, host, { kill: true, force: false });
    assert.deepEqual(await exited, [null, 'SIGKILL']);
  });

  held('applyPolicy() moves processes with their tenant to another reseller', async () => {
    mustApply(`<tenant uid="${third}"/><reseller uid="${reseller}"/>`, host);
    const child = inside(third, 'sleep', '3600');
    await runs(child, 'sleep');
    mustApply(`<reseller uid="${reseller}"><tenant uid="${third}"/></reseller>`, host);
    assert.deepEqual(driver().processes(`r${reseller}/u${third}`), [child.pid]);
    child.kill('SIGKILL');
  });

  held('the driver moves processes that come late before it removes a cgroup', async () => {
    const moved = `r${reseller}/u${third}`;
    mustApply(`<reseller uid="${reseller}"><tenant uid="${third}"/></reseller>`, host);
    const cgroup = `u${third}`;
    const hierarchies = driver().tree.hierarchies.map(({ name }) => name);
    const made = driver().execute({ kind: 'create', cgroup, label: 'it', hierarchies }, gentle);
    assert.ok(made.ok);
    const child = inside(third, 'sleep', '3600');
    await runs(child, 'sleep');
    assert.deepEqual(driver().processes(cgroup), [child.pid]);
    const remove = { kind: 'remove', cgroup, hierarchies, processes: [] } as const;
    assert.equal(driver().execute(remove, gentle).ok, false);
    assert.deepEqual(driver().execute({ ...remove, to: moved }, gentle), {
      ok: true,
      value: undefined,
    });
    assert.deepEqual(driver().processes(moved), [child.pid]);
    const lines = readFileSync(`/proc/${child.pid}/cgroup`, 'utf8').split('\n');
    const ours = lines.filter((each) => each.includes(instance));
    assert.ok(ours.length > 0);
    assert.ok(
      ours.every((each) => each.endsWith(moved)),
      ours.join('\n'),
    );
    child.kill('SIGKILL');
  });

  held('applyPolicy() converges after it was killed at any operation', () => {
    const body = `<defaults><cpu limit="40%"/><memory limit="64MiB"/></defaults><tenant uid="${first}"/>
      <reseller uid="${reseller}"><cpu limit="60%"/><tenant uid="${second}"/></reseller>`;
    const total = mustApply(body, host).operations.length;
    assert.ok(total >= 8);
    const step = version === 2 ? 4 : 1;
    for (let at = 0; at < total; at += step) {
      assert.deepEqual(releaseAll(host, { kill: true }), { ok: true, value: undefined });
      const when = at % 2 === 0 ? 'before' : 'after';
      const killed = spawnSync(process.execPath, [killedApply, instance, body, String(at), when], {
        encoding: 'utf8',
      });
      assert.equal(killed.signal, 'SIGKILL', `operation ${at}: ${killed.stderr}`);
      mustApply(body, host);
      assert.deepEqual(mustApply(body, host).operations, []);
    }
  });

  held('applyPolicy() waits while another apply has the lock', async () => {
    mustApply(`<tenant uid="${first}"/>`, host);
    const hold = ['sh', '-c', 'echo held; exec sleep infinity'];
    const holder = spawn('flock', ['--no-fork', `${host.paths.runtime}/lock`, ...hold], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.ok(holder.stdout);
    await once(holder.stdout, 'data');
    const waiting = spawn(process.execPath, [
      killedApply,
      instance,
      `<tenant uid="${first}"/><tenant uid="${second}"/>`,
      '-1',
    ]);
    await eventually('it has come to the lock', () => {
      assert.equal(waiting.exitCode ?? waiting.signalCode, null, 'it did not wait');
      return opens(waiting.pid ?? 0, `${host.paths.runtime}/lock`);
    });
    assert.deepEqual(driver().counters(`u${second}`), undefined);
    const exited = once(waiting, 'exit');
    holder.kill('SIGKILL');
    assert.deepEqual(await exited, [0, null]);
    assert.ok(driver().counters(`u${second}`));
  });

  held('apply, verify, exec, explain and set work on an account of useradd', () => {
    const user = 'bh-kernel-test';
    spawnSync('userdel', ['-rf', user]); // A run that was killed may have left it.
    execFileSync('useradd', ['-m', '-s', '/bin/sh', user]);
    using directory = temporaryDirectory('policy', '/root');
    const file = join(directory.path, 'policy.xml');
    const bulkhead = (...args: string[]) =>
      spawnSync(program, ['--instance', instance, ...args], {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
      });
    try {
      writeFileSync(
        file,
        `<bulkhead version="1">${treeElement(host.paths)}<tenants uids="1000-59999"/><defaults><processes limit="7"/></defaults></bulkhead>\n`,
      );
      const applied = bulkhead('apply', '-p', file);
      assert.equal(applied.status, 0, applied.stderr);
      assert.equal(bulkhead('verify', '-p', file).status, 0);
      const storm = bulkhead(
        'exec',
        user,
        '--',
        'sh',
        '-c',
        'id -un; for i in 1 2 3 4 5 6 7 8 9; do sleep 3600 >/dev/null 2>&1 & done',
      );
      assert.match(storm.stdout, new RegExp(`^${user}$`, 'm'));
      assert.match(storm.stderr, /fork/i);
      const explained = bulkhead('explain', user, '-p', file);
      assert.match(explained.stdout, /processes limit\s+7\s+defaults\s+\S+:1$/m);
      const changed = bulkhead('set', user, 'processes=30', '-p', file);
      assert.equal(changed.status, 0, `${changed.signal ?? ''} ${changed.stderr}`);
      const calm = bulkhead(
        'exec',
        user,
        '--',
        'sh',
        '-c',
        'for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2 & done; wait',
      );
      assert.equal(calm.stderr, '');
    } finally {
      releaseAll(host, { kill: true });
      execFileSync('userdel', ['-rf', user], { stdio: 'ignore' });
    }
    assert.deepEqual(readdirSync(host.paths.state), ['history'], 'release has left records');
    rmSync(host.paths.state, { recursive: true });
  });
}

/** Whether a process opens the file now and then, each time for a moment. */
function opens(pid: number, path: string): boolean {
  const until = performance.now() + 200;
  while (performance.now() < until) if (hasOpen(pid, path)) return true;
  return false;
}

function hasOpen(pid: number, path: string): boolean {
  try {
    const directory = `/proc/${pid}/fd`;
    return readdirSync(directory).some((fd) => linkOf(`${directory}/${fd}`) === path);
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // It was closed meanwhile.
  }
}
