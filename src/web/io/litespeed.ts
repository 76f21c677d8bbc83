/**
 * Reads LiteSpeed's configuration. No program of LiteSpeed prints it, so its files are read as LiteSpeed reads them. A
 * file that others than root and LiteSpeed's administrator can change is not read: who can change it could claim any
 * site and any account.
 */
import { dirname } from 'node:path';
import { formatCause } from '../../../packages/base/problem.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { isDirectory, isFile, pathsOf } from '../../host/servers/find-servers.ts';
import type { ReadProblem } from '../core/directive.ts';
import type { LiteSpeedNode, LiteSpeedRead } from '../core/litespeed/node.ts';
import { parsePlain, type PlainFile } from '../core/litespeed/plain.ts';
import { liteSpeedSites } from '../core/litespeed/sites.ts';
import { pathIn } from '../core/litespeed/virtual-hosts.ts';
import { parseLiteSpeedXml } from '../core/litespeed/xml.ts';
import { pathOwnersReader } from './path-owners.ts';
import type { LiteSpeedInstallation, ReadWeb } from './servers.ts';

const fileBytesMax = 8 * 2 ** 20;
const allBytesMax = 256 * 2 ** 20;
const filesMax = 100_000;
/** A tenant can make any number of files in a directory that is included. */
const problemsMax = 1_000;

export function readLiteSpeed(installed: LiteSpeedInstallation): Promise<ReadWeb> {
  const { program, configuration, serverRoot } = installed;
  const reader = new FilesReader(installed);
  const server = reader.read(configuration);
  const files = { read: (path: string) => reader.read(path), ownerOf: reader.ownerOf };
  const sites = server === undefined ? [] : liteSpeedSites(server, serverRoot, files);
  return Promise.resolve({ name: 'litespeed', program, sites, problems: reader.problems });
}

class FilesReader {
  readonly problems: ReadProblem[] = [];
  readonly #ownersOf = pathOwnersReader();
  readonly #serverRoot: string;
  readonly #administrators: ReadonlySet<number>;
  #files = 0;
  #bytes = 0;
  #isFull = false;

  constructor({ configuration, serverRoot }: LiteSpeedInstallation) {
    this.#serverRoot = serverRoot;
    // The account of LiteSpeed's console owns the main file.
    this.#administrators = new Set([0, ...(this.#ownersOf(configuration)?.uids ?? []).slice(-1)]);
  }

  readonly ownerOf = (path: string): number | undefined => this.#ownersOf(path)?.uids.at(-1);

  read(path: string): LiteSpeedNode | undefined {
    const text = this.#text(path);
    if (text === undefined) return undefined;
    const { root, problems }: LiteSpeedRead = path.endsWith('.xml')
      ? parseLiteSpeedXml(path, text)
      : parsePlain({ path, text }, this.#included);
    this.problems.push(...problems);
    return root;
  }

  /** Returns the files that an include names: a file, those of a directory, or those that match. */
  readonly #included = (pattern: string, from: string): readonly PlainFile[] => {
    const named = pattern.replace(/^\$server_root\//i, `${this.#serverRoot}/`);
    const path = pathIn(dirname(from), named);
    const found = isDirectory(path)
      ? namesIn(path)
          .filter((each) => each.endsWith('.conf'))
          .map((each) => `${path}/${each}`)
      : pathsOf('', path).filter((each) => !/(~|,v)$/.test(each));
    return found.filter(isFile).flatMap((each) => {
      const text = this.#text(each);
      return text === undefined ? [] : [{ path: each, text }];
    });
  };

  #text(file: string): string | undefined {
    if (this.#isFull) return undefined;
    const problem = this.#refusal(file);
    if (problem !== undefined) return this.#failed(file, problem);
    const read = readBounded(file, fileBytesMax);
    if (!read.ok) return this.#failed(file, formatCause(read.error));
    this.#bytes += read.value.length;
    this.#isFull = ++this.#files === filesMax || this.#bytes > allBytesMax;
    if (this.#isFull)
      return this.#failed(file, 'all of its files together are too large to be read');
    return decodeText(read.value);
  }

  #refusal(file: string): string | undefined {
    const owners = this.#ownersOf(file);
    if (owners === undefined) return 'it cannot be found';
    const other = owners.uids.find((uid) => !this.#administrators.has(uid));
    if (other !== undefined)
      return `uid ${other} can change it, and so claim any site; make it root's, with all directories above it`;
    return owners.writableByOthers
      ? 'others can change it, and so claim any site; make it writable only by its owner'
      : undefined;
  }

  #failed(file: string, message: string): undefined {
    this.problems.push({ message, file });
    if (this.problems.length < problemsMax) return;
    this.#isFull = true;
    this.problems.push({ message: `${problemsMax} files cannot be used; no more are read` });
  }
}
