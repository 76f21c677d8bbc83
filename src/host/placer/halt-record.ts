/**
 * Whom a placer has stopped, in a file, for the one that follows it should it die before they go on:
 *
 *     {"uids":[1001,100000],"before":[4711]}
 *
 * `before` names processes that were stopped already; it is absent until that is known.
 */
import { rmSync } from 'node:fs';
import { errnoOf, type ErrnoName } from '../errno.ts';
import { openProcess } from '../pidfd.ts';
import { readText } from '../read.ts';
import { replaceFile } from '../replace-file.ts';
import { listProcesses, type ProcessReader } from './process-reader.ts';

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

  /** Continues those that an earlier placer has stopped and died. */
  recover(reader: ProcessReader): void {
    const stopped = this.#file === undefined ? undefined : parse(readText(this.#file));
    if (stopped !== undefined) continueStopped(stopped, reader);
    this.clear();
  }
}

function continueStopped({ uids, before }: Stopped, reader: ProcessReader): void {
  const wanted = new Set(uids);
  const spared = new Set(before);
  for (const pid of listProcesses().reverse()) {
    if (spared.has(pid)) continue;
    const opened = openProcess(pid);
    if (!opened.ok) continue;
    using process = opened.value;
    const owner = reader.owner(pid);
    const stopped = reader.stopped(pid);
    if (!owner.ok || !stopped.ok || !stopped.value.now) continue;
    const { ruid, euid, thread } = owner.value;
    const maker = reader.namespaceMaker(pid, thread);
    const isTheirs = [ruid, euid, maker.ok ? (maker.value ?? 0) : 0].some((uid) => wanted.has(uid));
    // The first SIGSTOP still waits where it was not the one that stopped the process.
    const wasBefore = before === undefined && stopped.value.again;
    if (isTheirs && !wasBefore) process.signal('SIGCONT');
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
