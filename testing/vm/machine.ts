/**
 * A guest's machine, as QEMU's command line.
 *
 * Always emulated (TCG), so that tests see the same machine with and without KVM. A state can only be restored into the
 * machine that it was saved from, so this file is part of the cache key.
 */
import { join } from 'node:path';
import { splitCommand } from './command.ts';

export const qemuProgram = 'qemu-system-x86_64';

/** Control port of the guest, on the address that guest-network gives it. */
const controlForward = 'hostfwd=tcp:127.0.0.1:0-10.0.2.15:2022';

/**
 * The emulator copies a byte at a time where programs use fast strings (erms, fsrm …), ends its translated blocks at each
 * of SMAP's instructions, walks one level more with la57, and saves AVX's registers at each change of tasks: a copy in
 * the kernel takes an eighth of the time without them. Without xsave, all that needs it must be absent, too: the kernel
 * would hang in it. Nested virtualization (svm) would load KVM.
 */
const absentFeatures =
  'svm erms fsrm fzrm fsrs fsrc smap la57 pku pks xsave avx avx2 f16c fma vaes vpclmulqdq';
/** The board and processor of every guest. No controllers that would only make udev load drivers for them. */
export const boardArgv: readonly string[] = [
  ...splitCommand('-M q35,sata=off,smbus=off,vmport=off,i8042=off'),
  '-cpu',
  ['max', ...absentFeatures.split(' ').map((name) => `${name}=off`)].join(','),
];
const machineArgv = [
  ...boardArgv,
  ...splitCommand('-m 2G'),
  ...splitCommand('-nodefaults -no-user-config -display none -qmp stdio'),
  // A kernel that panics reboots (panic= below), and so ends QEMU.
  '-no-reboot',
  ...splitCommand(`-netdev user,id=net,restrict=on,${controlForward}`),
  ...splitCommand('-device virtio-net-pci,netdev=net,romfile= -device virtio-rng-pci'),
];
/**
 * One second between a panic and the reboot, for the console to take all of its lines. The kernel tests at boot whether
 * the timer ticks, for a moment; a guest that does not get the processor in that moment would panic.
 */
export const kernelArguments = 'rw console=ttyS0 panic=1 quiet loglevel=3 no_timer_check';
/** Leaves out work that slows an emulated processor down. No limit depends on it; the oracle, whose modules do, keeps it. */
const savingArguments = 'mitigations=off init_on_alloc=0';

/**
 * One emulated processor takes a fifth less of the host's time than two, whose instructions have to be atomic. Two are
 * for tests of races, and of limits above one core.
 */
export type Processors = 1 | 2;
const processorsArgv: Readonly<Record<Processors, readonly string[]>> = {
  1: splitCommand('-accel tcg,thread=single,tb-size=512 -smp 1'),
  2: splitCommand('-accel tcg,thread=multi,tb-size=512 -smp 2'),
};

export interface GuestMachine {
  /** The directory with `vmlinuz` and `initrd`. */
  readonly image: string;
  readonly processors: Processors;
  readonly root: Disk;
  readonly data: Disk;
  /** A file with the state to start from, instead of booting. */
  readonly state?: string;
}
export interface Disk {
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
}

export const consoleFile = (directory: string): string => join(directory, 'console.log');

export function qemuArgv(
  directory: string,
  { image, processors, root, data, state }: GuestMachine,
): string[] {
  return [
    qemuProgram,
    ...machineArgv,
    ...processorsArgv[processors],
    ...option('-serial', `file:${consoleFile(directory)}`),
    ...option('-kernel', join(image, 'vmlinuz')),
    ...option('-initrd', join(image, 'initrd')),
    ...option('-append', `${kernelArguments} ${savingArguments}`),
    ...diskArgv('root', root),
    ...diskArgv('data', data),
    ...(state === undefined ? [] : option('-incoming', `file:${state}`)),
  ];
}

const option = (name: string, value: string): string[] => [name, value];

/** Returns the options of a disk whose writes may be lost with the host: it is thrown away anyway. */
function diskArgv(name: string, { file, format }: Disk): string[] {
  const drive = `file=${file.replaceAll(',', ',,')},if=none,id=${name},format=${format},cache=unsafe`;
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=${name},serial=${name}`];
}
