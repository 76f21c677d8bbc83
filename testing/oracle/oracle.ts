/**
 * The kernel as oracle: Debian's own image in QEMU, with one process that loads modules on command.
 *
 * A machine boots once (about five seconds, emulated), is saved, and every `run` then starts from the same
 * untainted kernel within a second. Nothing reaches the host but answers on one port.
 */
import { connect, type Socket } from 'node:net';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { longPatienceMilliseconds, patienceMilliseconds } from '../patience.ts';
import { splitCommand } from '../vm/command.ts';
import { makeRunDirectory, type RunDirectory } from '../vm/directories.ts';
import { consoleFile, kernelArguments, qemuProgram } from '../vm/machine.ts';
import { Qemu } from '../vm/qemu.ts';
import { makeArchive } from './archive.ts';
import { buildLoader } from './build.ts';
import type { OracleKernelFiles } from './kernel-files.ts';

export type Command =
  /** A command that loads a module. `name` is the name in `struct module`, whose taint is read afterwards. */
  | {
      readonly do: 'load' | 'copy' | 'insmod';
      readonly file: string;
      readonly name: string;
      /** The flags of finit_module(2). */
      readonly flags?: number;
    }
  | { readonly do: 'unload'; readonly name: string }
  | { readonly do: 'write'; readonly path: string; readonly text: string };

/** The kernel's reaction to one command. */
export interface LoadOutcome {
  /** 0 or errno; for `insmod` its exit status. */
  readonly error: number;
  /** Letters as in /sys/module/NAME/taint; undefined when there is no such module. */
  readonly taints: string | undefined;
  /** /proc/sys/kernel/tainted. */
  readonly kernelTaint: number;
  /** New lines of the kernel's log. */
  readonly log: readonly string[];
}

interface OracleOptions {
  /** Words to add to the kernel's command line. */
  readonly commandLine?: string;
  readonly memoryMiB?: number;
  /** How long to let the machine run before it is saved: the kernel limits how often it logs some things. */
  readonly settleMs?: number;
}

const bootTimeoutMs = patienceMilliseconds;
const saveTimeoutMs = patienceMilliseconds;
const readyMark = 'oracle-is-ready';
const machineArgv = [
  // Without fast strings, as every guest; the rest stays, since the loader and modules ask for it.
  ...splitCommand(
    '-M q35,sata=off,smbus=off,vmport=off,i8042=off -cpu max,svm=off,erms=off,fsrm=off,fzrm=off,fsrs=off,fsrc=off',
  ),
  ...splitCommand('-accel tcg,tb-size=256 -smp 1'),
  ...splitCommand('-nodefaults -no-user-config -display none -qmp stdio -no-reboot'),
];

