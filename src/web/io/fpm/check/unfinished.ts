/**
 * Checks that did not finish, so that the next reload does not wait for the same ones again. php-fpm's own verdicts are
 * not kept: they take no time, and what they depend on, such as a directory, may have changed.
 *
 *     1795701743204 3f6c…       /run/bulkhead/fpm-8.4.unfinished: until when, in milliseconds, and of what
 */
import { createHash } from 'node:crypto';
import { readText } from '../../../../../packages/base/io/read.ts';
import { replaceFile } from '../../../../../packages/base/io/replace-file.ts';

const keptMs = 10 * 60_000;
const linesMax = 10_000;

export class Unfinished {
  readonly #path: string;
  readonly #until: Map<string, number>;
  #isChanged = false;

  constructor(path: string, now = Date.now()) {
    this.#path = path;
    const lines = (readText(path) ?? '').split('\n', linesMax).map((line) => line.split(' '));
    this.#until = new Map(
      lines.flatMap(([until, digest]) =>
        digest !== undefined && Number(until) > now && Number(until) <= now + keptMs
          ? [[digest, Number(until)] as const]
          : [],
      ),
    );
  }

  has(digest: string): boolean {
    return this.#until.has(digest);
  }

  add(digest: string, now = Date.now()): void {
    this.#until.set(digest, now + keptMs);
    this.#isChanged = true;
  }

  /** Forgets all of them: a person who asks wants to know the present state. */
  forget(): void {
    this.#isChanged ||= this.#until.size > 0;
    this.#until.clear();
  }

  /** Saves the checks. If the file cannot be written, the next reload waits again. */
  save(): void {
    if (!this.#isChanged) return;
    const lines = [...this.#until].map(([digest, until]) => `${until} ${digest}\n`);
    replaceFile(this.#path, lines.join(''));
  }
}

export const digestOfParts = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');

export const unfinishedReason = 'its last check did not finish, and it has not changed since';
