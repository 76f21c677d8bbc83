/** A machine that starts from a whole disk by its firmware, as at a provider of virtual servers, with cloud-init. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, longPatienceMilliseconds, patienceMilliseconds } from '../patience.ts';
import { splitCommand, succeed, type GuestResult } from './command.ts';
import { Control } from './control.ts';
import { makeRunDirectory } from './directories.ts';
import { makeKeys } from './keys.ts';
import { boardArgv, consoleFile, qemuProgram } from './machine.ts';
import { Qemu } from './qemu.ts';

export type Firmware = 'bios' | 'uefi';

const sshPort = 22;
/** Larger than the image, so that its root has to grow. */
const diskSize = '8G';
const firmwareCode = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const firmwareVariables = '/usr/share/OVMF/OVMF_VARS_4M.fd';

export class DiskGuest implements AsyncDisposable {
  #qemu: Qemu;
  #control: Control | undefined;
  readonly #remove: () => void;

  private constructor(directory: string, firmware: Firmware, remove: () => void) {
    this.#remove = remove;
    this.#qemu = new Qemu(directory, argvOf(directory, firmware));
  }

  /** Starts a fresh copy of a qcow2 image, and returns once it answers; `userData` is merged into cloud-init's. */
  static async start(image: string, firmware: Firmware, userData: object): Promise<DiskGuest> {
    const { directory, remove } = await makeRunDirectory();
    try {
      await makeKeys(directory);
      const disk = join(directory, 'disk.qcow2');
      const overlay = splitCommand('qemu-img create -q -f qcow2 -F qcow2 -b');
      await succeed('make a throw-away disk', [...overlay, image, disk, diskSize]);
      await makeSeed(directory, userData);
      await copyFile(firmwareVariables, variablesOf(directory));
      const guest = new DiskGuest(directory, firmware, remove);
      try {
        await guest.#connect();
        return guest;
      } catch (error) {
        await guest[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      remove();
      throw error;
    }
  }

  /** Runs a shell command as root. */
  async run(command: string, input?: { readonly file: string }): Promise<GuestResult> {
    return this.#control!.run(command, {
      timeoutMs: longPatienceMilliseconds,
      signal: this.#qemu.gone,
      ...(input === undefined ? {} : { input }),
    });
  }

  /** Runs a shell command as root; it has to succeed. Returns its standard output. */
  async succeed(command: string, input?: { readonly file: string }): Promise<string> {
    const { status, stdout, stderr } = await this.run(command, input);
    if (status === 0) return stdout;
    throw new Error(`"${command}" in the guest exited with status ${status}: ${stdout}${stderr}`);
  }

  /** Shuts down, and starts from the disk again, by either firmware. */
  async reboot(firmware: Firmware): Promise<void> {
    await this.run('systemctl reboot').catch(() => undefined);
    await this.#qemu.waitForEnd(patienceMilliseconds);
    await this.#qemu[Symbol.asyncDispose]();
    const { directory } = this.#qemu;
    this.#qemu = new Qemu(directory, argvOf(directory, firmware));
    await this.#connect();
  }

  console(): Promise<string> {
    return this.#qemu.console();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#qemu[Symbol.asyncDispose]();
    this.#remove();
  }

  async #connect(): Promise<void> {
    const { directory } = this.#qemu;
    await this.#qemu.connect();
    const port = await this.#qemu.controlPort(sshPort);
    const attempt = () => {
      this.#qemu.gone.throwIfAborted();
      return Control.open(directory, directory, port).catch(() => undefined);
    };
    this.#control = await eventually('the guest has booted', attempt, () => this.console());
  }
}

/** Makes the disk with cloud-init's files (NoCloud): the keys of root and of sshd, and what a test wants. */
async function makeSeed(directory: string, userData: object): Promise<void> {
  const read = (name: string) => readFile(join(directory, name), 'utf8');
  const seed = join(directory, 'seed');
  await mkdir(seed);
  const config = {
    disable_root: false,
    ssh_authorized_keys: [(await read('control-key.pub')).trim()],
    ssh_keys: {
      ed25519_private: await read('guest_control_key'),
      ed25519_public: (await read('guest_control_key.pub')).trim(),
    },
    ...userData,
  };
  await writeFile(join(seed, 'user-data'), `#cloud-config\n${JSON.stringify(config)}\n`);
  await writeFile(join(seed, 'meta-data'), '{"instance-id": "test", "local-hostname": "guest"}\n');
  const disk = join(directory, 'seed.img');
  await succeed('make the seed', splitCommand(`mkfs.vfat -n CIDATA -C ${disk} 1024`));
  const files = ['user-data', 'meta-data'].map((name) => join(seed, name));
  await succeed('fill the seed', ['mcopy', '-i', disk, ...files, '::']);
}

function argvOf(directory: string, firmware: Firmware): readonly string[] {
  return [
    qemuProgram,
    ...boardArgv,
    // With more than one thread, QEMU has failed on such a machine (iotlb_to_section).
    ...splitCommand('-accel tcg,thread=single,tb-size=512 -smp 1 -m 2G'),
    ...splitCommand('-nodefaults -no-user-config -display none -qmp stdio -no-reboot'),
    '-chardev',
    `file,id=console,path=${consoleFile(directory)},append=on`,
    ...splitCommand('-serial chardev:console'),
    ...splitCommand(`-netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:${sshPort}`),
    ...splitCommand('-device virtio-net-pci,netdev=net,romfile= -device virtio-rng-pci'),
    ...(firmware === 'uefi' ? uefiArgv(directory) : []),
    ...driveArgv('disk', join(directory, 'disk.qcow2'), 'qcow2'),
    ...driveArgv('seed', join(directory, 'seed.img'), 'raw'),
  ];
}

const variablesOf = (directory: string) => join(directory, 'variables.fd');

const uefiArgv = (directory: string): readonly string[] => [
  '-drive',
  `if=pflash,format=raw,readonly=on,file=${firmwareCode}`,
  '-drive',
  `if=pflash,format=raw,file=${variablesOf(directory)}`,
];

const driveArgv = (name: string, file: string, format: string): readonly string[] => [
  '-drive',
  `file=${file},if=none,id=${name},format=${format},cache=unsafe`,
  '-device',
  `virtio-blk-pci,drive=${name},serial=${name}${name === 'disk' ? ',bootindex=0' : ''}`,
];
