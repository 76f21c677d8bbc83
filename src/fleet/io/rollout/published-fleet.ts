/** The published directory as a running centre sees it: its files are read again only when they have changed. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../../../packages/base/io/errno.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { fleetFiles } from '../directory/fleet-directory.ts';
import { readTrustFile, type GivenTrust } from '../given-trust.ts';
import { readPublished, type PublishedFleet } from './published.ts';

export class PublishedDirectory {
  readonly #directory: string;
  #trust: { readonly version: string; readonly value: GivenTrust } | undefined;
  #fleet: { readonly version: string; readonly value: PublishedFleet } | undefined;
  #seen = '';

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The last release that was whole, while this process runs. */
  get last(): PublishedFleet | undefined {
    return this.#fleet?.value;
  }

  /** Returns the trust; undefined: nothing is published. */
  trust(): Result<GivenTrust | undefined, Problem> {
    const file = join(this.#directory, fleetFiles.trust);
    const version = versionOf(file);
    if (version === undefined) return ok(undefined);
    if (this.#trust?.version === version) return ok(this.#trust.value);
    const read = readTrustFile(file);
    if (!read.ok) return read;
    this.#trust = { version, value: read.value };
    return read;
  }

  /**
   * Returns the release with its waves; undefined: it has changed since the last call, and may not be whole yet. `now` is
   * in milliseconds since 1970.
   */
  fleet(now: number): Result<PublishedFleet | undefined, Problem> {
    const files = [fleetFiles.trust, 'hosts'].map((each) => versionOf(join(this.#directory, each)));
    const version = files.join(' ');
    const isStill = this.#seen === version;
    this.#seen = version;
    if (this.#fleet?.version === version) return ok(this.#fleet.value);
    if (!isStill) return ok(undefined);
    const fleet = readPublished(this.#directory, now);
    if (fleet.ok) this.#fleet = { version, value: fleet.value };
    return fleet;
  }
}

/** Returns the error of a path that cannot be looked at: whoever reads it says why. */
function versionOf(path: string): string | undefined {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false, bigint: true });
    return stat && `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
  } catch (error) {
    return errnoOf(error);
  }
}
