/**
 * Builds a disk image of a Debian host with Bulkhead, for virtual machines: `npm run image`. It starts by BIOS and by
 * UEFI. Options: `--package FILE.deb` is the package for it, built from this clone unless given; `--output DIRECTORY` is
 * where the image goes, `out/` unless given; `--raw` also leaves the disk itself; what follows `--` is passed to mkosi.
 *
 *     bulkhead-debian-13-amd64.qcow2      the disk
 *     bulkhead-debian-13-amd64.manifest   its packages, with versions
 *
 * Packages come from this host's sources of Debian. Progress goes to standard error, the paths to standard output.
 */
import { randomUUID } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ownVersion } from './bundle.ts';
import { finishDisk } from './image/disk.ts';
import { makeAptFiles } from './image/sources.ts';
import { buildDeb } from './package/deb.ts';
import { epochOf, publish, withWorkDirectory } from './package/places.ts';
import { makeStage } from './package/stage.ts';
import { checkPrograms, checkTools, progress, run, type Build } from './package/tools.ts';
import { root } from './steps.ts';

const name = 'bulkhead-debian-13-amd64';
const release = 'trixie';

interface Wish {
  readonly package: string | undefined;
  readonly output: string;
  readonly raw: boolean;
  /** Options of mkosi. */
  readonly mkosi: readonly string[];
}

function wishOf(args: readonly string[]): Wish {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      package: { type: 'string' },
      output: { type: 'string', default: `${root}out` },
      raw: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const from = process.env['INIT_CWD'] ?? '.';
  return {
    package: values.package === undefined ? undefined : resolve(from, values.package),
    output: resolve(from, values.output),
    raw: values.raw,
    mkosi: positionals,
  };
}

async function buildImage(wish: Wish): Promise<void> {
  checkPrograms([
    { file: 'mkosi', packages: 'mkosi' },
    { file: 'systemd-repart', packages: 'systemd-repart' },
    { file: 'reprepro', packages: 'reprepro' },
    { file: 'mkfs.vfat', packages: 'dosfstools' },
    { file: 'mcopy', packages: 'mtools' },
    { file: 'tune2fs', packages: 'e2fsprogs' },
    { file: 'sfdisk', packages: 'fdisk' },
    { file: 'qemu-img', packages: 'qemu-utils' },
    { file: '/usr/share/keyrings/debian-archive-keyring.pgp', packages: 'debian-archive-keyring' },
  ]);
  if (wish.package === undefined) checkTools(['deb'], ['x64']);
  process.umask(0o022);
  mkdirSync(wish.output, { recursive: true });
  await withWorkDirectory(async (work, signal) => {
    const build: Build = { work, signal, epoch: epochOf(), version: ownVersion(), fast: true };
    const made = await madeBy(build, wish);
    for (const each of made) process.stdout.write(`${publish(each, wish.output)}\n`);
    if (wish.raw) process.stdout.write(`${await publishDisk(build, wish.output)}\n`);
  });
}

const diskOf = ({ work }: Build) => `${work}/image/${name}.raw`;

/** Puts the disk into the output directory, without the blocks that are empty. */
async function publishDisk(build: Build, output: string): Promise<string> {
  const path = `${output}/${name}.raw`;
  const aside = `${path}.${process.pid}`;
  try {
    await run(build, 'cp', ['--sparse=always', diskOf(build), aside]);
    renameSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
  return path;
}

/** Returns the files of the image, apart from the disk itself. */
async function madeBy(build: Build, wish: Wish): Promise<readonly string[]> {
  const { work } = build;
  const packages = `${work}/image-packages`;
  mkdirSync(packages);
  const deb = wish.package ?? (await buildDeb(build, await makeStage(build, 'x64'), 'x64'));
  copyFileSync(deb, `${packages}/${basename(deb)}`);
  await makeAptFiles(`${work}/image-apt`, release);
  // Modes of files in the image must not depend on the clone's.
  const configuration = `${work}/image-configuration`;
  cpSync(`${root}packaging/image`, configuration, { recursive: true });
  await run(build, 'chmod', ['-R', 'u=rwX,go=rX', configuration]);
  const made = `${work}/image`;
  mkdirSync(made);
  progress('Building the image with mkosi');
  await run(build, 'mkosi', [
    `--directory=${configuration}`,
    `--output-directory=${made}`,
    `--workspace-directory=${work}`,
    `--package-cache-dir=${work}/image-cache`,
    `--package-directory=${packages}`,
    `--sandbox-tree=${work}/image-apt`,
    `--output=${name}`,
    `--seed=${randomUUID()}`,
    ...wish.mkosi,
    'build',
  ]);
  const disk = diskOf(build);
  const qcow2 = `${made}/${name}.qcow2`;
  await finishDisk(build, disk, made);
  progress('Compressing the image');
  const compressed = ['-c', '-o', 'compression_type=zstd', '-O', 'qcow2'];
  await run(build, 'qemu-img', ['convert', ...compressed, '-f', 'raw', disk, qcow2]);
  return [qcow2, `${made}/${name}.manifest`];
}

try {
  await buildImage(wishOf(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`Cannot build the image: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
