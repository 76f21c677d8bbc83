/**
 * The part of a repository for dnf. Packages and metadata are both signed; dnf has nothing like Valid-Until. All files
 * of metadata but `repomd.xml` have their digest in their name.
 */
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { publish } from '../package/places.ts';
import { run } from '../package/tools.ts';
import type { SigningKey } from './key.ts';
import { addToPool, removeOldest } from './pool.ts';
import { keyringName, type Job } from './site.ts';

export async function publishDnf(
  job: Job,
  key: SigningKey,
  rpms: readonly string[],
): Promise<void> {
  const directory = join(job.site.output, 'rpm');
  mkdirSync(join(directory, 'repodata'), { recursive: true });
  for (const file of rpms) await addSigned(job, key, directory, file);
  await writeMetadata(job, key, directory);
  writeFileSync(join(job.site.output, 'bulkhead.repo'), repoFile(job));
}

/** A signature has a date, so packages are compared by what is signed. */
async function addSigned(job: Job, key: SigningKey, directory: string, file: string) {
  const signed = join(job.work, basename(file));
  copyFileSync(file, signed);
  await addToPool(
    directory,
    await withSignature(job, key, signed),
    async (there) => (await headerOf(job, there)) === (await headerOf(job, file)),
  );
}

async function withSignature(job: Job, key: SigningKey, file: string): Promise<string> {
  const settings = {
    _gpg_name: key.fingerprint,
    _gpg_path: key.home,
    _gpg_digest_algo: 'sha512',
  };
  const defines = Object.entries(settings).flatMap(([name, value]) => [
    '--define',
    `${name} ${value}`,
  ]);
  await run(job, 'rpmsign', ['--addsign', ...defines, file], job.work, { GNUPGHOME: key.home });
  return file;
}

/** Returns the digest of a package's header, which has the digest of the rest. */
const headerOf = (job: Job, file: string) =>
  run(job, 'rpm', ['--query', '--package', '--nosignature', '--qf', '%{SHA256HEADER}', file]);

async function writeMetadata(job: Job, key: SigningKey, directory: string): Promise<void> {
  const made = join(job.work, 'metadata');
  mkdirSync(made);
  // Enterprise Linux 8 reads no zstd.
  const options = ['--quiet', '--no-database', '--general-compress-type=gz', '--checksum=sha256'];
  await run(job, 'createrepo_c', [...options, '--outputdir', made, directory]);
  const data = join(made, 'repodata');
  const names = readdirSync(data).filter((each) => each !== 'repomd.xml');
  await key.sign('detached', join(data, 'repomd.xml'), join(data, 'repomd.xml.asc'));
  const last = ['repomd.xml.asc', 'repomd.xml'];
  for (const each of [...names, ...last]) publish(join(data, each), join(directory, 'repodata'));
  removeOldest(join(directory, 'repodata'), new Set([...names, ...last]));
}

const repoFile = ({ site: { url } }: Job): string => `[bulkhead]
name=Bulkhead
baseurl=${url}/rpm
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=${url}/${keyringName}.asc
# Nothing else is taken from here.
includepkgs=bulkhead*
`;
