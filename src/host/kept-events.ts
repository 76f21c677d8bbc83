/**
 * The last events of a kind, a line of JSON each, in a file below /var/lib/INSTANCE. The agent or a command, whichever
 * reads first, takes them from the kernel; both see them.
 */
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { causeOf } from '../../packages/base/io/errno.ts';
import { lockFile } from '../sys/files/flock.ts';
import { readText } from '../../packages/base/io/read.ts';
import { replaceFile } from '../../packages/base/io/replace-file.ts';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const keptMax = 200;
const lockMilliseconds = 5_000;

export class KeptEvents<T> {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Lists the events, oldest first. A line that is not ours is left out. */
  list(): readonly T[] {
    return (readText(this.#path) ?? '').split('\n').flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as T];
      } catch {
        return [];
      }
    });
  }

  /** Takes new events, which nobody else receives, and keeps them. */
  take(fresh: () => Result<readonly T[], Problem>): Result<readonly T[], Problem> {
    const directory = dirname(this.#path);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o755 });
    } catch (error) {
      return failed({ action: 'create the directory', object: directory, ...causeOf(error) });
    }
    const locked = lockFile(`${this.#path}.lock`, { waitMs: lockMilliseconds });
    if (!locked.ok) return locked;
    using _locked = locked.value;
    const taken = fresh();
    if (!taken.ok || taken.value.length === 0) return taken;
    const kept = [...this.list(), ...taken.value].slice(-keptMax);
    const text = kept.map((each) => `${JSON.stringify(each)}\n`).join('');
    const written = replaceFile(this.#path, text, 0o600);
    return written.ok ? ok(taken.value) : written;
  }
}
