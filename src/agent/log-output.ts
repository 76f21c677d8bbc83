/**
 * The file descriptor to which the agent logs. It may fail at any time: the reader of a pipe ends, or a disk is full.
 * The agent goes on without its log, tries again with each line, and counts the lines that were lost.
 */
import { writeSync } from 'node:fs';

export interface LostLines {
  readonly count: number;
  /** The error of the first one. */
  readonly reason: string;
}

export class LogOutput {
  readonly #fd: number;
  #lost: LostLines | undefined;
  /** Whether the last line lacks its end. */
  #isCut = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Writes a line. Returns the lines that were lost before it, once, if this one was written. */
  write(line: string): LostLines | undefined {
    const bytes = Buffer.from(this.#isCut ? `\n${line}` : line);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    } catch (error) {
      if (written > 0) this.#isCut = true;
      const { count = 0, reason = (error as Error).message } = this.#lost ?? {};
      this.#lost = { count: count + 1, reason };
      return undefined;
    }
    const lost = this.#lost;
    this.#lost = undefined;
    this.#isCut = false;
    return lost;
  }
}
