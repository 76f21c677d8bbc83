/**
 * Files of a panel, read as root on a host whose users may be hostile. A file counts only if root or the panel's own
 * account could have written it; links, pipes and large files are refused. Every refusal is kept.
 */
import { fstatSync, readdirSync, type Stats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causeOf } from '../../../packages/base/io/errno.ts';
import {
  directoryProblem,
  isTrusted,
  pinDirectory,
  type PinnedDirectory,
} from '../../../packages/base/io/pinned-directory.ts';
import {
  cannotRead,
  decodeText,
  openRegularFile,
  readWhole,
} from '../../../packages/base/io/regular-file.ts';
import { causedBy, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';

/** The account whose files count as the panel's own, next to root's. */
export interface PanelOwner {
  readonly uid: number;
  readonly gid: number;
}

/** More than any server has accounts or packages. */
const namesMax = 200_000;
/** Stops a panel whose every file is wrong from filling the memory. */
const problemsMax = 100_000;

const tooManyProblems: Problem = {
  action: 'list all problems of the panel',
  reason: `there are more than ${problemsMax}`,
};

export interface TextOptions {
  readonly bytesMax: number;
  readonly isOptional?: boolean;
  /** Whether the text may have bytes that are not UTF-8, which are replaced: users of the panel may write parts of it. */
  readonly anyBytes?: boolean;
}

export class PanelFiles {
  readonly problems: Problem[] = [];
  readonly #owner: PanelOwner | undefined;

  constructor(owner?: PanelOwner) {
    this.#owner = owner;
  }

  add(problem: Problem): void {
    this.addAll([problem]);
  }

  addAll(problems: readonly Problem[]): void {
    for (const each of problems) {
      if (this.problems.length > problemsMax) return;
      const isFull = this.problems.length === problemsMax;
      this.problems.push(isFull ? tooManyProblems : each);
    }
  }

  /** Opens a directory that the panel's documents name, which may be a link that only root could have made. */
  base(path: string): PinnedDirectory | undefined {
    const parent = pinDirectory(dirname(path));
    if (parent.ok) {
      using directory = parent.value;
      const problem = directoryProblem(directory);
      if (problem !== undefined) {
        this.add({ ...problem, action: 'open the directory', object: path });
        return undefined;
      }
    }
    return this.#checked(pinDirectory(path), path);
  }

  /** Opens a directory below; undefined if it is missing, or after its problem was kept. */
  directory(above: PinnedDirectory, name: string, isOptional = false): PinnedDirectory | undefined {
    const opened = pinDirectory(above.at(name), 'refuse');
    if (isOptional && !opened.ok && opened.error.errno === 'ENOENT') return undefined;
    const path = `${above.path}/${name}`;
    const found = this.#checked(opened, path);
    return found && { ...found, path };
  }

  #checked(opened: Result<PinnedDirectory, Problem>, path: string): PinnedDirectory | undefined {
    if (!opened.ok) {
      this.add({ ...opened.error, object: path });
      return undefined;
    }
    const problem = this.#trustProblem(fstatSync(opened.value.fd));
    if (problem === undefined) return opened.value;
    opened.value[Symbol.dispose]();
    this.add({ ...problem, action: 'open the directory', object: path });
    return undefined;
  }

  /** Returns the names in a directory, in order; those that begin with a dot are no accounts and no packages. */
  names(directory: PinnedDirectory): readonly string[] {
    try {
      const names = readdirSync(directory.at('.')).filter((each) => !each.startsWith('.'));
      if (names.length > namesMax)
        this.add({
          action: 'read all of',
          object: directory.path,
          reason: `it has ${names.length} names; the limit is ${namesMax}`,
        });
      return names.sort().slice(0, namesMax);
    } catch (error) {
      this.add({ ...causeOf(error), action: 'read the directory', object: directory.path });
      return [];
    }
  }

  /** Returns the text of a file; undefined if it is optional and missing, or after its problem was kept. */
  text(
    directory: PinnedDirectory,
    name: string,
    { bytesMax, isOptional = false, anyBytes = false }: TextOptions,
  ): string | undefined {
    const path = `${directory.path}/${name}`;
    const opened = openRegularFile(directory.at(name), { links: 'refuse', shownAs: path });
    if (!opened.ok) {
      if (!isOptional || opened.error.errno !== 'ENOENT') this.add(opened.error);
      return undefined;
    }
    using file = opened.value;
    const problem = this.#trustProblem(file.stat);
    const read = problem === undefined ? readWhole(file, bytesMax) : cannotRead(path, problem);
    const decoded = read.ok ? decode(read.value, path, anyBytes) : read;
    if (decoded.ok) return decoded.value;
    this.add(decoded.error);
    return undefined;
  }

  #trustProblem({ uid, gid, mode }: Stats): Cause | undefined {
    const own = this.#owner;
    if (!isTrusted(uid) && uid !== own?.uid) return { reason: `it belongs to uid ${uid}` };
    const groupMayWrite = (mode & 0o020) !== 0 && gid !== 0 && gid !== own?.gid;
    if ((mode & 0o002) === 0 && !groupMayWrite) return undefined;
    return { reason: 'it can be written by others than the panel' };
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Uint8Array, path: string, anyBytes: boolean): Result<string, Problem> {
  if (anyBytes) return ok(decodeText(bytes));
  try {
    return ok(utf8.decode(bytes));
  } catch {
    return cannotRead(path, { reason: 'it is not UTF-8' });
  }
}

/** Reads a file by its whole path, which only root could have written. */
export function rootsText(files: PanelFiles, path: string, bytesMax: number): string | undefined {
  const opened = pinDirectory(dirname(path));
  if (!opened.ok) {
    files.add({ ...causedBy(opened.error), action: 'read', object: path });
    return undefined;
  }
  using directory = opened.value;
  const problem = directoryProblem(directory);
  if (problem === undefined) return files.text(directory, basename(path), { bytesMax });
  files.add({ ...problem, action: 'read', object: path });
  return undefined;
}
