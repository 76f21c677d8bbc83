/**
 * A program that not even SIGKILL ends: it waits for a FUSE file system whose server has taken the request and does not
 * answer. Whoever runs the program must not wait with it.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { runBounded } from '../../src/sys/processes/run-bounded.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { childrenOf, skip } from './hanging-process.ts';

const me = fileURLToPath(import.meta.url);

if (process.argv[2] === 'inside') await inside(process.argv[3] ?? '', process.argv[4] ?? '');
else
  test('runBounded() returns although the killed program does not end', { skip }, () => {
    using directory = temporaryDirectory('hanging-program');
    const [server, place] = [join(directory.path, 'fuse-mount'), join(directory.path, 'place')];
    const source = fileURLToPath(new URL('./fuse-mount.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-o', server, source]);
    mkdirSync(place);
    const words = [process.execPath, me, 'inside', server, place];
    const out = execFileSync('unshare', ['--mount', '--propagation', 'private', ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.match(out, /returned\n$/);
  });

/** Runs in a mount namespace of its own, so that the mount is gone whatever happens. */
async function inside(server: string, place: string): Promise<void> {
  const fuse = spawn(server, [place, 'hangs', 'allow_other', 'read'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let isOver = false;
  // The program ends with the server, so that a caller that waits for it waits no longer than this.
  const timer = setTimeout(() => {
    isOver = true;
    fuse.kill('SIGKILL');
  }, patienceMilliseconds);
  await once(fuse.stdout, 'data');
  const run = await runBounded('stat', [place], { timeoutMs: 200 });
  assert.ok(!isOver, 'it waited for the program');
  assert.deepEqual(run, { ok: false, error: { reason: 'it did not finish within 0.2 s' } });
  assert.equal(childrenOf(process.pid).split(' ').length, 2, 'the program has not ended');
  clearTimeout(timer);
  fuse.kill('SIGKILL');
  await eventually('both end', () => childrenOf(process.pid) === '');
  process.stdout.write('returned\n');
}