/** A saved machine with a set of module files in it. */
export class Oracle implements AsyncDisposable {
  readonly #run: RunDirectory;
  readonly #argv: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  private constructor(run: RunDirectory, argv: readonly string[], numbers: Map<string, number>) {
    this.#run = run;
    this.#argv = argv;
    this.#numbers = numbers;
  }

  /** Boots the kernel with these files (name → bytes) and saves it. */
  static async start(
    kernel: OracleKernelFiles,
    files: ReadonlyMap<string, Uint8Array>,
    options: OracleOptions = {},
  ): Promise<Oracle> {
    const run = await makeRunDirectory();
    try {
      const numbers = new Map([...files.keys()].map((name, index) => [name, index]));
      await writeFile(
        join(run.directory, 'initrd'),
        await makeInitrd(run.directory, await portDrivers(kernel), [...files.values()]),
      );
      const oracle = new Oracle(run, argvOf(kernel, run.directory, options), numbers);
      await oracle.#save(options.settleMs ?? 0);
      return oracle;
    } catch (error) {
      run.remove();
      throw error;
    }
  }

  /** Runs commands from the saved state; their effects are gone afterwards. */
  async run(
    commands: readonly Command[],
    timeoutMs = longPatienceMilliseconds,
  ): Promise<LoadOutcome[]> {
    const { directory, remove } = await makeRunDirectory();
    try {
      const incoming = ['-incoming', `file:${this.#state}`];
      await using qemu = new Qemu(directory, [...this.#argv, ...channels(directory), ...incoming]);
      await qemu.connect();
      await qemu.waitFor('query-status', ['paused'], bootTimeoutMs);
      const socket = connect(portOf(directory));
      await qemu.command('cont');
      const lines = commands.map((each) => lineOf(each, this.#numbers));
      return await qemu.within(timeoutMs, 'answer', () => converse(socket, lines));
    } finally {
      remove();
    }
  }

  async #save(settleMs: number): Promise<void> {
    const { directory, remove } = await makeRunDirectory();
    try {
      await using qemu = new Qemu(directory, [...this.#argv, ...channels(directory)]);
      await qemu.connect();
      await qemu.within(bootTimeoutMs, 'boot', async () => {
        while (!(await qemu.console()).includes(readyMark)) {
          qemu.gone.throwIfAborted();
          await sleep(50);
        }
      });
      await sleep(settleMs);
      await qemu.command('stop');
      await qemu.command('migrate-set-parameters', { 'max-bandwidth': 8 * 2 ** 30 });
      await qemu.command('migrate', { uri: `file:${this.#state}` });
      const status = await qemu.waitFor('query-migrate', ['completed', 'failed'], saveTimeoutMs);
      if (status !== 'completed') throw await qemu.failure("Cannot save the oracle's state");
    } finally {
      remove();
    }
  }

  get #state(): string {
    return join(this.#run.directory, 'state');
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#run.remove();
    return Promise.resolve();
  }
}

/** The drivers of the port, for kernels such as Debian 12's that have them as modules; providers first. */
const portDriverPaths = [
  'virtio/virtio_ring',
  'virtio/virtio',
  'virtio/virtio_pci_legacy_dev',
  'virtio/virtio_pci_modern_dev',
  'virtio/virtio_pci',
  'char/virtio_console',
];

async function portDrivers({ modules }: OracleKernelFiles): Promise<Uint8Array[]> {
  const paths = portDriverPaths.map((each) => join(modules, 'kernel/drivers', `${each}.ko`));
  return Promise.all(
    paths
      .filter((path) => existsSync(path))
      .map(async (path) => new Uint8Array(await readFile(path))),
  );
}

async function makeInitrd(
  directory: string,
  drivers: readonly Uint8Array[],
  files: readonly Uint8Array[],
): Promise<Uint8Array> {
  return makeArchive([
    ...['bin', 'dev', 'proc', 'sys', 'm', 'drivers'].map((path) => ({ path })),
    ...drivers.map((data, index) => ({ path: `drivers/${index}.ko`, data })),
    { path: 'init', data: await buildLoader(directory) },
    { path: 'bin/busybox', data: new Uint8Array(await readFile('/usr/bin/busybox')) },
    ...files.map((data, index) => ({ path: `m/${index}.ko`, data })),
  ]);
}

function argvOf(kernel: OracleKernelFiles, directory: string, options: OracleOptions): string[] {
  const { commandLine = '', memoryMiB = 256 } = options;
  return [
    qemuProgram,
    ...machineArgv,
    ...option('-m', `${memoryMiB}M`),
    ...option('-kernel', kernel.image),
    ...option('-initrd', join(directory, 'initrd')),
    ...option('-append', `${kernelArguments} ${commandLine}`),
  ];
}

const option = (name: string, value: string): string[] => [name, value];

const portOf = (directory: string) => join(directory, 'port');

/** Returns the options of the console, and of the port for commands and answers. */
const channels = (directory: string): string[] => [
  ...option('-serial', `file:${consoleFile(directory)}`),
  ...option('-device', 'virtio-serial-pci'),
  ...option('-chardev', `socket,id=oracle,path=${portOf(directory)},server=on,wait=off`),
  ...option('-device', 'virtserialport,chardev=oracle,name=oracle'),
];

function lineOf(command: Command, numbers: ReadonlyMap<string, number>): string {
  switch (command.do) {
    case 'unload':
      return ['unload', command.name].join('\t');
    case 'write':
      return ['write', command.path, command.text].join('\t');
    case 'load':
    case 'copy':
    case 'insmod': {
      const number = numbers.get(command.file);
      if (number === undefined) throw new Error(`The oracle has no file "${command.file}"`);
      return [command.do, `/m/${number}.ko`, command.flags ?? 0, command.name].join('\t');
    }
  }
}

async function converse(socket: Socket, lines: readonly string[]): Promise<LoadOutcome[]> {
  const outcomes: LoadOutcome[] = [];
  socket.write(`${lines.join('\n')}\n`);
  let log: string[] = [];
  for await (const line of createInterface({ input: socket })) {
    if (line.startsWith('log ')) {
      log.push(unescape(line.slice(4)));
    } else {
      outcomes.push(parseDone(line, log));
      log = [];
    }
    if (outcomes.length === lines.length) break;
  }
  socket.destroy();
  if (outcomes.length < lines.length) {
    throw new Error(`The oracle stopped answering after ${outcomes.length} commands`);
  }
  return outcomes;
}

function parseDone(line: string, log: readonly string[]): LoadOutcome {
  const [word, error, taints, kernelTaint] = line.split('\t');
  if (word !== 'done') throw new Error(`The oracle answered "${line}"`);
  return {
    error: Number(error),
    taints: taints === '-' ? undefined : taints,
    kernelTaint: Number(kernelTaint),
    log,
  };
}

/** Decodes /dev/kmsg, which writes the backslash and everything that is not printable ASCII as \xNN. */
const unescape = (text: string) =>
  text.replaceAll(/\\x([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(parseInt(digits, 16)),
  );
