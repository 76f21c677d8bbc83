/** The conformance suite on the kernel of this machine, and what only a real kernel can show. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { applyPolicy, planPolicy, releaseAll } from '../../src/apply/apply.ts';
import type { Driver } from '../../src/host/driver.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { usesNoMoreThan } from './cpu-share.ts';
import { conformance, messageOf, mustApply, policyOf, uids } from './suite.ts';
import { hostHere } from './host-here.ts';
import { compileExec } from '../../scripts/entry.ts';

const instance = 'bulkhead-kernel-test';
const here = hostHere(instance);
const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const launcher = compileExec();
const { first, second, third, reseller } = uids;

if ('skip' in here) test('limits on the real kernel', { skip: here.skip }, () => {});
else suite(here.host, here.version);

function suite(host: Parameters<typeof releaseAll>[0], version: 1 | 2): void {
  // Removes what a killed run has left.
  assert.deepEqual(releaseAll(host, { kill: true }), { ok: true, value: undefined });
  conformance(`kernel v${version}`, () => host);

  const driver = (): Driver => {
    const probed = host.probe();
    assert.ok(probed.ok);
    return probed.value;
  };
  const counters = (cgroup: string) => {
    const found = driver().counters(cgroup);
    assert.ok(found, `${cgroup} is gone`);
    return found;
  };
  const inside = (uid: number, ...command: string[]): ChildProcess =>
    spawn(launcher, ['--instance', instance, String(uid), '--', ...command], { stdio: 'ignore' });
  const run = (uid: number, ...command: string[]) =>
    spawnSync(launcher, ['--instance', instance, String(uid), '--', ...command], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });
  const held = (title: string, body: () => Promise<void> | void) =>
    test(`${title} (kernel v${version})`, async () => {
      try {
        await body();
      } finally {
        assert.deepEqual(releaseAll(host, { kill: true }), { ok: true, value: undefined });
      }
    });
  after(() => rmSync(host.paths.runtime, { recursive: true, force: true }));

  held('applyPolicy() limits a busy loop to its share of a core', async () => {
    mustApply(`<tenant uid="${first}"><cpu limit="20%"/></tenant>`, host);
    const child = inside(first, 'sh', '-c', 'while :; do :; done');
    await usesNoMoreThan(new Map([[`u${first}`, 0.26]]), counters);
    child.kill('SIGKILL');
  });

  held('applyPolicy() limits the sum of the tenants of a reseller', async () => {
    mustApply(
      `<reseller uid="${reseller}"><cpu limit="30%"/><tenant uid="${second}"/><tenant uid="${third}"/></reseller>`,
      host,
    );
    const children = [second, third].map((uid) => inside(uid, 'sh', '-c', 'while :; do :; done'));
    await usesNoMoreThan(new Map([[`r${reseller}`, 0.38]]), counters);
    for (const child of children) child.kill('SIGKILL');
  });

  held('counters() counts a process that the memory limit ended', () => {
    mustApply(`<tenant uid="${first}"><memory limit="64MiB"/></tenant>`, host);
    const hog = run(
      first,
      'sh',
      '-c',
      'head -c 200000000 /dev/zero | tail >/dev/null; echo survived $?',
    );
    assert.doesNotMatch(hog.stdout ?? '', /survived 0/);
    const { oomKills, memoryHits } = counters(`u${first}`);
    assert.ok(oomKills >= 1, 'no process was ended');
    assert.ok(memoryHits >= 1, 'the limit was never hit');
  });

  held('counters() counts forks that the processes limit refused', () => {
    mustApply(`<tenant uid="${first}"><processes limit="10"/></tenant>`, host);
    const storm = run(
      first,
      'sh',
      '-c',
      'for i in $(seq 30); do sleep 3600 >/dev/null 2>&1 & done',
    );
    assert.match(storm.stderr ?? '', /fork/i);
    assert.ok(counters(`u${first}`).forksRefused >= 1);
  });

  held('applyPolicy() limits direct writes and reads', () => {
    const { devices } = driver().capabilities;
    if (devices.length === 0) return console.log('# no disk here can be throttled: not tested');
    mustApply(`<tenant uid="${first}"><io read="2MiB/s" write="2MiB/s"/></tenant>`, host);
    using scratch = temporaryDirectory('io', '/var/tmp');
    const directory = scratch.path;
    execFileSync('chown', [String(first), directory]);
    execFileSync('dd', ['if=/dev/zero', `of=${directory}/r`, 'bs=1M', 'count=8', 'conv=fsync'], {
      stdio: 'ignore',
    });
    execFileSync('chown', [String(first), `${directory}/r`]);
    for (const words of [
      [`if=/dev/zero`, `of=${directory}/w`, 'oflag=direct'],
      [`if=${directory}/r`, 'of=/dev/null', 'iflag=direct'],
    ]) {
      const start = performance.now();
      const dd = run(first, 'dd', ...words, 'bs=256k', 'count=24');
      const seconds = (performance.now() - start) / 1000;
      assert.equal(dd.status, 0, dd.stderr);
      const rate = 6 / seconds;
      assert.ok(rate < 2.6, `${words.join(' ')}: ${rate.toFixed(2)} MiB/s`);
    }
  });

  held('applyPolicy() lowers memory below what is in use only with --force', async () => {
    const body = (limit: string) => `<tenant uid="${first}"><memory limit="${limit}"/></tenant>`;
    mustApply(body('128MiB'), host);
    const child = inside(
      first,
      'sh',
      '-c',
      'x=$(head -c 60000000 /dev/zero | tr "\\0" x); sleep 3600',
    );
    await eventually('it has its memory', () => (driver().memoryInUse(`u${first}`) ?? 0) >= 50e6);
    const refused = applyPolicy(policyOf(body('16MiB')), host, { kill: false, force: false });
    assert.ok(refused.ok);
    assert.match(
      messageOf(refused.value.failures[0]),
      /in use and cannot be reclaimed; raise the limit, or pass --force/,
    );
    assert.equal(child.exitCode ?? child.signalCode, null, 'the process was ended');
    assert.ok(
      planPolicy(policyOf(body('128MiB')), driver()).operations.length === 0,
      'the old limit is not in force',
    );
    mustApply(body('16MiB'), host, { kill: false, force: true });
    assert.ok((driver().memoryInUse(`u${first}`) ?? 0) <= 16 * 2 ** 20);
    child.kill('SIGKILL');
  });

  held('applyPolicy() reclaims page cache when memory is lowered', () => {
    const body = (limit: string) => `<tenant uid="${first}"><memory limit="${limit}"/></tenant>`;
    mustApply(body('128MiB'), host);
    using scratch = temporaryDirectory('cache', '/var/tmp');
    const directory = scratch.path;
    execFileSync('chown', [String(first), directory]);
    assert.equal(
      run(first, 'dd', 'if=/dev/zero', `of=${directory}/f`, 'bs=1M', 'count=60', 'conv=fsync')
        .status,
      0,
    );
    mustApply(body('16MiB'), host);
  });

  held('applyPolicy() kills the processes of a removed tenant only with --kill', async () => {
    mustApply(`<tenant uid="${first}"/><tenant uid="${second}"/>`, host);
    const child = inside(first, 'sleep', '3600');
    await eventually('it is inside', () => driver().processes(`u${first}`).length > 0);
    await eventually(
      'it runs sleep',
      () => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n',
    );
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
    await eventually('it is inside', () => driver().processes(`u${third}`).length > 0);
    mustApply(`<reseller uid="${reseller}"><tenant uid="${third}"/></reseller>`, host);
    assert.deepEqual(driver().processes(`r${reseller}/u${third}`), [child.pid]);
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
      const script = fileURLToPath(new URL('killed-apply.ts', import.meta.url));
      const when = at % 2 === 0 ? 'before' : 'after';
      const killed = spawnSync(process.execPath, [script, instance, body, String(at), when], {
        encoding: 'utf8',
      });
      assert.equal(killed.signal, 'SIGKILL', `operation ${at}: ${killed.stderr}`);
      mustApply(body, host);
      assert.deepEqual(mustApply(body, host).operations, []);
    }
  });

  held('applyPolicy() waits while another apply has the lock', async () => {
    mustApply(`<tenant uid="${first}"/>`, host);
    const hold = `import { lockFile } from ${JSON.stringify(new URL('../../src/sys/files/flock.ts', import.meta.url).href)};
      lockFile('${host.paths.runtime}/lock', { waitMs: 0 });
      console.log('held');
      setInterval(() => {}, 60_000);`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', hold], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.ok(holder.stdout);
    await once(holder.stdout, 'data');
    const waiting = spawn(process.execPath, [
      fileURLToPath(new URL('killed-apply.ts', import.meta.url)),
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
