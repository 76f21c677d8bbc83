/**
 * Remembers that systemd has yet to read its files, and whose slices are not ours any more: `/run/bulkhead/reload`,
 * a uid a line. An apply that was killed in between is thereby finished by the next one.
 */
import { rmSync } from 'node:fs';
import { failed, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { causeOf } from '../../sys/errno.ts';
import { readText } from '../../sys/files/read.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';
import type { Paths } from '../paths.ts';

export class StaleMark {
  readonly #path: string;

  constructor({ runtime }: Paths) {
    this.#path = `${runtime}/reload`;
  }

  get isSet(): boolean {
    return readText(this.#path) !== undefined;
  }

  /** Before anything is changed; with the uid of a tenant whose slice is left to systemd. */
  set(uid?: number): Result<void, Problem> {
    const uids = new Set(this.uids());
    if (this.isSet && (uid === undefined || uids.has(uid))) return ok(undefined);
    if (uid !== undefined) uids.add(uid);
    return replaceFile(this.#path, [...uids].map((each) => `${each}\n`).join(''));
  }

  uids(): readonly number[] {
    return (readText(this.#path) ?? '')
      .split('\n')
      .filter((line) => /^\d{1,10}$/.test(line))
      .map(Number);
  }

  clear(): Result<void, Problem> {
    try {
      rmSync(this.#path, { force: true });
      return ok(undefined);
    } catch (error) {
      return failed({ ...causeOf(error), action: 'remove', object: this.#path });
    }
  }
}
