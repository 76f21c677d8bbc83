/**
 * The machine that a guest is, as QEMU's command line.
 *
 * Always emulated (TCG), so that tests see the same machine with and without KVM. A state can
 * only be restored into the machine that it was saved from, so this file is part of the cache key.
 */
import { join } from 'node:path';

export const qemuProgram = 'qemu-system-x86_64';

/** Control port of the guest, on the address that guest-network gives it. */
const controlForward = 'hostfwd=tcp:127.0.0.1:0-10.0.2.15:2022';

const machineArgv = [
  // Without controllers that would only make udev load drivers for them; nested
  // virtualization would load KVM.
  ...['-M', 'q35,sata=off,smbus=off,vmport=off,i8042=off', '-cpu', 'max,svm=off'],
  ...['-accel', 'tcg,thread=multi,tb-size=512', '-smp', '2', '-m', '2G'],
  ...['-nodefaults', '-no-user-config', '-display', 'none'],
  // A kernel that panics reboots (panic= below), and so ends QEMU.
  '-no-reboot',
  ...['-device', 'virtio-rng-pci'],
  ...['-netdev', `user,id=net,restrict=on,${controlForward}`],
  ...['-device', 'virtio-net-pci,netdev=net,romfile='],
  ...['-qmp', 'stdio'],
];
/** One second between a panic and the reboot, for the console to take all of its lines. */
const kernelArguments = 'rw console=ttyS0 panic=1 quiet loglevel=3';

export interface Machine {
  /** The folder with `vmlinuz` and `initrd`. */
  readonly image: string;
  readonly root: Disk;
  readonly data: Disk;
  /** A file with the state to start from, instead of booting. */
  readonly state?: string;
}
export interface Disk {
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
}

export const consoleFile = (folder: string): string => join(folder, 'console.log');

export function qemuArgv(folder: string, { image, root, data, state }: Machine): string[] {
  return [
    qemuProgram,
    ...machineArgv,
    ...['-serial', `file:${consoleFile(folder)}`],
    ...['-kernel', join(image, 'vmlinuz'), '-initrd', join(image, 'initrd')],
    ...['-append', kernelArguments],
    ...diskArgv('root', root),
    ...diskArgv('data', data),
    ...(state === undefined ? [] : ['-incoming', `file:${state}`]),
  ];
}

/** A disk whose writes may be lost with the host: it is thrown away anyway. */
function diskArgv(name: string, { file, format }: Disk): string[] {
  const drive = `file=${file.replaceAll(',', ',,')},if=none,id=${name},format=${format},cache=unsafe`;
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=${name},serial=${name}`];
}
