/**
 * Debian packages for tests in the guest that are not in its image, since few tests need them and some exclude each
 * other. The guest has no network: the host fetches them, and the dependencies that the guest lacks.
 *
 *     $XDG_CACHE_HOME/bulkhead/packages/KEY/*.deb
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Cause } from '../packages/base/problem.ts';
import { fail, ok, type Result } from '../packages/base/result.ts';
import { debianSources, ownApt } from './vm/apt.ts';
import { cacheDirectory } from './vm/cache.ts';
import { execute, succeed } from './vm/command.ts';
import type { Guest } from './vm/guest.ts';

const poolDirectory = join(dirname(cacheDirectory), 'packages');
const guestPool = '/var/cache/pool';
const installTimeoutMs = 3_600_000;

/**
 * Installs them in the guest, as Debian does. The error is the reason why they cannot be fetched: print it and skip the
 * tests.
 */
export async function installFromPool(
  guest: Guest,
  packages: readonly string[],
): Promise<Result<void, Cause>> {
  const pool = await fetchedPool(packages, await guest.succeed('cat /var/lib/dpkg/status'));
  if (!pool.ok) return pool;
  await guest.copyIn(pool.value, guestPool);
  const options = '-q -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io';
  await guest.succeed(
    `export DEBIAN_FRONTEND=noninteractive && apt-get install ${options} ${guestPool}/*.deb && rm -r ${guestPool}`,
    { timeoutMs: installTimeoutMs },
  );
  return ok(undefined);
}

/** Returns the directory with the files; fetched once for each list and guest. */
async function fetchedPool(
  packages: readonly string[],
  status: string,
): Promise<Result<string, Cause>> {
  const sources = await debianSources();
  const inputs = JSON.stringify([packages, status, sources]);
  const pool = join(poolDirectory, createHash('sha256').update(inputs).digest('hex').slice(0, 20));
  if (existsSync(pool)) return ok(pool);
  await mkdir(poolDirectory, { recursive: true });
  const scratch = await mkdtemp(join(poolDirectory, 'unfinished-'));
  try {
    const options = await ownApt(scratch, sources);
    await writeFile(join(scratch, 'status'), status);
    const update = await execute(['apt-get', '-q', ...options, 'update']);
    if (update.status !== 0)
      return fail({ reason: `apt has no package lists (${update.stderr.trim()})` });
    const fetch = ['install', '-y', '--no-install-recommends', '--download-only', ...packages];
    const fetched = await execute(['apt-get', '-q', ...options, ...fetch]);
    if (fetched.status !== 0)
      return fail({ reason: `apt cannot fetch packages (${fetched.stderr.trim()})` });
    await keepPackages(join(scratch, 'cache/archives'), pool);
    return ok(pool);
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/** Moves the packages into the pool, unless another run was first. */
async function keepPackages(archives: string, pool: string): Promise<void> {
  const other = (await readdir(archives)).filter((name) => !name.endsWith('.deb'));
  await succeed('leave only packages', ['rm', '-rf', ...other.map((name) => join(archives, name))]);
  await rename(archives, pool).catch((error: unknown) => {
    if (!existsSync(pool)) throw error;
  });
}
