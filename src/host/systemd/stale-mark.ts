/**
 * Records that systemd must still read its files, and which slices must still be left to it: `/run/bulkhead/reload`, one
 * per line by the names of their cgroups: `u1001`, `u1001/s-shop.example`, `outside/u1001`, or `slices` for the one around
 * all. A slice stays in it until systemd has set it without our limits. So the next apply finishes one that was killed.
 */
import { rmSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { sliceName, sliceNamed, type Slice } from '../../plan/slice.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import type { Paths } from '../paths.ts';

export class StaleMark {
  readonly #path: string;
  /**
   * Whether this object has made sure of the mark. Others change it only under the lock that the caller of `set` has.
   */
  #isKnown = false;

  constructor({ runtime }: Paths) {
    this.#path = `${runtime}/reload`;
  }

  get isSet(): boolean {
    return readText(this.#path) !== undefined;
  }

  /** Sets the mark before any change; with a slice that must be left to systemd. */
  set(slice?: Slice): Result<void, Problem> {
    if (slice === undefined && (this.#isKnown || this.isSet)) {
      this.#isKnown = true;
      return ok(undefined);
    }
    const lines = new Set(this.slices().map(sliceName));
    if (slice !== undefined && lines.has(sliceName(slice))) return ok(undefined);
    if (slice !== undefined) lines.add(sliceName(slice));
    const written = this.#write([...lines]);
    if (written.ok) this.#isKnown = true;
    return written;
  }

  #write(lines: readonly string[]): Result<void, Problem> {
    return replaceFile(this.#path, lines.map((each) => `${each}\n`).join(''));
  }

  slices(): readonly Slice[] {
    const lines = (readText(this.#path) ?? '').split('\n');
    return lines.flatMap((line) => sliceNamed(currentName(line)) ?? []);
  }

  /** Removes the mark, except for slices that must still be left to systemd. */
  clear(isLeft: (slice: Slice) => boolean): Result<void, Problem> {
    const kept = this.slices().filter((slice) => !isLeft(slice));
    return kept.length === 0 ? this.#remove() : this.#write(kept.map(sliceName));
  }

  #remove(): Result<void, Problem> {
    this.#isKnown = false;
    try {
      rmSync(this.#path, { force: true });
      return ok(undefined);
    } catch (error) {
      return failed({ ...causeOf(error), action: 'remove', object: this.#path });
    }
  }
}

/** Returns the name in a line of an earlier version: `1001`, `1001/shop.example`. */
const currentName = (line: string) =>
  line.replace(/^(\d+)\/(.+)$/, 'u$1/s-$2').replace(/^(\d+)$/, 'u$1');
