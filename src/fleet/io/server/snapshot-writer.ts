/**
 * Writes what the centre knows of its hosts, again and again, for the agent of the same machine: the agent is root, and
 * opens no database that belongs to others. It is written whether the servers answer or not.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../../../../packages/base/io/errno.ts';
import { pinDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { removeLeftovers, replaceIn } from '../../../../packages/base/io/replace-file.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { centreSnapshot } from '../../../host/paths.ts';
import { isWaveOpen } from '../../core/rollout/open-waves.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import {
  snapshotSentence,
  snapshotText,
  type Snapshot,
  type SnapshotHead,
  type SnapshotHost,
} from '../../core/told/snapshot.ts';
import { fleetFiles } from '../directory/fleet-directory.ts';
import { withCentre } from '../rollout/centre-record.ts';
import { lastRecord } from '../rollout/controller.ts';
import { directoryCentre, rolloutFile } from '../rollout/directory-centre.ts';
import { memoryFile } from '../rollout/memory.ts';
import { readPublished, type PublishedFleet } from '../rollout/published.ts';
import { Said } from '../said.ts';
import type { CentreStore, KnownHost } from './centre-store.ts';

const everyMilliseconds = 15_000;
/** The time after which a release that could not be read is read again. */
const againMilliseconds = 60_000;

export interface SnapshotParts {
  /** The directory of the centre. */
  readonly directory: string;
  readonly store: Pick<CentreStore, 'hosts'>;
  readonly fleet: string;
  /** The directory that is published. */
  readonly release: string;
  readonly log: { readonly warn: (text: string) => void };
  readonly everyMilliseconds?: number;
}

/** The published release, with its record; or why there is none. */
interface Published {
  readonly fleet?: PublishedFleet;
  readonly record?: RolloutRecord | undefined;
  readonly problem?: string;
}

export class SnapshotWriter {
  readonly #parts: SnapshotParts;
  #published: Published = {};
  #version: string | undefined;
  #readAgainAt = 0;
  readonly #said = new Said();

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
  }

  /** Writes until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    this.#clean();
    while (!signal.aborted) {
      const problem = await this.#problemOfWriting();
      if (problem === undefined) this.#said.clear();
      else if (this.#said.isNew(problem)) this.#parts.log.warn(problem);
      await sleep(this.#parts.everyMilliseconds ?? everyMilliseconds, undefined, { signal }).catch(
        () => undefined,
      );
    }
  }

  /** Whatever fails, the process goes on: it collects events, and leads the rollout. */
  async #problemOfWriting(): Promise<string | undefined> {
    try {
      const written = await this.write(Date.now());
      return written.ok ? undefined : formatProblem(written.error);
    } catch (error) {
      const reason = printable(error instanceof Error ? error.message : String(error));
      return formatProblem({ action: 'write the hosts of the fleet', reason });
    }
  }

  /** `now` is in milliseconds since 1970. */
  async write(now: number): Promise<Result<void, Problem>> {
    const { store, directory } = this.#parts;
    const hosts = store.hosts();
    if (!hosts.ok) return hosts;
    await this.#readPublished(now);
    const text = snapshotText(this.#snapshot(hosts.value, now));
    const pinned = pinDirectory(directory);
    if (!pinned.ok) return pinned;
    using here = pinned.value;
    return replaceIn(here, centreSnapshot, text, { mode: 0o600, withoutSync: true });
  }

  /** Removes what a killed writer has left: nobody else writes here. */
  #clean(): void {
    const pinned = pinDirectory(this.#parts.directory);
    if (!pinned.ok) return;
    using here = pinned.value;
    try {
      removeLeftovers(here, centreSnapshot);
    } catch {
      // The file is written all the same, and the log says so if it cannot be.
    }
  }

  /** Reads the release anew if its files have changed: it may have thousands of them. */
  async #readPublished(now: number): Promise<void> {
    const { release, directory, fleet } = this.#parts;
    const version = versionOf(release, directory);
    if (version === this.#version && performance.now() < this.#readAgainAt) return;
    this.#version = version;
    const read = await published({ release, directory }, fleet, now);
    // It is read whole, so one that stays damaged is not read each time.
    this.#readAgainAt = read.ok ? Infinity : performance.now() + againMilliseconds;
    this.#published = read.ok ? read.value : { problem: formatProblem(read.error) };
  }

  #snapshot(known: readonly KnownHost[], now: number): Snapshot {
    const { fleet, problem } = this.#published;
    const waves = new Map(
      fleet?.plan.waves.flatMap((hosts, index) => hosts.map((host) => [host, index + 1] as const)),
    );
    const told = new Map(known.map((each) => [each.host, each]));
    const names = [...new Set([...waves.keys(), ...told.keys()])].sort();
    const head: SnapshotHead = {
      format: 1,
      fleet: this.#parts.fleet,
      at: now,
      count: names.length,
      rollout: fleet === undefined ? null : rolloutOf(fleet, this.#published.record, now),
      problem: problem === undefined ? null : snapshotSentence(problem),
    };
    const hosts = names.map((host) => hostOf(host, waves.get(host), told.get(host)));
    return { head, hosts };
  }
}

/** Changes whenever the release or its record does: files are replaced, and so change their directory. */
const versionOf = (release: string, directory: string): string =>
  [fleetFiles.trust, rolloutFile, 'hosts']
    .map((name) => join(release, name))
    .concat(memoryFile(directory))
    .map(versionOfOne)
    .join('|');

function versionOfOne(path: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    return errnoOf(error);
  }
}

async function published(
  { release, directory }: Pick<SnapshotParts, 'release' | 'directory'>,
  name: string,
  now: number,
): Promise<Result<Published, Problem>> {
  const fleet = readPublished(release, now);
  if (!fleet.ok) return fleet;
  const { trust } = fleet.value;
  if (trust.fleet !== name)
    return ok({ problem: `The release in ${release} is of another fleet: "${trust.fleet}"` });
  const own = await lastRecord(directoryCentre(release), trust);
  const last = own.ok ? withCentre(directory, own.value, trust) : own;
  if (!last.ok) return last;
  const { record, problem } = last.value;
  return ok({
    fleet: fleet.value,
    record,
    ...(problem !== undefined && { problem: `The last record does not count: ${problem}` }),
  });
}

function rolloutOf(
  { plan }: PublishedFleet,
  record: RolloutRecord | undefined,
  now: number,
): SnapshotHead['rollout'] {
  return {
    generation: plan.head.generation,
    waves: plan.waves.map((hosts, index) => ({
      hosts: hosts.length,
      isOpen: isWaveOpen(plan, record, index + 1),
    })),
    record:
      record === undefined
        ? null
        : {
            generation: record.release.generation,
            verdict: record.verdict,
            wave: record.wave,
            issued: record.issued,
            isFresh: now < Date.parse(record.expires),
            reason: record.reason,
          },
  };
}

function hostOf(
  host: string,
  wave: number | undefined,
  known: KnownHost | undefined,
): SnapshotHost {
  const receivedAt = Math.max(0, Math.trunc(known?.receivedAt ?? 0));
  const { status = null, refused, mark } = known ?? {};
  return {
    host,
    wave: wave ?? null,
    status,
    receivedAt,
    heard: new Date(receivedAt).toISOString(),
    refused: refused === undefined ? null : snapshotSentence(refused),
    mark: mark === undefined ? null : { epoch: mark.epoch, stored: mark.stored, lost: mark.lost },
  };
}
