/** Scripts that end with who started them, on this machine's kernel. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readText } from '../../packages/base/io/read.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const directory = suiteDirectory('child-script');

const library = new URL('../../src/sys/processes/child-script.ts', import.meta.url).pathname;
const child = join(directory, 'child.mts');
writeFileSync(
  child,
  `import { endWithParent } from '${library}';
endWithParent();
process.stdout.write(process.pid + '\\n');
for (;;) Math.sqrt(2);\n`,
);
const parent = join(directory, 'parent.mts');
writeFileSync(
  parent,
  `import { spawnScript } from '${library}';
const started = spawnScript('${child}');
started.value.stdin.end();
started.value.stdout.pipe(process.stdout);\n`,
);

test('endWithParent() ends a busy child when its parent is killed', async () => {
  const starter = spawn(process.execPath, [parent], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(starter.stdout, 'data')) as [Buffer];
  const pid = Number(chunk.toString());
  const isChild = () => readText(`/proc/${pid}/cmdline`)?.includes(child) === true;
  assert.ok(isChild());
  starter.kill('SIGKILL');
  await eventually('it has ended', () => !isChild());
});

test('endWithParent() exits with 1 when the parent has already ended', () => {
  const env = { ...process.env, PARENT: '1' };
  const { status, stdout } = spawnSync(process.execPath, [child], { env, encoding: 'utf8' });
  assert.deepEqual([status, stdout], [1, '']);
});
