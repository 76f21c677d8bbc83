/** A file system of 4 MiB for tests of full disks. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { Place } from './samples.ts';

export class SmallDisk implements Disposable {
  readonly path: string;

  constructor(parent: string) {
    this.path = `${parent}/disk`;
    mkdirSync(this.path);
    const options = 'size=4m,mode=0755';
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'bulkhead-store-test', this.path], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** Leaves some pages. */
  fill(): void {
    const fd = openSync(`${this.path}/filler`, 'w');
    try {
      for (;;) writeSync(fd, Buffer.alloc(4_096));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    } finally {
      closeSync(fd);
    }
  }

  free(): void {
    rmSync(`${this.path}/filler`);
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.path]);
  }
}

/** Returns the reason why there can be none here. */
export function mountProblem(): string | false {
  if (process.getuid?.() !== 0) return 'only root can mount';
  using place = new Place();
  try {
    new SmallDisk(place.parent)[Symbol.dispose]();
    return false;
  } catch (error) {
    return `cannot mount a tmpfs here: ${(error as Error).message}`;
  }
}
