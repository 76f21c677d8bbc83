/** The guest's file system: Debian packages, then the changes in guest-files/. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { aptFetchOptions, type AptSource } from './apt.ts';
import { execute, shellQuote, succeed, splitCommand } from './command.ts';
import { removeDirectoryTree } from './directories.ts';

/** The guest's packages beyond the smallest Debian. */
export const guestDebianPackages = [
  // A real systemd host, with logind and its dependencies
  'systemd systemd-sysv dbus libpam-systemd udev kmod',
  'iproute2 util-linux procps passwd login ca-certificates less',
  // Entry paths for tenants
  'openssh-server openssh-client cron at',
  // Web servers, and programs that run tenants' code for them
  'nginx apache2 libapache2-mod-qos php-fpm fcgiwrap',
  // Disk limits on each kind of file system
  'quota e2fsprogs btrfs-progs xfsprogs dmsetup fdisk',
  // Disks that are made of others
  'lvm2 mdadm cryptsetup-bin',
  // Interfaces of the kernel for tenants: subordinate uids, file systems of their own
  'uidmap fuse3',
  // Programs that Bulkhead or its tests run
  'bubblewrap strace libxml2-utils python3-minimal',
].flatMap(splitCommand);

const documentation = ['doc', 'man', 'locale', 'info'];
const imageSize = '4G';

/**
 * A namespace of mounts and processes: nothing that a build mounts or starts outlives it, so
 * that removing a half-built tree can never reach into the host's /dev or /proc.
 */
const ownNamespace = splitCommand('unshare --mount --pid --fork --kill-child --mount-proc');

/**
 * Returns why this host cannot build a file system although it has the tools; undefined if it can.
 */
export async function rootfsBlocker(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'building the image takes root';
  const { status, stderr } = await execute([...ownNamespace, 'true']);
  if (status === 0) return undefined;
  return `this container may not make mount namespaces (${stderr.trim()}); give it CAP_SYS_ADMIN`;
}

interface RootfsInputs {
  readonly sources: readonly AptSource[];
  readonly guestFiles: string;
  /** The directory with the inputs of customize.sh; `root.img` is written here too. */
  readonly directory: string;
}

/** Builds `rootfs/`, a tree of the guest's files, in the directory. */
export async function buildRootfs({ sources, guestFiles, directory }: RootfsInputs): Promise<void> {
  const customize = join(guestFiles, 'customize.sh');
  const hook = `sh ${shellQuote(customize)} "$1" ${shellQuote(directory)}`;
  const argv = [
    ...ownNamespace,
    ...splitCommand('mmdebstrap --quiet --mode=root --variant=minbase --format=directory'),
    `--include=${guestDebianPackages.join(',')}`,
    '--aptopt=Acquire::Languages "none"',
    ...(await aptFetchOptions()).map((option) => `--aptopt=${option}`),
    '--dpkgopt=force-unsafe-io',
    ...documentation.map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
    `--customize-hook=${hook}`,
    // The sources decide the release; an empty suite selects it.
    '',
    join(directory, 'rootfs'),
    '-',
  ];
  await mkdir(join(directory, 'rootfs'));
  await succeed("build the guest's file system", argv, { input: `${sources.join('\n')}\n` });
}

export const packedRoot = (directory: string): string => join(directory, 'root.img');

/** Packs the tree into the disk image `root.img`, and removes it. */
export async function packRootfs(directory: string): Promise<void> {
  const image = packedRoot(directory);
  const tree = join(directory, 'rootfs');
  await succeed('make the disk image', ['truncate', '--size', imageSize, image]);
  // Linux before 5.15 refuses a file system with "orphan_file".
  const options = splitCommand(
    '-O verity,^orphan_file -E lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0',
  );
  const argv = [...splitCommand('mke2fs -q -t ext4 -L root'), ...options, '-d', tree, image];
  await succeed('fill the disk image', argv);
  await removeDirectoryTree(tree);
}
