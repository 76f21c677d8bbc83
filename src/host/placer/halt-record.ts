/**
 * The tenants that a placer has stopped, in a file, for the next placer if this one dies before it continues them:
 *
 *     {"uids":[1001,100000],"before":[4711]}
 *
 * `before` lists processes that were stopped already; it is absent until they are known.
 */
import { rmSync } from 'node:fs';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';

interface Stopped {
  readonly uids: readonly number[];
  readonly before?: readonly number[];
}

export class HaltRecord {
  readonly #file: string | undefined;

  /** Creates a record. If `file` is undefined, it records nothing. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  write(uids: readonly number[], before: readonly number[] | undefined): Result<void, Problem> {
    if (this.#file === undefined) return ok(undefined);
    return replaceFile(this.#file, JSON.stringify({ uids, before }), 0o600);
  }

  clear(): void {
    if (this.#file !== undefined) rmSync(this.#file, { force: true });
  }

  /** Returns the record of an earlier placer that died; undefined if it had continued all processes. */
  read(): Stopped | undefined {
    return this.#file === undefined ? undefined : parse(readText(this.#file));
  }
}

function parse(text: string | undefined): Stopped | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Stopped;
  } catch {
    // It died while writing, before it stopped anything.
    return undefined;
  }
}
