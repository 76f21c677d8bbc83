/** The facts from the host's apt: its sources, and their packages. */
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, succeed } from './command.ts';

/** One line of sources.list(5). */
export type AptSource = string;

/**
 * Returns the host's own sources of Debian packages, as `deb [signed-by=…] URI SUITE COMPONENT`
 * lines. Other vendors' repositories, and directories of this machine, are left out: the guest is
 * Debian.
 */
export async function debianSources(): Promise<AptSource[]> {
  const format = '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)';
  const argv = ['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'];
  const lines = (await succeed("list apt's sources", argv)).split('\n');
  return lines.flatMap((line) => parseSource(line) ?? []);
}

function parseSource(line: string): AptSource | undefined {
  const [origin, uri, release, component, signedBy] = line.split('|');
  if (origin !== 'Debian' || !/^https?:/.test(uri ?? '')) return undefined;
  const option = signedBy?.startsWith('/') === true ? `[signed-by=${signedBy}] ` : '';
  return `deb ${option}${uri} ${release} ${component}`;
}

/**
 * Returns the host's options on how to fetch (proxies, clock checks), to be used for the guest too.
 */
export async function aptFetchOptions(): Promise<string[]> {
  const dump = await succeed("read apt's options", ['apt-config', 'dump']);
  return dump
    .split('\n')
    .filter((line) => /^Acquire::(Check-|https?::)[^\s]* "[^"]+";$/.test(line));
}

/** Fetches the package lists; without a network the existing ones have to do. */
export async function updateLists(): Promise<void> {
  await execute(['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=120', 'update']);
}

export interface AptPackage {
  readonly name: string;
  readonly version: string;
}

/** Returns the package of a meta package: its first dependency, in the exact version. */
export async function behindMetaPackage(name: string): Promise<AptPackage | undefined> {
  const { stdout } = await execute(['apt-cache', 'show', '--no-all-versions', name]);
  const match = /^Depends: (\S+) \(= ([^)]+)\)/m.exec(stdout);
  return match === null ? undefined : { name: match[1]!, version: match[2]! };
}

/** Returns a package in the version that would be installed. */
export async function newestOf(name: string): Promise<AptPackage | undefined> {
  const { stdout } = await execute(['apt-cache', 'show', '--no-all-versions', name]);
  const version = /^Version: (\S+)$/m.exec(stdout)?.[1];
  return version === undefined ? undefined : { name, version };
}

/** Downloads a package into a new directory below `scratch`; returns the file's path. */
export async function downloadPackage(
  { name, version }: AptPackage,
  scratch: string,
): Promise<string> {
  const directory = await mkdtemp(join(scratch, 'package-'));
  const asRoot = ['-o', 'APT::Sandbox::User=root'];
  const download = ['apt-get', '-q', ...asRoot, 'download', `${name}=${version}`];
  await succeed(`download ${name} ${version}`, download, { cwd: directory });
  const [file] = await readdir(directory);
  if (file === undefined) throw new Error(`apt left no file of ${name}`);
  return join(directory, file);
}

/** Downloads a package without installing it, and unpacks its files into a directory. */
export async function unpackPackage(
  { name, version }: AptPackage,
  scratch: string,
  into: string,
): Promise<void> {
  // Only root can access the directory; apt's own user cannot write to it, and would print a
  // warning.
  const asRoot = ['-o', 'APT::Sandbox::User=root'];
  const download = ['apt-get', '-q', ...asRoot, 'download', `${name}=${version}`];
  await succeed(`download ${name} ${version}`, download, { cwd: scratch });
  const unpack = ['sh', '-c', 'dpkg-deb -x ./*.deb "$1" && rm ./*.deb', 'sh', into];
  await succeed(`unpack ${name} ${version}`, unpack, { cwd: scratch });
}

/** Returns options that make apt work in a directory, with only these sources. */
export async function ownApt(
  directory: string,
  sources: readonly AptSource[],
): Promise<readonly string[]> {
  await mkdir(join(directory, 'lists/partial'), { recursive: true });
  await mkdir(join(directory, 'cache/archives/partial'), { recursive: true });
  await writeFile(join(directory, 'status'), '');
  await writeFile(join(directory, 'sources.list'), sources.map((each) => `${each}\n`).join(''));
  return [
    `Dir::State=${directory}`,
    `Dir::State::status=${directory}/status`,
    `Dir::Cache=${directory}/cache`,
    `Dir::Etc::sourcelist=${directory}/sources.list`,
    'Dir::Etc::sourceparts=/dev/null',
    // Only root can access the directory; apt's own user cannot write to it.
    'APT::Sandbox::User=root',
  ].flatMap((each) => ['-o', each]);
}
