/**
 * Runs a program for root on a terminal of its own. Processes that the program leaves behind have that terminal, and
 * never root's. They can neither read what root types afterwards nor draw on the screen, since the terminal is hung up
 * when the program ends.
 *
 * The program is in a session of its own even if it has no terminal; otherwise /dev/tty would be root's.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fchownSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty, ReadStream } from 'node:tty';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { errnoName } from '../../../packages/base/io/errno.ts';
import { writeBytes } from '../../sys/syscalls.ts';
import {
  copyTerminalModes,
  copyTerminalSize,
  discardInput,
  openTerminalPair,
} from '../../sys/terminals.ts';

/** The limit of typed bytes for a program that does not read. More input waits in root's own terminal. */
const aheadBytesMax = 65_536;
const retryMilliseconds = 10;
/** The limits for output after the program has ended. Output of other processes is not waited for. */
const lastOutput = { quietMilliseconds: 100, bytesMax: 1_048_576 } as const;
const endingSignals = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;

export interface Relayed {
  readonly program: string;
  readonly args: readonly string[];
  /** The owner of the terminal, as with sshd. */
  readonly uid: number;
}

/** Runs the program and returns its exit status as a shell has it: 128 plus the signal's number if one ended it. */
export async function runOnOwnTerminal(relayed: Relayed): Promise<Result<number, Problem>> {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  const [first] = terminals;
  if (first === undefined) return ok(await statusOf(begin(relayed)));
  const opened = openTerminalPair();
  if (!opened.ok) return opened;
  const { master, slave } = opened.value;
  fchownSync(slave, relayed.uid, -1);
  copyTerminalModes(first, slave);
  copyTerminalSize(first, slave);
  const child = begin(relayed, { slave, terminals });
  closeSync(slave);
  return ok(await new Relay(master, [first, ...terminals], child).run());
}

interface Own {
  readonly slave: number;
  /** The descriptors that it replaces. */
  readonly terminals: readonly number[];
}

function begin({ program, args }: Relayed, own?: Own): ChildProcess {
  const stdio = [0, 1, 2].map((fd) =>
    own?.terminals.includes(fd) === true ? own.slave : ('inherit' as const),
  );
  // Only as standard input can it become the terminal that sends signals.
  const controlling = own?.terminals.includes(0) === true ? ['--ctty'] : [];
  return spawn('/usr/bin/setsid', [...controlling, '--', program, ...args], { stdio });
}

/** Waits for the exit status, and passes signals on, since the keyboard's signals reach only our process group. */
async function statusOf(child: ChildProcess): Promise<number> {
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const each of endingSignals) process.on(each, pass);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('exit', (...ended) => resolve(ended));
    child.once('error', () => resolve([127, null]));
  });
  for (const each of endingSignals) process.off(each, pass);
  return signal === null ? (code ?? 1) : 128 + constants.signals[signal];
}

/** Copies between root's terminal and the program's. */
class Relay {
  readonly #master: number;
  readonly #stream: ReadStream;
  readonly #child: ChildProcess;
  readonly #window: number;
  readonly #hasKeyboard: boolean;
  readonly #screen: NodeJS.WriteStream;
  #ahead: Buffer = Buffer.alloc(0);
  #retry: NodeJS.Timeout | undefined;
  #written = 0;
  #open = true;

  constructor(master: number, terminals: readonly [number, ...number[]], child: ChildProcess) {
    this.#master = master;
    [this.#window] = terminals;
    this.#child = child;
    this.#hasKeyboard = terminals.includes(0);
    this.#screen =
      terminals.includes(1) || !terminals.includes(2) ? process.stdout : process.stderr;
    this.#stream = new ReadStream(master);
  }

  async run(): Promise<number> {
    const resize = () => copyTerminalSize(this.#window, this.#master);
    process.on('SIGWINCH', resize);
    this.#stream.on('data', (data: Buffer) => this.#show(data));
    // EIO: no process has the other side any more.
    this.#stream.on('error', () => (this.#open = false));
    this.#stream.on('end', () => (this.#open = false));
    this.#screen.on('error', () => {});
    if (this.#hasKeyboard) this.#listen();
    try {
      const status = await statusOf(this.#child);
      await this.#showLast();
      return status;
    } finally {
      process.off('SIGWINCH', resize);
      clearTimeout(this.#retry);
      this.#stream.destroy();
      if (this.#hasKeyboard) this.#giveBack();
    }
  }

  #listen(): void {
    const { stdin } = process;
    stdin.setRawMode(true);
    stdin.on('data', (data: Buffer) => this.#type(data));
    // Root's terminal is gone.
    const hangUp = () => void this.#child.kill('SIGHUP');
    stdin.on('end', hangUp);
    stdin.on('error', hangUp);
  }

  /**
   * Returns root's terminal. The terminal's late answers to the program must not be taken for root's input, so they are
   * discarded.
   */
  #giveBack(): void {
    const { stdin } = process;
    stdin.pause();
    discardInput(0);
    stdin.setRawMode(false);
    stdin.destroy();
  }

  #show(data: Buffer): void {
    this.#written += data.byteLength;
    if (this.#screen.write(data)) return;
    this.#stream.pause();
    this.#screen.once('drain', () => this.#stream.resume());
  }

  #type(data: Buffer): void {
    this.#ahead = Buffer.concat([this.#ahead, data]);
    this.#passOn();
  }

  /** Writes as much as the program takes, without blocking: its output must be shown meanwhile. */
  #passOn(): void {
    clearTimeout(this.#retry);
    while (this.#open && this.#ahead.byteLength > 0) {
      const done = writeBytes(this.#master, this.#ahead, this.#ahead.byteLength);
      if (done < 0 && errnoName(-done) !== 'EAGAIN') this.#ahead = Buffer.alloc(0);
      if (done <= 0) break;
      this.#ahead = this.#ahead.subarray(done);
    }
    if (this.#ahead.byteLength > 0)
      this.#retry = setTimeout(() => this.#passOn(), retryMilliseconds);
    if (this.#ahead.byteLength > aheadBytesMax) process.stdin.pause();
    else if (process.stdin.isPaused()) process.stdin.resume();
  }

  /** Shows what the program wrote before it ended, even if other processes still have its terminal. */
  async #showLast(): Promise<void> {
    const until = this.#written + lastOutput.bytesMax;
    for (let before = -1; this.#open && before !== this.#written && this.#written < until;) {
      before = this.#written;
      await new Promise((resolve) => setTimeout(resolve, lastOutput.quietMilliseconds));
    }
  }
}
