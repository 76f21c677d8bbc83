/**
 * Reads, as root, what the centre's account has written of its hosts. It may be anything, so no link is followed, nothing
 * but a file of bounded size is read, and the file must belong to the owner of the directory.
 */
import { fstatSync } from 'node:fs';
import { join } from 'node:path';
import { pinDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import {
  cannotRead,
  decodeText,
  openRegularFile,
  readWhole,
  type RegularFile,
} from '../../../../packages/base/io/regular-file.ts';
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { FleetHostsResponse } from '../../../agent/api/fleet-hosts-api.ts';
import { allHosts, responseNow, type AllHosts } from '../../core/told/all-hosts.ts';
import { centreSnapshot } from '../../../host/paths.ts';
import { parseSnapshot, snapshotBytesMax } from '../../core/told/snapshot.ts';

export class SnapshotReader {
  readonly #directory: string;
  /** The last file that was read, by its version. */
  #last: { readonly version: string; readonly all: Result<AllHosts, Problem> } | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `now` is in milliseconds since 1970. */
  hosts(now: number): FleetHostsResponse {
    const all = this.#read();
    return all.ok
      ? responseNow(all.value, now)
      : { isCentre: true, count: 0, hosts: [], problems: [formatProblem(all.error)] };
  }

  #read(): Result<AllHosts, Problem> {
    const pinned = pinDirectory(this.#directory, 'refuse');
    if (!pinned.ok) return pinned;
    using directory = pinned.value;
    const opened = openRegularFile(directory.at(centreSnapshot), {
      links: 'refuse',
      shownAs: join(this.#directory, centreSnapshot),
    });
    if (!opened.ok) return opened;
    using file = opened.value;
    const { ino, size, mtimeNs, ctimeNs, uid } = fstatSync(file.fd, { bigint: true });
    if (Number(uid) !== fstatSync(directory.fd).uid)
      return cannotRead(file.path, { reason: 'it does not belong to the owner of its directory' });
    const version = `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    if (this.#last?.version !== version) this.#last = { version, all: readAll(file) };
    return this.#last.all;
  }
}

function readAll(file: RegularFile): Result<AllHosts, Problem> {
  const read = readWhole(file, snapshotBytesMax);
  if (!read.ok) return read;
  const snapshot = parseSnapshot(decodeText(read.value));
  return snapshot.ok ? ok(allHosts(snapshot.value)) : cannotRead(file.path, snapshot.error);
}
