/**
 * The rules that BPF programs enforce, on the oldest and the newest kernel of Debian's archive: the same tests as on
 * the guest's own.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { logToStderr } from '../../../testing/progress.ts';
import { otherKernels, prepareOtherKernel } from '../../../testing/oracle/other-kernels.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';

const files = ['symlinks', 'placement', 'modules-gate', 'jails'];

for (const other of otherKernels) {
  const prepared = await prepareOtherKernel(other, logToStderr);
  if (!prepared.ok) logToStderr(`Skipping the kernel of ${other.name}: ${prepared.error.reason}`);
  suite(
    `the kernel of ${other.name}`,
    { skip: prepared.ok ? false : prepared.error.reason },
    () => {
      for (const name of files) {
        test(`${name}.test.ts passes`, { timeout: longPatienceMilliseconds }, async () => {
          const file = join(import.meta.dirname, `../${name}.test.ts`);
          // Drops the mark of this test runner: with it, the inner one would report in its format.
          const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
          const child = spawn(process.execPath, ['--test', file], {
            env: { ...environment, BULKHEAD_GUEST_KERNEL: other.suites[0] },
            stdio: ['ignore', 'pipe', 'inherit'],
          });
          child.stdout.pipe(process.stderr, { end: false });
          const [status] = (await once(child, 'exit')) as [number | null];
          assert.equal(status, 0);
        });
      }
    },
  );
}
