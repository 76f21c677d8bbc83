/** Finds the boot loader of a host by the files that are there, and hosts whose boot options cannot be changed. */
import { namesIn, readText } from '../../../../../packages/base/io/read.ts';
import type { Cause } from '../../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';
import { at, hasFile, type BootHost } from '../../../../host/boot/boot-host.ts';
import type { LoaderName } from '../../../core/boot/record.ts';
import { grub } from './grub.ts';
import { grubby } from './grubby.ts';
import type { BootLoader } from './loader.ts';
import { systemdBoot } from './systemd-boot.ts';

const loaders: readonly BootLoader[] = [grubby, grub, systemdBoot];

export const loaderNamed = (name: LoaderName): BootLoader | undefined =>
  loaders.find((each) => each.name === name);

export const loadersOf = (host: BootHost): readonly BootLoader[] =>
  loaders.filter((each) => each.isThere(host));

/** Returns the boot loader, which is named if the host has several; otherwise the reason, and what to do. */
export function findLoader(
  host: BootHost,
  name: LoaderName | undefined,
): Result<BootLoader, Cause> {
  const obstacle = obstacleOf(host);
  if (obstacle !== undefined) return fail(obstacle);
  const found = loadersOf(host);
  const [first, ...others] = found.filter((each) => name === undefined || each.name === name);
  if (first !== undefined && others.length === 0) return ok(first);
  const titles = found.map((each) => each.title).join(', ');
  if (first === undefined && name !== undefined)
    return fail({ reason: `this host has no ${name}: found ${titles === '' ? 'none' : titles}` });
  if (first === undefined) return fail(noLoader);
  const choices = found.map((each) => `--loader ${each.name}`).join(' or ');
  return fail({
    reason: `this host has ${titles}, and which one the firmware starts cannot be seen`,
    hint: `name it: ${choices}`,
  });
}

const noLoader: Cause = {
  reason:
    'no boot loader was found that Bulkhead can change (GRUB with update-grub, grubby, systemd-boot with kernel-install)',
  hint: 'add the words where the kernel command line is set; on a virtual server that may be outside, at the provider',
};

function obstacleOf(host: BootHost): Cause | undefined {
  if (isContainer(host))
    return {
      reason: 'this is a container: its kernel belongs to the machine that runs it',
      hint: 'change the boot options there',
    };
  if (hasFile(host, 'run/ostree-booted'))
    return {
      reason: 'this system is an image, which boots with options of its own',
      hint: 'run rpm-ostree kargs with --append-if-missing= for each word',
    };
  if (hasFile(host, 'etc/kernel/proxmox-boot-uuids'))
    return {
      reason: 'proxmox-boot-tool copies kernels to its own partitions here',
      hint: 'add the words to /etc/kernel/cmdline (with GRUB: /etc/default/grub), and run proxmox-boot-tool refresh',
    };
  return hasUnifiedImages(host)
    ? {
        reason: 'kernels are unified images here, which have the command line inside, often signed',
        hint: 'add the words to /etc/kernel/cmdline, and build the images as you usually do',
      }
    : undefined;
}

/** Whether the kernel belongs to another machine, which decides how it boots. */
export function isContainer(host: BootHost): boolean {
  const environment = readText(at(host, 'proc/1/environ')) ?? '';
  return (
    environment.split('\0').some((each) => each.startsWith('container=')) ||
    ['run/systemd/container', 'run/.containerenv', '.dockerenv'].some((each) =>
      hasFile(host, each),
    ) ||
    // OpenVZ: only the machine itself has /proc/bc.
    (hasFile(host, 'proc/vz') && !hasFile(host, 'proc/bc'))
  );
}

function hasUnifiedImages(host: BootHost): boolean {
  const configured = ['etc/kernel/install.conf', 'usr/lib/kernel/install.conf'].some((each) =>
    /^\s*layout\s*=\s*uki\s*$/m.test(readText(at(host, each)) ?? ''),
  );
  const images = ['efi', 'boot', 'boot/efi'].flatMap((each) =>
    namesIn(at(host, `${each}/EFI/Linux`)).filter((name) => name.endsWith('.efi')),
  );
  return configured || images.length > 0;
}
