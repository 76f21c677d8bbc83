/**
 * The image that guests start from: a directory with
 *
 *   vmlinuz initrd       Debian's cloud kernel
 *   1-processors 2-processors
 *     root.img data.img  the guest's disks, as they were when its state was saved
 *     state              the running machine
 *   control-key known-hosts
 *
 * It is built by script from Debian's packages, once for each set of inputs.
 */
import '../guard/here.ts';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { ensurePrerequisites, type LogLine } from '../prerequisites.ts';
import {
  debianSources,
  downloadPackage,
  newestOf,
  updateLists,
  type AptPackage,
  type AptSource,
} from './apt.ts';
import { buildInCache, cacheDirectory, cachedImage, hashInputs, isCached } from './cache.ts';
import { lockCache, pruneCache, useImage } from './cache.ts';
import { succeed } from './command.ts';
import { fetchKernel, findKernel } from './guest-kernel.ts';
import { makeKeys } from './keys.ts';
import { qemuProgram } from './machine.ts';
import { step } from '../progress.ts';
import { copyGuestPackages, guestPackages } from './project.ts';
import { buildRootfs, guestDebianPackages, packRootfs, rootfsBlocker } from './rootfs.ts';
import { makeSnapshot } from './snapshot.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

/** A built image, which stays in the cache for as long as this process runs. */
export interface Image {
  readonly directory: string;
}

const guestFiles = join(import.meta.dirname, 'guest-files');

/**
 * Returns the image of this project's guest, and builds it when no earlier run has (about a
 * minute). The error is the reason why this host cannot run virtual-machine tests: print it and
 * skip them. One reason is that packages cannot be fetched; a build that fails otherwise throws.
 */
export async function prepareImage(log: LogLine): Promise<Result<Image, Cause>> {
  const blocker = await hostObstacle(log);
  if (blocker !== undefined) return fail({ reason: blocker });
  await using _lock = await step(log, 'waiting for other runs to finish building', lockCache);
  const inputs = await findInputs();
  if (inputs !== undefined && isCached(inputs.key)) return ok(await use(inputs.key));
  return await buildImage(log); // not just returned: the lock has to be held until it is done
}

async function hostObstacle(log: LogLine): Promise<string | undefined> {
  if (process.arch !== 'x64') {
    return `the guest is x86-64 and is not emulated on ${process.arch} hosts`;
  }
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  if (!/^ID="?debian"?$/m.test(release)) {
    return "the guest is made from the host's Debian release, and this is not Debian; use a Debian container";
  }
  const ready = await ensurePrerequisites('vm', log);
  return ready.ok ? cacheObstacle() : ready.reason;
}

async function cacheObstacle(): Promise<string | undefined> {
  try {
    await mkdir(cacheDirectory, { recursive: true });
    await access(cacheDirectory, constants.W_OK);
    return undefined;
  } catch (error) {
    return `images are kept in ${cacheDirectory}, which cannot be written to (${(error as NodeJS.ErrnoException).code}); set XDG_CACHE_HOME, or run as root`;
  }
}

interface Inputs {
  readonly key: string;
  readonly kernel: AptPackage;
  readonly sources: readonly AptSource[];
}

/** Returns the inputs of an image built now; undefined when apt's lists do not have them. */
async function findInputs(): Promise<Inputs | undefined> {
  const [kernel, sources] = await Promise.all([findKernel(), debianSources()]);
  if (kernel === undefined || sources.length === 0) return undefined;
  const qemu = await succeed("ask QEMU's version", [qemuProgram, '--version']);
  const values = [guestDebianPackages, kernel, sources, qemu, await guestPackages()];
  return { key: await hashInputs([...values, await harnessText()], guestFiles), kernel, sources };
}

/** Returns the harness's own code that decides the contents of an image. */
const harnessText = (): Promise<string[]> =>
  Promise.all(
    ['guest-kernel.ts', 'machine.ts', 'project.ts', 'rootfs.ts', 'snapshot.ts'].map((name) =>
      readFile(join(import.meta.dirname, name), 'utf8'),
    ),
  );

async function use(key: string): Promise<Image> {
  await useImage(key);
  await pruneCache(key);
  return { directory: cachedImage(key) };
}

async function buildImage(log: LogLine): Promise<Result<Image, Cause>> {
  const blocker = await rootfsBlocker();
  if (blocker !== undefined) return fail({ reason: blocker });
  await step(log, "fetching Debian's package lists", updateLists);
  const inputs = await findInputs();
  if (inputs === undefined)
    return fail({ reason: 'apt has no Debian sources, or no Debian cloud kernel in them' });
  if (isCached(inputs.key)) return ok(await use(inputs.key));
  const unreachable = await step(log, "looking for Debian's servers", fetchObstacle);
  if (unreachable !== undefined) return fail({ reason: unreachable });
  await buildInCache(inputs.key, (directory) => buildIn(directory, inputs, log));
  return ok(await use(inputs.key));
}

/** The package to probe with: small, and on every Debian. */
const probe = 'base-passwd';

/** Returns why apt cannot fetch; it tries a small package. */
async function fetchObstacle(): Promise<string | undefined> {
  using scratch = temporaryDirectory('fetch');
  try {
    const found = await newestOf(probe);
    if (found === undefined) return `apt has no package ${probe}`;
    await downloadPackage(found, scratch.path);
    return undefined;
  } catch (error) {
    return `apt cannot fetch Debian's packages (${(error as Error).message.trim()})`;
  }
}

/** Inputs of customize.sh and of snapshots, which no run needs. */
const onlyForBuilding = [
  'root.img',
  'modules',
  'node_modules',
  'guest_control_key',
  'guest_control_key.pub',
];

async function buildIn(
  directory: string,
  { kernel, sources }: Inputs,
  log: LogLine,
): Promise<void> {
  await step(log, `fetching ${kernel.name}`, () => fetchKernel(kernel, guestFiles, directory));
  await makeKeys(directory);
  await copyGuestPackages(await guestPackages(), directory);
  await step(log, 'installing Debian into the image', () =>
    buildRootfs({ sources, guestFiles, directory }),
  );
  await step(log, 'writing the disk image', () => packRootfs(directory));
  await step(log, 'booting the image and saving its state', async () => {
    for (const processors of [1, 2] as const) await makeSnapshot(directory, processors);
  });
  for (const name of onlyForBuilding) await rm(join(directory, name), { recursive: true });
}
