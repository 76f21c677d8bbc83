/** A running guest: a real Debian with its own kernel, in which tests may break anything. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  execute,
  shellQuote,
  succeed,
  TimeoutError,
  type CommandOptions,
  type GuestResult,
} from './command.ts';
import { compileExec, compileFpm } from '../../scripts/entry.ts';
import { guardedMark } from '../guard/argv.ts';
import { eventually, longPatienceMilliseconds, patienceMilliseconds } from '../patience.ts';
import { Control } from './control.ts';
import { compiledDirectory, giveCompiled, keepCompiled } from './compiled.ts';
import { makeRunDirectory } from './directories.ts';
import type { Image } from './image.ts';
import { qemuArgv, type Disk, type GuestMachine, type Processors } from './machine.ts';
import { projectFiles, projectDirectory } from './project.ts';
import { makeBoot, otherKernelWanted } from '../oracle/other-kernel-boot.ts';
import { Qemu } from './qemu.ts';
import { dataDisk, rootDisk, savedState } from './snapshot.ts';
import { watch, type Patience, type Watched } from './watch.ts';

export type { GuestResult } from './command.ts';

interface RunOptions extends Pick<CommandOptions, 'input' | 'onOutput'> {
  /** The longest that the command may take, against hanging; ten minutes unless given. */
  readonly timeoutMs?: number;
  /** An account of the guest to run as, without PAM and so without a session; root if absent. */
  readonly user?: string;
  /** Limits after which a guest that answers nothing counts as locked up. */
  readonly lockedUpAfter?: Patience;
}

export interface Guest extends AsyncDisposable {
  /** QEMU's process. */
  readonly pid: number;
  /** Its private directory on the host: console, disks, ssh's socket. */
  readonly directory: string;
  /**
   * Runs a command by the guest's /bin/sh in the directory /. It runs in the harness's own cgroup, with no session;
   * `su - alice -c …` in it, or ssh to the guest's own port 22, is a login as tenants have it.
   * A command that ends gives its result whatever its status; one that takes too long is killed
   * with its process group, and the promise rejects. So it does when the guest has locked up.
   * A background process must not keep its output open, or the command counts as running.
   */
  run(command: string, options?: RunOptions): Promise<GuestResult>;
  /** Runs a command like `run`, but it has to succeed; returns its standard output. */
  succeed(command: string, options?: RunOptions): Promise<string>;
  /**
   * Asks again until the shell command `holds` succeeds. After ten minutes the promise rejects, with the output of the
   * command `shown`: the end of the journal, unless given.
   */
  until(holds: string, shown?: string): Promise<void>;
  /**
   * Copies a file of the host to that path in the guest, or the contents of a directory into that
   * directory. Missing directories are made; everything belongs to root and can be read by all.
   */
  copyIn(hostPath: string, guestPath: string): Promise<void>;
  /**
   * Makes /opt/bulkhead the project as it is on the host: files that git tracks or does not
   * ignore. Its node_modules, with production packages and the pinned node, is in the image. What Node.js compiled of it
   * in earlier guests is there, too. `without sources`: for a program that is built, which spares the guest two thousand
   * files.
   */
  copyProject(how?: 'with sources' | 'without sources'): Promise<void>;
  /**
   * Shuts down and boots, which takes a minute or so. The disks stay, but nothing in memory. `at once`: like the reset
   * button, without a shutdown, and without data that was not written to disk yet.
   */
  reboot(how?: 'orderly' | 'at once'): Promise<void>;
  /** Returns the output on the guest's serial console since it was started. */
  console(): Promise<string>;
  /** Opens an interactive root shell on this terminal; resolves to its exit status. */
  shell(): Promise<number>;
}

const restoreTimeoutMs = patienceMilliseconds;
const runTimeoutMs = patienceMilliseconds;
/** How much longer than a command its connection may take before the guest counts as hung. */
const graceMs = patienceMilliseconds;

/** How long QEMU may take to end after its guest has. */
const endedWithinMs = 30_000;

/**
 * `counted`: each instruction takes a nanosecond, and nothing takes as long as nothing happens. So results do not depend on
 * the load of this machine, and whoever waits in the guest waits for moments only. For one processor.
 */
export type GuestTime = 'real' | 'counted';

/**
 * Starts a fresh guest from the image's saved state; takes about a second and a half. Under another kernel it boots.
 */
