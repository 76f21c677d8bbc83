/**
 * A FUSE mount with a hostile name that nobody ever answers, seen by the probe of this machine: neither
 * the disks that are throttled nor the file system of the home change, and nothing waits for it.
 *
 * It is mounted in a mount namespace of its own by what stands in for fusermount3; the
 * guest has the real one (`test/vm/attacks-fuse.test.ts`).
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { readFileSystems } from '../../src/host/disks/file-systems.ts';
import { markHomes } from '../../src/host/accounts/homes.ts';
import { linuxHost } from '../../src/host/host.ts';
import { readMounts } from '../../src/sys/files/mounts.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const paths = pathsOf('bulkhead-fuse-test');
const tenant = 64_231;
/** Only against hanging: what it bounds takes a fraction of a second. */
const hangs = 60_000;

if (process.argv[2] === 'probe') process.stdout.write(JSON.stringify(seen(process.argv[3] ?? '')));
else if (process.argv[2] === 'inside') await inside(process.argv.slice(3));
else {
  test(
    "a FUSE mount over a tenant's own home changes no disks, and blocks nobody",
    {
      skip: reasonToSkip(),
    },
    () => {
      using directory = temporaryDirectory('fuse');
      const scratch = directory.path;
      const server = join(scratch, 'fuse-mount');
      const source = fileURLToPath(new URL('./fuse-mount.c', import.meta.url));
      execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-o', server, source]);
      const home = join(scratch, 'home');
      mkdirSync(home);
      const me = fileURLToPath(import.meta.url);
      const words = [process.execPath, me, 'inside', server, home];
      const out = execFileSync('unshare', ['--mount', '--propagation', 'private', ...words], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      assert.match(out, /nothing changed\n$/);
    },
  );
}

function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'only root may mount';
  if (!existsSync('/dev/fuse')) return 'this kernel has no FUSE';
  if (!linuxHost(paths).probe().ok) return 'there are no cgroups to hold anybody with';
  return existsSync('/usr/bin/gcc') ? false : 'there is no C compiler';
}

function seen(directory: string) {
  const probed = linuxHost(paths).probe();
  assert.ok(probed.ok);
  // The answer differs while it is covered; it only matters that there is one.
  markHomes([{ user: 'tenant', uid: tenant, gid: tenant, home: directory }], paths);
  return {
    devices: probed.value.capabilities.devices,
    fileSystems: readFileSystems(paths).all,
    home: readFileSystems(paths).of(directory) ?? 'on no disk',
  };
}

/** Runs in a mount namespace of its own, so that the mounts are gone whatever happens. */
async function inside([server = '', home = '']: readonly string[]): Promise<void> {
  const before = probe(home);
  for (const name of [...disksNotUsed(before), '/dev/../dev/loop0', 'proc']) {
    const child = spawn(server, [home, name, 'allow_other'], {
      env: { FUSE_UID: String(tenant) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      const mounted = readMounts(paths).at(-1);
      assert.deepEqual([mounted?.mountPoint, mounted?.source], [home, name]);
      assert.equal(probe(home), before, name);
    } finally {
      await end(child);
      execFileSync('umount', ['-l', home]);
    }
  }
  process.stdout.write('nothing changed\n');
}

/** A process that waits for FUSE does end by SIGKILL. */
function probe(home: string): string {
  return execFileSync(process.execPath, [fileURLToPath(import.meta.url), 'probe', home], {
    encoding: 'utf8',
    timeout: hangs,
    killSignal: 'SIGKILL',
  });
}

/** Returns device files of disks that no file system of tenants is on, and of one that is. */
function disksNotUsed(before: string): readonly string[] {
  const all = ['/dev/loop0', '/dev/ram0', '/dev/vda', '/dev/vdb', '/dev/sda1'];
  const used = (JSON.parse(before) as ReturnType<typeof seen>).fileSystems.flatMap(
    ({ node }) => node ?? [],
  );
  return [...all.filter((each) => existsSync(each)), ...used];
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
