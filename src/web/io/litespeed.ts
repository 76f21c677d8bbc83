/**
 * Reads LiteSpeed's configuration. No program of LiteSpeed prints it, so its files are read as LiteSpeed reads them. A
 * file that anybody besides root and LiteSpeed's administrator can change is not read: its author could claim any site
 * and any account.
 */
import { basename, dirname } from 'node:path';
import { formatCause } from '../../../packages/base/problem.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import type { FoundLiteSpeed } from '../../host/servers/find-servers.ts';
import type { ReadProblem } from '../core/directive.ts';
import type { LiteSpeedNode, LiteSpeedRead } from '../core/litespeed/node.ts';
import { parsePlain, type PlainFile } from '../core/litespeed/plain.ts';
import { liteSpeedSites } from '../core/litespeed/sites.ts';
import { pathIn } from '../core/litespeed/virtual-hosts.ts';
import { parseLiteSpeedXml } from '../core/litespeed/xml.ts';
import { isPattern, nameMatcher } from '../core/wildcard.ts';
import { pathOwnersReader, pathStepsReader, type PathStep } from './path-owners.ts';
import type { ReadWeb } from './servers.ts';

const fileBytesMax = 8 * 2 ** 20;
const allBytesMax = 256 * 2 ** 20;
/** The limit for files and directories, whether they are read or not. */
const pathsMax = 100_000;
const problemsMax = 1000;

export function readLiteSpeed(installed: FoundLiteSpeed): Promise<ReadWeb> {
  const { program, configuration, otherConfiguration, serverRoot } = installed;
  if (otherConfiguration !== undefined) {
    const message = `${program} does not show whether it reads this file or ${otherConfiguration}; remove the one that it does not read`;
    const problems = [{ message, file: configuration }];
    return Promise.resolve({ name: 'litespeed', program, sites: [], problems });
  }
  const reader = new FilesReader(installed);
  const server = reader.read(configuration);
  const files = { read: (path: string) => reader.read(path), ownerOf: reader.ownerOf };
  const sites = server === undefined ? [] : liteSpeedSites(server, serverRoot, files);
  return Promise.resolve({ name: 'litespeed', program, sites, problems: reader.problems });
}

class FilesReader {
  readonly problems: ReadProblem[] = [];
  readonly ownerOf: (path: string) => number | undefined;
  readonly #stepsOf = pathStepsReader();
  readonly #serverRoot: string;
  readonly #administrators: ReadonlySet<number>;
  #paths = 0;
  #bytes = 0;
  #isFull = false;

  constructor({ configuration, serverRoot }: FoundLiteSpeed) {
    const ownersOf = pathOwnersReader(this.#stepsOf);
    this.ownerOf = (path) => ownersOf(path)?.uids.at(-1);
    this.#serverRoot = serverRoot;
    // The account of LiteSpeed's console owns the main file.
    this.#administrators = new Set([0, this.ownerOf(configuration) ?? 0]);
  }

  read(path: string): LiteSpeedNode | undefined {
    const kind = this.#kindAt(path);
    if (kind === 'absent') this.#report(path, 'it cannot be found');
    const text = kind === 'other' || kind === 'directory' ? this.#text(path) : undefined;
    if (text === undefined) return undefined;
    const { root, problems }: LiteSpeedRead = path.endsWith('.xml')
      ? parseLiteSpeedXml(path, text)
      : parsePlain({ path, text }, this.#included);
    for (const each of problems) this.#add(each);
    return root;
  }

  /** Returns the files that an include names: one file, a directory's files, or the files that match. */
  readonly #included = (pattern: string, from: string): readonly PlainFile[] => {
    const named = pattern.replace(/^\$server_root\//i, `${this.#serverRoot}/`);
    const path = pathIn(dirname(from), named);
    return (isPattern(path) ? this.#matching(path) : this.#at(path)).flatMap((each) => {
      const text = this.#kindAt(each) === 'other' ? this.#text(each) : undefined;
      return text === undefined ? [] : [{ path: each, text }];
    });
  };

  #at(path: string): readonly string[] {
    const kind = this.#kindAt(path);
    if (kind === 'directory') return pathsIn(path, (name) => name.endsWith('.conf'));
    return kind === 'other' ? [path] : [];
  }

  #matching(path: string): readonly string[] {
    const directory = dirname(path);
    if (isPattern(directory)) {
      this.#report(
        path,
        'LiteSpeed matches only the last name of an include; no directory may have a wildcard',
      );
      return [];
    }
    if (this.#kindAt(directory) !== 'directory') return [];
    const matches = nameMatcher(basename(path), { dots: true });
    return pathsIn(directory, (name) => matches(name) && !/(~|,v)$/.test(name));
  }

  /**
   * Returns what is at a path. Nothing is looked at in a directory that others can change: they could put any number of
   * names there, or mount a file system that never answers.
   */
  #kindAt(path: string): PathStep['kind'] | 'absent' | 'refused' {
    if (++this.#paths > pathsMax) this.#stop(path, `it has more than ${pathsMax} files`);
    if (this.#isFull) return 'refused';
    let kind: PathStep['kind'] = 'directory';
    for (const step of this.#stepsOf(path)) {
      if (step === undefined) return 'absent';
      const reason = this.#refusal(step);
      if (reason !== undefined) {
        this.#report(path, reason);
        return 'refused';
      }
      ({ kind } = step);
    }
    return kind;
  }

  #refusal({ kind, uid, writableByOthers }: PathStep): string | undefined {
    if (kind === 'mount' || !this.#administrators.has(uid))
      return `uid ${uid} could claim any site with it; give it and all directories above it to root`;
    return writableByOthers
      ? 'others could claim any site with it; make it writable only by its owner'
      : undefined;
  }

  #text(file: string): string | undefined {
    const read = readBounded(file, fileBytesMax);
    if (!read.ok) {
      this.#report(file, formatCause(read.error));
      return undefined;
    }
    this.#bytes += read.value.length;
    if (this.#bytes > allBytesMax) this.#stop(file, 'all of its files together are too large');
    return this.#isFull ? undefined : decodeText(read.value);
  }

  #stop(file: string, reason: string): void {
    if (!this.#isFull) this.#report(file, `${reason}; the rest is not read`);
    this.#isFull = true;
  }

  #report(file: string, message: string): void {
    this.#add({ message, file });
  }

  #add(problem: ReadProblem): void {
    if (this.problems.length < problemsMax) this.problems.push(problem);
    else if (this.problems.length === problemsMax)
      this.problems.push({
        message: `it has more than ${problemsMax} problems; correct these first`,
      });
  }
}

const pathsIn = (directory: string, wants: (name: string) => boolean): readonly string[] =>
  namesIn(directory)
    .filter(wants)
    .map((name) => `${directory}/${name}`);