export async function startGuest(
  image: Image,
  processors: Processors = 2,
  time: GuestTime = 'real',
): Promise<Guest> {
  const kernel = await otherKernelWanted();
  const { directory, remove } = await makeRunDirectory();
  try {
    if (kernel !== undefined) await makeBoot(kernel, directory);
    const machine = {
      image: kernel === undefined ? image.directory : directory,
      processors,
      root: await overlay(rootDisk(image.directory, processors), join(directory, 'root.qcow2')),
      data: await overlay(dataDisk(image.directory, processors), join(directory, 'data.qcow2')),
      ...(kernel === undefined ? { state: savedState(image.directory, processors) } : {}),
    };
    const start = (started: GuestMachine) => new Qemu(directory, argvOf(directory, started, time));
    const qemu = start(machine);
    try {
      const control = kernel === undefined ? restore(qemu, image) : boot(qemu, image);
      return new StartedGuest(qemu, await control, { image, machine, start, remove });
    } catch (error) {
      await qemu[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    remove();
    throw error;
  }
}

const argvOf = (directory: string, machine: GuestMachine, time: GuestTime): readonly string[] => [
  ...qemuArgv(directory, machine),
  ...(time === 'counted' ? ['-icount', 'shift=0,sleep=off'] : []),
];

async function overlay({ file: base }: Disk, file: string) {
  const argv = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, file];
  await succeed('make a throw-away disk', argv);
  return { file, format: 'qcow2' } as const;
}

async function restore(qemu: Qemu, image: Image): Promise<Control> {
  await qemu.connect();
  await qemu.waitFor('query-status', ['paused'], restoreTimeoutMs);
  await qemu.command('cont');
  const port = await qemu.controlPort();
  const control = await qemu.within(restoreTimeoutMs, 'answer on its control port', () =>
    Control.open(qemu.directory, image.directory, port),
  );
  // The guest's clock has the time at which it was saved.
  const options = { timeoutMs: restoreTimeoutMs, signal: qemu.gone };
  await control.run(`date --set=@${(Date.now() / 1000).toFixed(3)}`, options);
  return control;
}

async function boot(qemu: Qemu, image: Image): Promise<Control> {
  await qemu.connect();
  return bootedControl(qemu, image);
}

/** Connects as soon as the guest answers; until then the forwarded port leads nowhere. */
async function bootedControl(qemu: Qemu, image: Image): Promise<Control> {
  const port = await qemu.controlPort();
  return eventually('the guest has booted', async () => {
    qemu.gone.throwIfAborted();
    return Control.open(qemu.directory, image.directory, port).catch(() => undefined);
  });
}

interface GuestParts {
  readonly image: Image;
  readonly machine: GuestMachine;
  readonly start: (machine: GuestMachine) => Qemu;
  /** Removes its directory. */
  readonly remove: () => void;
}

class StartedGuest implements Guest {
  #qemu: Qemu;
  #control: Control;
  readonly #parts: GuestParts;
  /** The directory for what it compiles; unknown until it has the project. */
  #compiled: string | undefined;

  constructor(qemu: Qemu, control: Control, parts: GuestParts) {
    this.#qemu = qemu;
    this.#control = control;
    this.#parts = parts;
  }

  get pid(): number {
    return this.#qemu.pid;
  }

  get directory(): string {
    return this.#qemu.directory;
  }

  async run(command: string, options: RunOptions = {}): Promise<GuestResult> {
    const { timeoutMs = runTimeoutMs, user, lockedUpAfter, ...rest } = options;
    // No guard is needed there: everything ends with the guest.
    const bounded = `cd / && export ${guardedMark}=yes && exec timeout --kill-after=1 ${timeoutMs / 1000} ${asUser(user)}sh -c ${shellQuote(command)}`;
    const started = performance.now();
    const answered = new AbortController();
    void watch(this.#watched(), answered.signal, lockedUpAfter);
    const result = await this.#control
      .run(bounded, { ...rest, timeoutMs: timeoutMs + graceMs, signal: this.#qemu.gone })
      .catch((error: unknown) => this.#explain(command, error))
      .finally(() => answered.abort());
    const isLate = result.status === 124 || result.status === 137;
    if (!isLate || performance.now() - started < timeoutMs) return result;
    const { stdout, stderr } = result;
    throw new TimeoutError(lateMessage(command, timeoutMs, stdout + stderr), stdout, stderr);
  }

  async succeed(command: string, options?: RunOptions): Promise<string> {
    const { status, stdout, stderr } = await this.run(command, options);
    if (status === 0) return stdout;
    const printed = `${stdout}${stderr}`.trimEnd();
    throw new Error(`"${command}" in the guest exited with status ${status}: ${printed}`);
  }

  async until(holds: string, shown = 'journalctl -n 40 --no-pager'): Promise<void> {
    const now = '$(cut -d. -f1 /proc/uptime)';
    const ask = `began=${now}; ${holds}`;
    const end = `[ ${now} -lt $end ] || { { ${shown}; } >&2; exit 1; }`;
    // What takes long is asked rarely: a command that asks all the time delays what it waits for. So a pause is as long as
    // the question took.
    const often = 'tries=$((tries + 1)); [ $tries -lt 5 ] && sleep 0.2 || sleep 2';
    const pause = `spent=$((${now} - began)); if [ $spent -gt 2 ]; then sleep $spent; else ${often}; fi`;
    const command = `tries=0 end=$((${now} + ${patienceMilliseconds / 1000})); until { ${ask}; }; do ${end}; ${pause}; done`;
    // A command that hangs is stopped, too.
    await this.succeed(command, { timeoutMs: 2 * patienceMilliseconds });
  }

  async copyIn(hostPath: string, guestPath: string): Promise<void> {
    const target = shellQuote(guestPath);
    if ((await stat(hostPath)).isDirectory()) {
      await this.#extract(['-C', hostPath, '.'], `mkdir -p ${target} && cd ${target}`);
      return;
    }
    const { mode } = await stat(hostPath);
    const permissions = ((mode & 0o777) | 0o444).toString(8);
    const make = `mkdir -p ${shellQuote(dirname(guestPath))} && cat >${target} && chmod ${permissions} ${target}`;
    await this.succeed(make, { input: { file: hostPath } });
  }

  async copyProject(how: 'with sources' | 'without sources' = 'with sources'): Promise<void> {
    const all = await projectFiles();
    const files = how === 'with sources' ? all : all.filter((file) => !isSource.test(file));
    const clear = 'find . -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -r {} +';
    const pack = ['-C', projectDirectory, '--null', '--verbatim-files-from', '-T', '-'];
    await this.#extract(pack, `cd /opt/bulkhead && ${clear}`, files.join('\0'));
    // The guest has no compiler.
    compileFpm();
    await this.copyIn(dirname(dirname(compileExec())), '/opt/bulkhead/dist/entry');
    this.#compiled = await compiledDirectory(this.#parts.image);
    await giveCompiled(this, this.#compiled);
  }

  async reboot(how: 'orderly' | 'at once' = 'orderly'): Promise<void> {
    const { image, machine, start } = this.#parts;
    const command = how === 'orderly' ? 'systemctl reboot' : 'echo b > /proc/sysrq-trigger';
    // The connection ends with the guest, before or after the command has answered.
    await this.#control
      .run(command, { timeoutMs: runTimeoutMs, signal: this.#qemu.gone })
      .catch(() => undefined);
    await this.#qemu.waitForEnd(runTimeoutMs);
    await this.#qemu[Symbol.asyncDispose]();
    const { state: _state, ...disks } = machine;
    this.#qemu = start(disks);
    this.#control = await boot(this.#qemu, image);
  }

  console(): Promise<string> {
    return this.#qemu.console();
  }

  shell(): Promise<number> {
    return this.#control.shell();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#qemu.gone.aborted) await this.#reportAndKeep().catch(() => undefined);
    await this.#qemu[Symbol.asyncDispose]();
    this.#parts.remove();
  }

  /**
   * Prints which program crashed where, as the kernel logged it: a status of 139 does not show that. What a guest without
   * crashes has compiled is kept for others.
   */
  async #reportAndKeep(): Promise<void> {
    const command = `dmesg | grep -A1 -E ' segfault at | traps: |general protection' || true`;
    const crashes = (await this.run(command)).stdout;
    if (crashes !== '') process.stderr.write(`In the guest:\n${crashes}`);
    else if (this.#compiled !== undefined) await keepCompiled(this, this.#compiled);
  }

  /** Packs on the host and unpacks in the guest, in the directory to which the shell commands `before` change. */
  async #extract(pack: readonly string[], before: string, input = ''): Promise<void> {
    const archive = join(this.#qemu.directory, `copy-${++copies}.tar`);
    const ownership = ['--owner=0', '--group=0', '--mode=u+rwX,go+rX'];
    await succeed('pack files', ['tar', '-c', '-f', archive, ...ownership, ...pack], { input });
    await this.succeed(`${before} && tar -x`, { input: { file: archive } });
    await execute(['rm', '-f', archive]);
  }

  #watched(): Watched {
    return {
      pid: this.pid,
      ask: (signal) => this.#control.run('true', { timeoutMs: longPatienceMilliseconds, signal }),
      lockedUp: (chances) =>
        this.#qemu.giveUp(
          `The guest has locked up: it answered nothing for ${chances} seconds in which it could`,
        ),
    };
  }

  /** Throws an error. A failing connection is the guest's failure, so its last output is shown. */
  async #explain(command: string, error: unknown): Promise<never> {
    const what = `Cannot run "${command}" in the guest`;
    if (error instanceof TimeoutError) {
      throw await this.#qemu.failure(`${what}: it and the guest stopped answering`);
    }
    // QEMU may take a moment longer to end than the connection to its guest.
    await this.#qemu.waitForEnd(endedWithinMs);
    this.#qemu.gone.throwIfAborted();
    throw await this.#qemu.failure(`${what}: ${(error as Error).message}`, { cause: error });
  }
}

let copies = 0;

/** Matches what no built program reads. */
const isSource = /^(src|bench)\//;

/** Returns the command's prefix with setpriv instead of su: no PAM, no session, just a process of this user. */
function asUser(user: string | undefined): string {
  if (user === undefined) return '';
  const name = shellQuote(user);
  return `setpriv --reuid=${name} --regid="$(id -g ${name})" --init-groups --reset-env `;
}

function lateMessage(command: string, timeoutMs: number, output: string): string {
  const printed = output.trim() === '' ? 'it printed nothing' : `it printed:\n${output.trimEnd()}`;
  return `"${command}" in the guest did not finish within ${timeoutMs / 1000} s; ${printed}`;
}
