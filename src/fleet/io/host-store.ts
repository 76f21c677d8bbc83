/**
 * The files of a host in a fleet, for root only. Each is replaced whole and synced, so a reader finds the old one or the
 * new one, whenever the writer was killed.
 *
 *     /var/lib/bulkhead/fleet/state.json           what the host knows, and is doing
 *     /var/lib/bulkhead/fleet/trust.json           the newest trust, and since when root has given the host one
 *     /var/lib/bulkhead/fleet/releases/1-43.xml    the policy of generation 43 under trust version 1
 *     /var/lib/bulkhead/fleet/policy.xml           the policy in force: the same file under another name
 *
 * A policy is put in force by a second name and a rename. So a host can go back while its disk is full.
 */
import { fsyncSync, linkSync, lstatSync, mkdirSync, renameSync } from 'node:fs';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import {
  removeFile,
  removeIfThere,
  removeIn,
  removeTree,
  replaceIn,
} from '../../../packages/base/io/replace-file.ts';
import { parseObject } from '../../../packages/base/json.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { parseState } from '../core/parse-state.ts';
import type { HostState, ReleaseId } from '../core/states.ts';

const stateBytesMax = 2 ** 20;
const trustBytesMax = 16 * 2 ** 20;
export const policyBytesMax = 16 * 2 ** 20;
const inForce = 'policy.xml';
/** The second name of a release until it is renamed. */
const next = '.policy.xml.next';

/** The trust of a host. */
export interface HostTrust {
  /** An id of the moment in which root gave the host a trust: numbers of releases from before mean nothing. */
  readonly given: string;
  /** The newest version, whose signatures were verified before it was kept. */
  readonly document: string;
}

const nameOf = ({ trust, generation }: ReleaseId) => `${trust}-${generation}.xml`;

export class HostStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes the directories, for a host that joins. */
  create(): Result<void, Problem> {
    const object = this.#at('releases');
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      mkdirSync(object, { recursive: true, mode: 0o700 });
      return ok(undefined);
    } catch (error) {
      return failed({ action: 'create the directory', object, ...causeOf(error) });
    }
  }

  /** Removes everything. */
  remove(): Result<void, Problem> {
    return removeTree(this.directory);
  }

  /** Whether the host is in a fleet; also if its state is damaged. */
  exists(): boolean {
    return this.stateVersion() !== undefined;
  }

  /** Returns what differs whenever the state was written; undefined if there is none. */
  stateVersion(): string | undefined {
    const stat = lstatSync(this.#at('state.json'), { throwIfNoEntry: false, bigint: true });
    return stat && `${stat.ino} ${stat.ctimeNs}`;
  }

  /** Returns the policy in force; undefined if there is none. */
  readInForce(): Result<string | undefined, Problem> {
    return this.#read(this.#at(inForce), policyBytesMax);
  }

  /** Returns what the host knows; undefined if it is in no fleet. */
  readState(): Result<HostState | undefined, Problem> {
    const object = this.#at('state.json');
    const text = this.#read(object, stateBytesMax);
    if (!text.ok || text.value === undefined) return text.ok ? ok(undefined) : text;
    const state = parseState(parseObject(text.value));
    const hint =
      '"bulkhead fleet leave", and then "join", begin anew; what is in force stays until then';
    return state === undefined
      ? failed({ action: 'read', object, reason: 'it is damaged', hint })
      : ok(state);
  }

  writeState(state: HostState): Result<void, Problem> {
    return this.#write('state.json', JSON.stringify(state));
  }

  /** Returns the trust; undefined if there is none. */
  readTrust(): Result<HostTrust | undefined, Problem> {
    const object = this.#at('trust.json');
    const text = this.#read(object, trustBytesMax);
    if (!text.ok || text.value === undefined) return text.ok ? ok(undefined) : text;
    const { document, given } = parseObject(text.value) ?? {};
    return typeof given === 'string' && typeof document === 'string'
      ? ok({ given, document })
      : failed({ action: 'read', object, reason: 'it is damaged', hint: trustHint });
  }

  writeTrust({ given, document }: HostTrust): Result<void, Problem> {
    return this.#write('trust.json', JSON.stringify({ format: 1, given, document }));
  }

  /** Keeps the policy of a release. */
  writeRelease(release: ReleaseId, policy: string): Result<void, Problem> {
    return this.#write(`releases/${nameOf(release)}`, policy);
  }

  /** Returns the policy of a release that was kept. */
  readRelease(release: ReleaseId): Result<string, Problem> {
    const read = readBounded(this.#at(`releases/${nameOf(release)}`), policyBytesMax, noLinks);
    return read.ok ? ok(decodeText(read.value)) : read;
  }

  /** Removes the releases that are not among these. */
  keepReleases(kept: readonly (ReleaseId | undefined)[]): void {
    const names = new Set(kept.flatMap((each) => (each === undefined ? [] : [nameOf(each)])));
    for (const name of namesIn(this.#at('releases')))
      if (!names.has(name)) removeFile(this.#at(`releases/${name}`));
  }

  /** Puts the policy of a release in force, once it is applied; undefined: none. */
  putInForce(release: ReleaseId | undefined): Result<void, Problem> {
    const object = this.#at(inForce);
    const pinned = pinDirectory(this.directory);
    if (!pinned.ok) return pinned.error.errno === 'ENOENT' && !release ? ok(undefined) : pinned;
    using directory = pinned.value;
    try {
      if (release === undefined) {
        removeIn(directory, inForce);
        return ok(undefined);
      }
      removeIfThere(directory.at(next));
      linkSync(directory.at(`releases/${nameOf(release)}`), directory.at(next));
      renameSync(directory.at(next), directory.at(inForce));
      // Both may be the same file: then rename() leaves them.
      removeIfThere(directory.at(next));
      fsyncSync(directory.fd);
      return ok(undefined);
    } catch (error) {
      return failed({ action: 'put the release in force', object, ...causeOf(error) });
    }
  }

  #at(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** Returns the text of a file; undefined if there is none. */
  #read(path: string, bytesMax: number): Result<string | undefined, Problem> {
    const read = readBounded(path, bytesMax, noLinks);
    if (read.ok) return ok(decodeText(read.value));
    return read.error.errno === 'ENOENT' ? ok(undefined) : read;
  }

  #write(name: string, text: string): Result<void, Problem> {
    const [below, last] = name.includes('/') ? name.split('/') : ['.', name];
    const pinned = pinDirectory(this.#at(below ?? '.'));
    if (!pinned.ok) return pinned;
    using directory = pinned.value;
    return replaceIn(directory, last ?? name, text, { mode: 0o600 });
  }
}

const noLinks = { links: 'refuse' } as const;

const trustHint = '"bulkhead fleet trust reset" takes the trust from a file again';
