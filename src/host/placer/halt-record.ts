/**
 * Whom a placer has stopped, in a file, for the one that follows it should it die before they go on:
 *
 *     {"uids":[1001,100000],"before":[4711]}
 *
 * `before` names processes that were stopped already; it is absent until that is known.
 */
import { rmSync } from 'node:fs';
import { errnoOf, type ErrnoName } from '../../sys/errno.ts';
import { readText } from '../../sys/files/read.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';

interface Stopped {
  readonly uids: readonly number[];
  readonly before?: readonly number[];
}

export class HaltRecord {
  readonly #file: string | undefined;

  /** Without a file nothing is remembered. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** The error, or nothing. */
  write(uids: readonly number[], before: readonly number[] | undefined): ErrnoName | undefined {
    if (this.#file === undefined) return undefined;
    try {
      replaceFile(this.#file, JSON.stringify({ uids, before }), 0o600);
      return undefined;
    } catch (error) {
      return errnoOf(error);
    }
  }

  clear(): void {
    if (this.#file !== undefined) rmSync(this.#file, { force: true });
  }

  /** What an earlier placer has left that died; nothing where it had continued everybody. */
  read(): Stopped | undefined {
    return this.#file === undefined ? undefined : parse(readText(this.#file));
  }
}

function parse(text: string | undefined): Stopped | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Stopped;
  } catch {
    // It died while it wrote, before it stopped anybody.
    return undefined;
  }
}
