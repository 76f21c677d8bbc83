/** One QEMU process: its monitor, its console, its end. */
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit } from './cleanup.ts';
import { patienceMilliseconds } from '../patience.ts';
import { lastLines, spawnBound } from './command.ts';
import { runLock } from './directories.ts';
import { lockArgv } from './lock.ts';
import { consoleFile, qemuArgv, type GuestMachine } from './machine.ts';
import { Monitor } from './monitor.ts';

const consoleLinesShown = 60;
const consoleBytesMax = 4 * 2 ** 20;

export class Qemu implements AsyncDisposable {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #monitor: Monitor;
  readonly #gone = new AbortController();
  readonly #exited: Promise<string>;
  readonly #kill: () => void;
  #errors = '';

  /** Starts the guest of an image, or QEMU by the caller's command line with `-qmp stdio` in it. */
  constructor(directory: string, machine: GuestMachine | readonly string[]) {
    this.directory = directory;
    const program = 'image' in machine ? qemuArgv(directory, machine) : machine;
    // The lock shows later runs that the directory is in use.
    const argv = [...lockArgv('exclusive', runLock(directory)), ...program];
    this.#child = spawnBound(argv, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#kill = atExit(() => this.#child.kill('SIGKILL'));
    const { stdin, stdout, stderr } = this.#child;
    stderr!.setEncoding('utf8').on('data', (chunk: string) => (this.#errors += chunk));
    this.#monitor = new Monitor(stdout!, stdin!);
    this.#exited = new Promise((resolve) => {
      this.#child.on('close', (status, signal) => resolve(describeEnd(status, signal)));
      this.#child.on('error', (error) => resolve(error.message));
    });
    void this.#exited.then((how) => this.#reportGone(how));
    // A test that forgets to dispose of its guest still ends; the guest then ends with it.
    for (const handle of [this.#child, stdin, stdout, stderr] as { unref?(): void }[]) {
      handle.unref?.();
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Aborted when QEMU has exited unexpectedly: a panic, a power-off, a crash. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Waits for QEMU to exit, but no longer than that. */
  async waitForEnd(atMostMs: number): Promise<void> {
    await sleep(atMostMs, undefined, { signal: this.gone }).catch(() => {});
  }

  /** Runs an action that fails when QEMU exits, or after a time; the error shows the console. */
  async within<T>(timeoutMs: number, what: string, action: () => Promise<T>): Promise<T> {
    this.gone.throwIfAborted();
    const { promise: broken, reject } = Promise.withResolvers<never>();
    const onGone = () => reject(this.gone.reason as Error);
    this.gone.addEventListener('abort', onGone, { once: true });
    const timer = setTimeout(async () => {
      reject(await this.failure(`The guest did not ${what} within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    try {
      return await Promise.race([action(), broken]);
    } finally {
      clearTimeout(timer);
      this.gone.removeEventListener('abort', onGone);
    }
  }

  /** Completes the handshake; commands can follow. */
  async connect(): Promise<void> {
    await this.within(patienceMilliseconds, 'start', () =>
      this.#monitor.execute('qmp_capabilities'),
    );
  }

  /** Waits until QEMU reports one of these states, asking often: some pass quickly. */
  async waitFor(query: string, states: readonly string[], timeoutMs: number): Promise<string> {
    return this.within(timeoutMs, `get to ${states.join(' or ')}`, async () => {
      for (;;) {
        const { status } = (await this.#monitor.execute(query)) as { status?: string };
        if (status !== undefined && states.includes(status)) return status;
        this.gone.throwIfAborted();
        await sleep(20);
      }
    });
  }

  async command(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.within(patienceMilliseconds, command, () => this.#monitor.execute(command, args));
  }

  /** Returns the port on 127.0.0.1 that leads to a port of the guest; the kernel chose it. */
  async controlPort(guestPort = 2022): Promise<number> {
    const args = { 'command-line': 'info usernet' };
    const text = (await this.command('human-monitor-command', args)) as string;
    const match = new RegExp(
      `TCP\\[HOST_FORWARD\\]\\s+\\d+\\s+127\\.0\\.0\\.1\\s+(\\d+)\\s+10\\.0\\.2\\.15\\s+${guestPort}\\b`,
    ).exec(text);
    if (match === null) throw new Error(`QEMU reports no forwarded port:\n${text}`);
    return Number(match[1]);
  }

  /** Returns the output on the guest's serial console so far. */
  async console(): Promise<string> {
    const text = await readFile(consoleFile(this.directory), 'utf8').catch(() => '');
    return text.slice(-consoleBytesMax);
  }

  /** Returns an error about this guest, with the end of its console. */
  async failure(message: string, options?: ErrorOptions): Promise<Error> {
    const tail = lastLines(await this.console(), consoleLinesShown);
    const shown = tail === '' ? 'its console is empty' : `the end of its console:\n${tail}`;
    return new Error(`${message}; ${shown}`, options);
  }

  /** Ends a guest that is of no use any more: everything that waits for it fails with the message. */
  async giveUp(message: string): Promise<void> {
    const where = await this.#processors();
    this.#gone.abort(await this.failure(`${message}; ${where}`));
    this.#kill();
  }

  /** Tells where the guest's processors are, and whether they wait for an interrupt (HLT=1). */
  async #processors(): Promise<string> {
    const args = { 'command-line': 'info registers -a' };
    const asked = this.#monitor.execute('human-monitor-command', args);
    const text = await Promise.race([asked, sleep(patienceMilliseconds / 10, '', { ref: false })]);
    const lines = String(text).match(/^.IP=.*$/gm);
    return lines === null ? 'QEMU does not answer either' : `its processors: ${lines.join('; ')}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.ref();
    this.#kill();
    await this.#exited;
  }

  async #reportGone(how: string): Promise<void> {
    const reason = [how, this.#errors.trim()].filter((part) => part !== '').join(': ');
    this.#gone.abort(await this.failure(`The guest has exited: ${reason}`));
  }
}

function describeEnd(status: number | null, signal: string | null): string {
  if (status === 0) return 'it panicked or powered off';
  return signal === null ? `QEMU failed with status ${status}` : `QEMU was killed by ${signal}`;
}
