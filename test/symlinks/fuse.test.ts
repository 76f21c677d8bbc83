/** A tenant mounts file systems that never answer: in its home, over its home, and where links lead. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import '../../testing/guard/here.ts';
import { alice, needsRoot, Stage, walk } from './stage.ts';

const fuseSource = fileURLToPath(new URL('../attacks/fuse-mount.c', import.meta.url));

function noFuse(): string | false {
  if (needsRoot !== false) return needsRoot;
  if (!existsSync('/dev/fuse')) return 'this kernel has no FUSE';
  return existsSync('/usr/bin/gcc') ? false : 'there is no C compiler';
}

if (process.argv[2] === 'inside') await inside(process.argv.slice(3));
else {
  test('auditHomes() does not wait for FUSE mounts that never answer', { skip: noFuse() }, () => {
    using stage = new Stage();
    const server = join(stage.root, 'fuse-mount');
    execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-o', server, fuseSource]);
    const me = fileURLToPath(import.meta.url);
    const out = execFileSync(
      'unshare',
      ['--mount', '--propagation', 'private', process.execPath, me, 'inside', server],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    );
    assert.match(out, /held\n/);
  });
}

/**
 * Runs in a mount namespace of its own, with a mount in a home, one that is a home, and links into
 * both.
 */
async function inside([server = '']: readonly string[]): Promise<void> {
  using stage = new Stage();
  const mounted = stage.directory(join(stage.alice, 'mounted'), alice);
  stage.link(join(mounted, 'x'), join(stage.alice, 'into'), alice);
  stage.link('mounted/x/../y', join(stage.alice, 'into-relative'), alice);
  stage.link(join(stage.bob, 'x'), join(stage.alice, 'into-home'), alice);
  const servers = [mounted, stage.bob].map((path) =>
    spawn(server, [path, 'sda1', 'allow_other'], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  try {
    for (const each of servers) await once(each.stdout, 'data');
    const { findings, problems } = await stage.audit({}, { silenceMs: 120_000 });
    assert.deepEqual(
      findings.map(({ path, severity }) => [path, severity]),
      ['into', 'into-home', 'into-relative'].map((name) => [join(stage.alice, name), 'medium']),
    );
    assert.deepEqual(problems.map(({ path, cause, kind }) => [path, cause.reason, kind]).sort(), [
      [mounted, 'another file system is mounted there, and is not read', 'skipped'],
      [stage.bob, 'it is on a file system that a program serves (FUSE)', 'unread'],
    ]);
    const old = walk(stage.alice, { openat2: false });
    assert.match(old.problems.join(), /another file system is mounted there/);
    process.stdout.write('held\n');
  } finally {
    for (const each of servers) {
      each.kill('SIGKILL');
      await once(each, 'exit');
    }
    execFileSync('umount', ['-l', mounted, stage.bob]);
  }
}
