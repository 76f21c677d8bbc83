/**
 * Debian's packages for tests, fetched by the host's apt and never installed, in a directory of the cache that
 * is named `PACKAGE@VERSION`. A directory is complete, because it is made under another name and renamed last;
 * other versions of the same package go when a new one comes.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  newestOf,
  unpackPackage,
  updateLists,
  type AptPackage,
} from '../../../../testing/vm/apt.ts';
import { execute, succeed } from '../../../../testing/vm/command.ts';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';

const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'bulkhead/kernels');
/** Only root can use the directory; apt's own user cannot write to it. */
const asRoot = ['-o', 'APT::Sandbox::User=root'];
const versionPattern = /^Version: (\S+)$/m;

/** Makes the directory of a package with `fill`, once. The error is why that cannot be done here. */
async function cached(
  { name, version }: AptPackage,
  fill: (directory: string) => Promise<void>,
): Promise<Result<string, Cause>> {
  const directory = join(cache, `${name}@${version.replaceAll(/[^\w.+~-]/g, '.')}`);
  if (existsSync(directory)) return ok(directory);
  await mkdir(cache, { recursive: true });
  const unfinished = await mkdtemp(join(cache, 'unfinished-'));
  try {
    await fill(unfinished);
    await rename(unfinished, directory);
  } catch (error) {
    return fail({ reason: (error as Error).message.split('\n', 1)[0]! });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  for (const other of await readdir(cache)) {
    const path = join(cache, other);
    if (other.startsWith(`${name}@`) && path !== directory) await rm(path, { recursive: true });
  }
  return ok(directory);
}

/** Returns the newest file that can be had; without a network, one that was fetched before. */
export async function packageFile(name: string): Promise<Result<string, Cause>> {
  const fetched = await fetchPackage(name).catch((error: Error) => fail({ reason: error.message }));
  if (fetched.ok) return ok(join(fetched.value, 'package.deb'));
  const names = existsSync(cache) ? await readdir(cache) : [];
  const older = names.find((each) => each.startsWith(`${name}@`));
  return older === undefined ? fetched : ok(join(cache, older, 'package.deb'));
}

async function fetchPackage(name: string): Promise<Result<string, Cause>> {
  const version = await candidate(name);
  if (version === undefined) return fail({ reason: `apt knows no package "${name}"` });
  return cached({ name, version }, async (into) => {
    const argv = ['apt-get', '-q', ...asRoot, 'download', `${name}=${version}`];
    await succeed(`download ${name}`, argv, { cwd: into });
    await succeed('name it', ['sh', '-c', 'mv ./*.deb package.deb'], { cwd: into });
  });
}

/** Returns the version that apt would install. Package lists are fetched if they do not have it. */
async function candidate(name: string): Promise<string | undefined> {
  const known = await newestOf(name);
  if (known !== undefined) return known.version;
  await updateLists();
  return (await newestOf(name))?.version;
}

/**
 * The source of a Debian kernel, from the package `linux-source-X.Y` of the version that the image states of
 * itself. Documentation and the tools of user space, half of the files, are left out: no module has any of it.
 */
export async function kernelSource(image: string): Promise<Result<string, Cause>> {
  const version = await versionOf(image);
  if (version === undefined)
    return fail({ reason: `"${image}" does not say of which package it is` });
  const name = `linux-source-${/^\d+\.\d+/.exec(version)?.[0]}`;
  const directory = await cached({ name, version }, async (into) => {
    await updateListsFor(name, version);
    await unpackPackage({ name, version }, into, into);
    const omit = ['Documentation', 'tools', 'samples/bpf'].map(
      (each) => `--exclude=${name}/${each}`,
    );
    const tarball = `usr/src/${name}.tar.xz`;
    const argv = ['tar', '-xf', tarball, '--strip-components=1', ...omit];
    await succeed(`unpack ${tarball}`, argv, { cwd: into });
    await rm(join(into, 'usr/src'), { recursive: true });
  });
  return directory;
}

async function updateListsFor(name: string, version: string): Promise<void> {
  const { stdout } = await execute(['apt-cache', 'show', `${name}=${version}`]);
  if (versionPattern.exec(stdout)?.[1] !== version) await updateLists();
}

/** `6.12.1+deb13-amd64 (debian-kernel@…) #1 SMP PREEMPT_DYNAMIC Debian 6.12.1-1 (2026-01-01)`. */
async function versionOf(image: string): Promise<string | undefined> {
  await using file = await open(image);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(256 * 1024));
  return / Debian (\d\S*) \(/.exec(buffer.toString('latin1', 0, bytesRead))?.[1];
}
