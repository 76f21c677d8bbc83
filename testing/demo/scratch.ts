/**
 * Files that tenants read and write directly on a disk, and how fast that disk is without limits.
 *
 *     /var/tmp/bulkhead-demo-x3KdQa      root, 0711
 *       61004                            the tenant's, 0700
 *         read write                     the tenant's
 *
 * The tenant gets its directory last, so that nothing in it can be exchanged before.
 */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { realpathSync, rmSync, statfsSync } from 'node:fs';
import { promisify } from 'node:util';
import { readFileSystems, type FileSystems } from '../../src/host/disks/file-systems.ts';
import { nearestMount, readMounts } from '../../src/sys/files/mounts.ts';
import type { FileSystemFacts, LimitKey } from '../../src/limits/limit.ts';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { blockBytes, operationBytes, type DemoFiles } from './load.ts';
import { bandwidthUid, operationsUid } from './meter.ts';
import { paths } from './place.ts';

/** Directories that are on a disk on most hosts, and that only root can rename things in. */
const parents = ['/var/tmp', '/var/lib', '/home', '/opt'];
const fileBytes = 16 * 2 ** 20;
const neededBytes = 8 * fileBytes;
const prefix = `${paths.instance}-`;
const ddMilliseconds = 20_000;

export interface Scratch extends DemoFiles {
  readonly path: string;
  readonly fileSystem: FileSystemFacts;
  /** The disk's speeds without limits, per second. */
  readonly speeds: ReadonlyMap<LimitKey, number>;
}

export async function makeScratch(signal: AbortSignal): Promise<Result<Scratch, Cause>> {
  const place = findPlace();
  if (!place.ok) return place;
  const path = mkdtempSync(`${place.value.parent}/${prefix}`);
  chmodSync(path, 0o711);
  const directory = (uid: number) => `${path}/${uid}`;
  try {
    for (const uid of [bandwidthUid, operationsUid]) await makeFiles(directory(uid), signal);
    const speeds = await measure(directory(bandwidthUid), signal);
    for (const uid of [bandwidthUid, operationsUid]) handOver(directory(uid), uid);
    return ok({ path, directory, fileBytes, fileSystem: place.value.fileSystem, speeds });
  } catch (error) {
    signal.throwIfAborted();
    return fail({ reason: `Cannot write directly to the disk in ${path}: ${lastLine(error)}` });
  }
}

interface Place {
  readonly parent: string;
  readonly fileSystem: FileSystemFacts;
}

function findPlace(): Result<Place, Cause> {
  const fileSystems = readFileSystems(paths);
  const places = parents.flatMap((parent): Place[] => {
    const fileSystem = fileSystemOf(parent, fileSystems);
    return fileSystem === undefined ? [] : [{ parent, fileSystem }];
  });
  if (places.length === 0) return fail({ reason: `none of ${parents.join(' ')} is on a disk` });
  const roomy = places.find(({ parent }) => {
    const { bavail, bsize } = statfsSync(parent);
    return bavail * bsize > 2 * neededBytes;
  });
  if (roomy !== undefined) return ok(roomy);
  return fail({ reason: `no disk has ${(2 * neededBytes) / 2 ** 20} MiB free` });
}

/** Returns the file system of the directory, if it is on a disk and may be written. */
function fileSystemOf(directory: string, fileSystems: FileSystems): FileSystemFacts | undefined {
  let real: string;
  try {
    real = realpathSync(directory);
  } catch {
    return undefined;
  }
  if (nearestMount(real, readMounts(paths))?.readOnly !== false) return undefined;
  return fileSystems.of(real);
}

async function makeFiles(directory: string, signal: AbortSignal): Promise<void> {
  mkdirSync(directory, { mode: 0o700 });
  for (const name of ['read', 'write']) {
    const count = fileBytes / 2 ** 20;
    await dd(
      signal,
      'if=/dev/zero',
      `of=${directory}/${name}`,
      'bs=1M',
      `count=${count}`,
      'oflag=direct',
    );
  }
}

function handOver(directory: string, uid: number): void {
  for (const name of ['read', 'write']) chownSync(`${directory}/${name}`, uid, uid);
  chownSync(directory, uid, uid);
}

/** Measures the disk with the same commands as the loads, before there is a limit. */
async function measure(
  directory: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<LimitKey, number>> {
  const speed = async (bytes: number, count: number, ...files: readonly string[]) =>
    count / (await dd(signal, ...files, `bs=${bytes}`, `count=${count}`));
  const reading = [`if=${directory}/read`, 'of=/dev/null', 'iflag=direct'];
  const writing = ['if=/dev/zero', `of=${directory}/write`, 'oflag=direct', 'conv=notrunc'];
  const blocks = fileBytes / blockBytes;
  return new Map<LimitKey, number>([
    ['io.read', (await speed(blockBytes, blocks, ...reading)) * blockBytes],
    ['io.write', (await speed(blockBytes, blocks, ...writing)) * blockBytes],
    ['io.reads', await speed(operationBytes, 256, ...reading)],
    ['io.writes', await speed(operationBytes, 256, ...writing)],
  ]);
}

const run = promisify(execFile);

/** Runs dd and returns the seconds that it reports, without the start of the program. */
async function dd(signal: AbortSignal, ...operands: readonly string[]): Promise<number> {
  const started = performance.now();
  const { stderr } = await run('dd', operands, {
    signal,
    timeout: ddMilliseconds,
    env: { ...process.env, LC_ALL: 'C' },
  });
  const elapsed = (performance.now() - started) / 1000;
  return Number(/copied, ([\d.e-]+) s/.exec(stderr)?.[1] ?? elapsed) || elapsed;
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim() || message).split('\n').at(-1) ?? message;
}

/** Returns the scratch directories that any run of the demo made, and no others. */
export function scratchDirectories(): readonly string[] {
  return parents.flatMap((parent) =>
    names(parent)
      .filter((name) => name.startsWith(prefix) && name.length === prefix.length + 6)
      .map((name) => `${parent}/${name}`)
      .filter(isOurs),
  );
}

/** Whether root made the directory: where everyone can write, anyone can make one of that name. */
function isOurs(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat !== undefined && stat.isDirectory() && stat.uid === 0;
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * Removes the files. Call it only when no process of a tenant is left, which could replace them
 * meanwhile.
 */
export function removeScratch(): void {
  for (const path of scratchDirectories()) rmSync(path, { recursive: true, force: true });
}
