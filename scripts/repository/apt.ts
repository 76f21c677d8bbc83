/**
 * The part of a repository for apt. Each index is also there under its digest (by-hash), and `InRelease` comes last, so
 * that a client that reads meanwhile finds one state or the other. Source: the RepositoryFormat page of Debian's wiki.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { xz } from './xz.ts';
import { publish } from '../package/places.ts';
import { run } from '../package/tools.ts';
import { digestOf } from '../package/tree.ts';
import type { SigningKey } from './key.ts';
import { addToPool, removeOldest } from './pool.ts';
import { validSeconds, type Job } from './site.ts';

const architectures = ['amd64', 'arm64'] as const;
const suite = 'stable';
const pool = 'pool/main';

export async function publishApt(
  job: Job,
  key: SigningKey,
  debs: readonly string[],
): Promise<void> {
  const directory = join(job.site.output, 'apt');
  for (const file of debs) {
    const content = readFileSync(file);
    await addToPool(join(directory, pool), file, (there) => content.equals(readFileSync(there)));
  }
  await writeIndexes(job, key, directory);
}

/** Writes and signs the metadata of all packages in the pool. */
export async function writeIndexes(job: Job, key: SigningKey, directory: string): Promise<void> {
  const made = join(job.work, 'dists', suite);
  const indexes: string[] = [];
  for (const architecture of architectures) {
    const place = `main/binary-${architecture}`;
    mkdirSync(join(made, place), { recursive: true });
    const args = [...digests('Packages'), '--arch', architecture, 'packages', pool];
    const text = await run(job, 'apt-ftparchive', args, directory);
    writeFileSync(join(made, place, 'Packages'), text);
    await xz(job, join(made, place, 'Packages'));
    indexes.push(`${place}/Packages`, `${place}/Packages.xz`);
  }
  const release = await run(job, 'apt-ftparchive', [...releaseOptions, 'release', made]);
  writeFileSync(join(made, 'Release'), dated(release, job));
  await key.sign('detached', join(made, 'Release'), join(made, 'Release.gpg'));
  await key.sign('clear', join(made, 'Release'), join(made, 'InRelease'));
  publishIndexes(made, join(directory, 'dists', suite), indexes);
}

function publishIndexes(made: string, place: string, indexes: readonly string[]): void {
  const named = new Set(indexes.map((each) => digestOf('sha256', readFileSync(join(made, each)))));
  for (const each of indexes) {
    const content = readFileSync(join(made, each));
    const byHash = join(place, each, '../by-hash/SHA256');
    mkdirSync(byHash, { recursive: true });
    writeFileSync(join(byHash, digestOf('sha256', content)), content);
    removeOldest(byHash, named);
  }
  for (const each of indexes) publish(join(made, each), join(place, each, '..'));
  for (const each of ['Release', 'Release.gpg', 'InRelease']) publish(join(made, each), place);
}

/** apt-ftparchive has the time of today, always. */
const dated = (release: string, { epoch }: Job): string =>
  release.replace(
    /^Date: .*$/m,
    `Date: ${rfc1123(epoch)}\nValid-Until: ${rfc1123(epoch + validSeconds)}`,
  );

const rfc1123 = (epoch: number) => new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');

/** Leaves out what nobody relies on any more. */
const digests = (part: string) =>
  ['MD5', 'SHA1', 'SHA512'].flatMap((each) => ['-o', `APT::FTPArchive::${part}::${each}=false`]);

const releaseFields = {
  Origin: 'Bulkhead',
  Label: 'Bulkhead',
  Suite: suite,
  Codename: suite,
  Components: 'main',
  Architectures: architectures.join(' '),
  'Acquire-By-Hash': 'yes',
  Description: 'Packages of Bulkhead',
};

const releaseOptions: readonly string[] = [
  ...digests('Release'),
  ...Object.entries(releaseFields).flatMap(([name, value]) => [
    '-o',
    `APT::FTPArchive::Release::${name}=${value}`,
  ]),
];
