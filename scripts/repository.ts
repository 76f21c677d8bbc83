/**
 * Makes a signed repository for apt and dnf out of packages, or adds them to one that there is: `npm run repository --
 * --packages out --key FINGERPRINT --url https://packages.example.org --output /srv/packages`.
 *
 *     apt/dists/stable/           InRelease, Release, Release.gpg, main/binary-amd64/ and binary-arm64/, with by-hash/
 *     apt/pool/main/              *.deb
 *     rpm/                        *.rpm, signed, and repodata/
 *     bulkhead.repo               for dnf
 *     bulkhead-archive-keyring.*  the key, in ASCII (.asc) and binary (.gpg)
 *
 * Packages that are there stay, so that older versions can be installed; files of metadata that clients may be reading
 * stay for a while. Run it again, without --packages, before the metadata expires after sixty days. The key is in gpg's
 * directory (GNUPGHOME). `--next-key` is given to clients as well; `--keyring-version` is raised with another key or
 * address; `--date` is another date than now.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { withWorkDirectory } from './package/places.ts';
import { checkPrograms } from './package/tools.ts';
import { publishApt } from './repository/apt.ts';
import { publishDnf } from './repository/dnf.ts';
import { openKey, type KeyNames } from './repository/key.ts';
import { buildKeyring } from './repository/keyring.ts';
import { foundPackages } from './repository/pool.ts';
import { keyringName, validSeconds, type Site } from './repository/site.ts';

interface Wish extends KeyNames {
  readonly packages: string | undefined;
  readonly site: Site;
  /** The time of the signatures, in seconds since 1970. */
  readonly epoch: number;
}

function wishOf(args: readonly string[]): Wish {
  const { values } = parseArgs({
    args: [...args],
    options: {
      packages: { type: 'string' },
      key: { type: 'string' },
      'next-key': { type: 'string' },
      url: { type: 'string' },
      output: { type: 'string' },
      'keyring-version': { type: 'string', default: '1' },
      date: { type: 'string', default: new Date().toISOString() },
    },
  });
  const { packages, key, url, output } = values;
  if (key === undefined || url === undefined || output === undefined)
    throw new Error('--key, --url and --output are needed');
  const from = process.env['INIT_CWD'] ?? '.';
  const site = {
    url: checkedUrl(url),
    output: resolve(from, output),
    keyringVersion: checkedKeyringVersion(values['keyring-version']),
  };
  return {
    packages: packages === undefined ? undefined : resolve(from, packages),
    key,
    nextKey: values['next-key'],
    site,
    epoch: epochOf(values.date),
  };
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  const isPlain = url !== null && /^https?:\/\/[\w.:/[\]~-]+$/.test(url.href);
  if (isPlain && url.username === '') return url.href.replace(/\/+$/, '');
  throw new Error(`--url must be like https://packages.example.org/bulkhead, not "${text}"`);
}

function checkedKeyringVersion(version: string): string {
  if (/^\d[\d.]*$/.test(version)) return version;
  throw new Error(`--keyring-version must be like 1 or 2026.11, not "${version}"`);
}

function epochOf(date: string): number {
  const milliseconds = Date.parse(date);
  if (Number.isFinite(milliseconds)) return Math.floor(milliseconds / 1000);
  throw new Error(`--date must be like 2026-11-29T12:00:00Z, not "${date}"`);
}

async function publishAll({ packages, site, epoch, ...names }: Wish): Promise<void> {
  checkPrograms([
    { file: 'gpg', packages: 'gnupg' },
    { file: 'apt-ftparchive', packages: 'apt-utils' },
    { file: 'dpkg-deb', packages: 'dpkg' },
    { file: 'rpmsign', packages: 'rpm' },
    { file: 'createrepo_c', packages: 'createrepo-c' },
  ]);
  process.umask(0o022);
  await withWorkDirectory(async (work, signal) => {
    const job = { work, signal, epoch, site };
    const key = await openKey(job, names, epoch + validSeconds);
    const found = foundPackages(packages);
    mkdirSync(site.output, { recursive: true });
    const keyring = await buildKeyring(job, key);
    await publishApt(job, key, [...found.debs, keyring]);
    await publishDnf(job, key, found.rpms);
    // Last: a run that is refused leaves the key that the metadata is signed with.
    key.writeTo(`${site.output}/${keyringName}`);
  });
  process.stdout.write(`${site.output}\n`);
}

try {
  await publishAll(wishOf(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`Cannot make the repository: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
