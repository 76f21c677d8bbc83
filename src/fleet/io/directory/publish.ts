/** Writes the files that hosts read: `trust.json`, and `hosts/HOST.json` with all that a host needs. */
import { join } from 'node:path';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import {
  pinDirectory,
  type PinnedDirectory,
} from '../../../../packages/base/io/pinned-directory.ts';
import { namesIn, readText } from '../../../../packages/base/io/read.ts';
import { removeIn, replaceIn } from '../../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Envelope } from '../../core/documents.ts';
import { trustFileText, type Release } from '../../core/fleet-files.ts';
import { namePattern } from '../../core/fields.ts';
import { limits } from '../../core/parse.ts';
import { eachBundle } from '../release/make-release.ts';
import { fleetFiles, makeDirectory } from './fleet-directory.ts';

export interface Published {
  readonly written: number;
  readonly removed: number;
}

/** Writes what has changed. Each host's file is whole at any time, and never a mixture of two releases. */
export function publish(
  directory: string,
  release: Release,
  chain: readonly Envelope[],
): Result<Published, Problem> {
  const hosts = join(directory, 'hosts');
  for (const each of [directory, hosts]) {
    const made = makeDirectory(each);
    if (!made.ok) return made;
  }
  const [above, below] = [pinDirectory(directory), pinDirectory(hosts)];
  if (!above.ok) return above;
  using outer = above.value;
  if (!below.ok) return below;
  using inner = below.value;
  const newest = chain.slice(-limits.versions);
  // First: a host that joins needs it to check the others.
  const trust = writeIfOther(outer, fleetFiles.trust, trustFileText(newest));
  return trust.ok ? writeHosts(inner, release, newest) : trust;
}

function writeHosts(
  directory: PinnedDirectory,
  release: Release,
  chain: readonly Envelope[],
): Result<Published, Problem> {
  const names = new Set<string>();
  let written = 0;
  let problem: Problem | undefined;
  eachBundle(release, chain, (host, bundle) => {
    const name = `${host}.json`;
    names.add(name);
    if (problem !== undefined) return;
    const result = writeIfOther(directory, name, bundle);
    if (!result.ok) problem = result.error;
    else if (result.value) written += 1;
  });
  if (problem !== undefined) return failed(problem);
  const removed = removeOthers(directory, names);
  return removed.ok ? ok({ written, removed: removed.value }) : removed;
}

/** Writes a file unless it has this text; returns whether it did. */
function writeIfOther(
  directory: PinnedDirectory,
  name: string,
  text: string,
): Result<boolean, Problem> {
  if (readText(directory.at(name)) === text) return ok(false);
  // Without a sync of each: ten thousand take minutes, and whatever a crash leaves, hosts verify.
  const written = replaceIn(directory, name, text, { mode: 0o644, withoutSync: true });
  return written.ok ? ok(true) : written;
}

/** Removes the files of hosts that left the fleet, and nothing else. */
function removeOthers(
  directory: PinnedDirectory,
  names: ReadonlySet<string>,
): Result<number, Problem> {
  const gone = namesIn(directory.at('.')).filter(
    (name) => name.endsWith('.json') && namePattern.test(name.slice(0, -5)) && !names.has(name),
  );
  try {
    for (const name of gone) removeIn(directory, name);
    return ok(gone.length);
  } catch (error) {
    return failed({ action: 'remove a file of', object: directory.path, ...causeOf(error) });
  }
}
