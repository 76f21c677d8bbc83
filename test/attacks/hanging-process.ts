/** A shell of another account with the attack of fuse-hang.c as its child, which makes whoever reads about that wait for ever. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readText } from '../../packages/base/io/read.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

export const skip =
  process.getuid?.() !== 0
    ? 'only root may become a tenant'
    : !existsSync('/dev/fuse')
      ? 'this kernel has no FUSE'
      : !existsSync('/usr/bin/gcc') && 'there is no C compiler';

export const childrenOf = (pid: number): string =>
  readText(`/proc/${pid}/task/${pid}/children`)?.trim() ?? '';

export class HangingProcess implements Disposable {
  /** The pids of the shell and of its child. */
  readonly pid: number;
  readonly hanging: number;
  readonly #directory: Disposable;

  static async start(uid: number): Promise<HangingProcess> {
    const directory = temporaryDirectory('hanging', tmpdir(), 0o755);
    const [attack, device] = [join(directory.path, 'fuse-hang'), join(directory.path, 'fuse')];
    const source = fileURLToPath(new URL('./fuse-hang.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-pthread', '-o', attack, source]);
    execFileSync('mknod', ['-m', '666', device, 'c', '10', '229']);
    const words = ['-c', '"$0" io "$1" & wait; exec sleep 3600', attack, device];
    const child = spawn('sh', words, {
      uid,
      gid: uid,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let hanging = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      if (/^\d+$/.test(line)) hanging = Number(line);
      if (line.startsWith('hangs ')) return new HangingProcess(child.pid ?? 0, hanging, directory);
    }
    throw new Error('the attack has ended');
  }

  private constructor(pid: number, hanging: number, directory: Disposable) {
    this.pid = pid;
    this.hanging = hanging;
    this.#directory = directory;
  }

  [Symbol.dispose](): void {
    process.kill(-this.pid, 'SIGKILL');
    this.#directory[Symbol.dispose]();
  }
}
