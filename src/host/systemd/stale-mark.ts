/**
 * Records that systemd must still read its files, and which slices are no longer ours: `/run/bulkhead/reload`, one per
 * line by the names of their cgroups: `u1001`, `u1001/s-shop.example`, or `slices` for the one around all. So the next
 * apply finishes one that was killed in between.
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

  /** Sets the mark before any change; with a slice that is left to systemd. */
  set(slice?: Slice): Result<void, Problem> {
    if (slice === undefined && (this.#isKnown || this.isSet)) {
      this.#isKnown = true;
      return ok(undefined);
    }
    const lines = new Set(this.slices().map(sliceName));
    if (slice !== undefined && lines.has(sliceName(slice))) return ok(undefined);
    if (slice !== undefined) lines.add(sliceName(slice));
    const replaced = replaceFile(this.#path, [...lines].map((each) => `${each}\n`).join(''));
    if (replaced.ok) this.#isKnown = true;
    return replaced;
  }

  slices(): readonly Slice[] {
    const lines = (readText(this.#path) ?? '').split('\n');
    return lines.flatMap((line) => sliceNamed(currentName(line)) ?? []);
  }

  clear(): Result<void, Problem> {
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
