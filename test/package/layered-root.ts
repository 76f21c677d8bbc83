/**
 * This host's root with an empty layer above it. Packages are installed there as on any Debian, and nothing of it is
 * left: the layer is in memory, in a mount namespace that ends with one process.
 */
import '../../testing/guard/here.ts';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const script = `set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root" "$1/files"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
for each in proc sys dev; do mount --rbind "/$each" "$1/root/$each"; done
# Purging the package removes pins of BPF programs, which must not be the host's.
! [ -d "$1/root/sys/fs/bpf" ] || mount -t tmpfs none "$1/root/sys/fs/bpf"
for each in run tmp mnt; do mount -t tmpfs none "$1/root/$each"; done
mount --bind "$1/files" "$1/root/mnt"
# The host's own state and policy have no part in it.
rm -rf "$1/root/etc/bulkhead" "$1/root/var/lib/bulkhead" "$1/root/var/cache/bulkhead"
echo ready
exec cat`;

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class LayeredRoot {
  readonly #holder: ChildProcess;
  readonly #directory: string;

  private constructor(holder: ChildProcess, directory: string) {
    this.#holder = holder;
    this.#directory = directory;
  }

  /** Makes it in an empty directory; throws if this kernel or container does not let it be made. */
  static async make(directory: string): Promise<LayeredRoot> {
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', directory];
    const holder = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let problem = '';
    holder.stderr.on('data', (chunk: Buffer) => (problem += chunk.toString()));
    const ended = once(holder, 'exit').then(() => {
      throw new Error(`cannot put a layer above this host's root: ${problem}`);
    });
    await Promise.race([once(holder.stdout, 'data'), ended]);
    ended.catch(() => {});
    return new LayeredRoot(holder, directory);
  }

  /** Puts a file or directory into /mnt of the layer. */
  put(path: string, name: string): void {
    const inside = `/proc/${this.#holder.pid}/root${this.#directory}/files`;
    mkdirSync(inside, { recursive: true });
    cpSync(path, `${inside}/${name}`, { recursive: true });
  }

  run(...command: readonly string[]): Ran {
    const enter = ['--mount', `--target=${this.#holder.pid}`, 'chroot', `${this.#directory}/root`];
    const env = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8'];
    return spawnSync('nsenter', [...enter, ...env, ...command], { encoding: 'utf8', cwd: '/' });
  }

  /** Returns the paths that are new, or changed, in the layer: other suites may change the root below meanwhile. */
  changed(): readonly string[] {
    const upper = `/proc/${this.#holder.pid}/root${this.#directory}/upper`;
    const all = readdirSync(upper, { recursive: true, withFileTypes: true });
    // The layer has a device in the place of what was removed. Source: the kernel's overlayfs.rst, "whiteouts".
    return all
      .filter((each) => !each.isCharacterDevice())
      .map((each) => join(each.parentPath, each.name).slice(upper.length))
      .sort();
  }

  [Symbol.dispose](): void {
    this.#holder.kill('SIGKILL');
  }
}
