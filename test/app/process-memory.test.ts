/** The memory of tenants' database servers is read in processes that are killed if it takes long. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { memoryOf } from '../../src/app/io/process-memory.ts';
import { eventually } from '../../testing/patience.ts';
import { readText } from '../../packages/base/io/read.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const here = { proc: '/proc' };

test('it is added up over a process and its children', async () => {
  const child = spawn('sh', ['-c', 'sleep 600 & wait'], { stdio: 'ignore', detached: true });
  const pid = `${child.pid}`;
  try {
    await eventually('it has a child', () =>
      /^\d+ $/.test(readText(`/proc/${pid}/task/${pid}/children`) ?? ''),
    );
    const alone = await memoryOf([pid, '0', 'x', '999999999'], here);
    assert.deepEqual([...alone.keys()], [pid]);
    assert.ok((alone.get(pid) ?? 0) > 10_000);
  } finally {
    const exited = once(child, 'exit');
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await exited;
  }
});

test('what takes long is unknown, and does not keep others from being known', async () => {
  using directory = temporaryDirectory('memory');
  const proc = `${directory.path}/proc`;
  for (const pid of [1, 2, 3]) mkdirSync(`${proc}/${pid}/task/${pid}`, { recursive: true });
  for (const pid of [1, 2, 3]) writeFileSync(`${proc}/${pid}/smaps_rollup`, 'Pss:    7 kB\n');
  const many = Array.from({ length: 1000 }, (_, each) => each + 10).join(' ');
  writeFileSync(`${proc}/3/task/3/children`, many);
  const reader = `${directory.path}/read`;
  writeFileSync(reader, '#!/bin/sh\ncase "$1" in */1/*) exec sleep 600;; esac\ncat "$@"\n');
  chmodSync(reader, 0o755);
  const found = await memoryOf(['1', '2', '3'], { proc }, { reader });
  assert.deepEqual([...found], [['2', 7 * 1024]]);
});
