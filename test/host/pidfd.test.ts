/** A process that stays the same one, on the real kernel. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { openProcess, type OpenProcess } from '../../src/sys/processes/pidfd.ts';
import { eventually } from '../../testing/patience.ts';

if (process.argv[2] === 'recycle') await recycle();
else {
  test('openProcess() reads and signals the process, and fails with ESRCH once it is gone', async () => {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    using held = opened(child.pid);
    const status = held.read('status');
    assert.ok(status.ok && status.value.startsWith('Name:\tsleep\n'));
    assert.deepEqual(held.read('none'), { ok: false, error: 'ESRCH' });
    assert.equal(held.signal('SIGKILL'), undefined);
    const [, signal] = (await once(child, 'exit')) as [unknown, string];
    assert.equal(signal, 'SIGKILL');
    assert.deepEqual(held.read('status'), { ok: false, error: 'ESRCH' });
    assert.equal(held.signal('SIGKILL'), 'ESRCH');
  });

  test('openProcess() fails with ESRCH when there is no such process', () => {
    assert.deepEqual(openProcess(2 ** 30), { ok: false, error: 'ESRCH' });
  });

  const skip = process.getuid?.() === 0 ? false : 'only root can give out process ids';
  test(
    'openProcess() never reads or signals another process that got the same pid',
    { skip },
    () => {
      const me = fileURLToPath(import.meta.url);
      const inside = ['--pid', '--fork', '--kill-child', '--mount-proc'];
      const words = execFileSync('unshare', [...inside, process.execPath, me, 'recycle'], {
        encoding: 'utf8',
      });
      assert.equal(words.trim(), 'ESRCH ESRCH SIGTERM');
    },
  );
}

/** Runs in a pid namespace of its own, so that the next id can be chosen. */
async function recycle(): Promise<void> {
  const first = spawn('sleep', ['600'], { stdio: 'ignore' });
  using held = opened(first.pid);
  first.kill('SIGKILL');
  await once(first, 'exit');
  const second = await withPid(held.pid);
  const read = held.read('status');
  const answers = [read.ok ? read.value : read.error, held.signal('SIGKILL')];
  second.kill('SIGTERM');
  const [, endedBy] = (await once(second, 'exit')) as [unknown, string];
  process.stdout.write(`${[...answers, endedBy].join(' ')}\n`);
}

/** Threads of this process take numbers as well, so more than one attempt may be needed. */
function withPid(pid: number): Promise<ChildProcess> {
  return eventually(`a process gets the number ${pid}`, async () => {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    if (child.pid === pid) return child;
    child.kill('SIGKILL');
    await once(child, 'exit');
    return undefined;
  });
}

function opened(pid: number | undefined): OpenProcess {
  const process = openProcess(pid ?? 0);
  assert.ok(process.ok);
  return process.value;
}
