/**
 * The whole terminal, for a while: alternate buffer, raw keys, no cursor.
 *
 * Whatever ends the program, except SIGKILL, restores the terminal first: a signal, an exception, a
 * terminal that closes. Only lines that changed are written, in one piece.
 */
import { composeWrite } from './paint.ts';
import { decodeKeys, flushKeys, type Key } from './keys.ts';
import type { Size } from './frame.ts';

const enterCodes = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J';
const leaveCodes = '\u001b[?7h\u001b[?25h\u001b[?1049l';

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** How long the rest of a key sequence may take. */
const keyMilliseconds = 50;
/** A stopped process continues here; one that could not be stopped does so after this time. */
const stopMilliseconds = 50;

interface ScreenEvents {
  readonly key: (key: Key) => void;
  /** Called when the size has changed, or the content is unknown. */
  readonly changed: () => void;
  /** Called when the terminal is gone. */
  readonly closed: () => void;
}

type Signal = NodeJS.Signals;

export class Screen {
  readonly #events: ScreenEvents;
  readonly #input: NodeJS.ReadStream = process.stdin;
  readonly #output: NodeJS.WriteStream = process.stdout;
  readonly #handlers = new Map<Signal, () => void>();
  #outputErrors: ReturnType<NodeJS.WriteStream['listeners']> = [];
  #open = false;
  #shown: readonly string[] | undefined;
  #rest = '';
  #restTimer: NodeJS.Timeout | undefined;

  constructor(events: ScreenEvents) {
    this.#events = events;
  }

  /** Returns the size; a serial line has none and reports 0. */
  get size(): Size {
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 };
  }

  open(): void {
    this.#outputErrors = this.#output.listeners('error');
    this.#output.removeAllListeners('error').on('error', this.#closed);
    this.#output.on('resize', this.#resized);
    this.#input.setEncoding('utf8');
    this.#input.on('data', this.#data).on('end', this.#closed).on('error', this.#closed);
    process.on('uncaughtExceptionMonitor', this.#giveBack).on('exit', this.#giveBack);
    for (const signal of endingSignals) this.#handle(signal, () => this.#die(signal));
    this.#handle('SIGTSTP', () => this.suspend());
    this.#handle('SIGCONT', () => this.#takeAgain());
    this.#take();
  }

  /** Restores the terminal; the program may go on to print. */
  close(): void {
    this.#giveBack();
    clearTimeout(this.#restTimer);
    this.#output.off('resize', this.#resized).off('error', this.#closed);
    for (const each of this.#outputErrors) this.#output.on('error', each as () => void);
    this.#input.off('data', this.#data).off('end', this.#closed).off('error', this.#closed);
    this.#input.on('error', ignore).pause();
    process.off('uncaughtExceptionMonitor', this.#giveBack).off('exit', this.#giveBack);
    for (const [signal, handler] of this.#handlers) process.off(signal, handler);
    this.#handlers.clear();
  }

  /**
   * Draws a frame only while the terminal keeps up: frames that it is too slow for are dropped, not
   * queued.
   */
  draw(lines: readonly string[]): void {
    if (!this.#open || this.#output.writableNeedDrain) return;
    const text = composeWrite(this.#shown, lines, this.size);
    this.#shown = lines;
    if (text !== '') this.#output.write(text);
  }

  /** Makes the next frame write every line. */
  forget(): void {
    this.#shown = undefined;
  }

  /** Suspends the program, as Ctrl-Z does to any; SIGCONT brings the screen back. */
  suspend(): void {
    this.#giveBack();
    const handler = this.#handlers.get('SIGTSTP');
    if (handler !== undefined) process.off('SIGTSTP', handler);
    process.kill(process.pid, 'SIGTSTP');
    // An orphaned process group is not stopped by the signal, and never continued.
    setTimeout(() => this.#takeAgain(), stopMilliseconds);
  }

  #handle(signal: Signal, handler: () => void): void {
    this.#handlers.set(signal, handler);
    process.on(signal, handler);
  }

  #take(): void {
    if (this.#open) return;
    this.#open = true;
    this.#input.setRawMode(true).resume();
    this.#output.write(enterCodes);
    this.forget();
  }

  /** Takes the terminal again after a stop: the shell had it and left it in its own mode. */
  #takeAgain(): void {
    if (this.#handlers.size === 0) return;
    const handler = this.#handlers.get('SIGTSTP');
    if (handler !== undefined && !process.listeners('SIGTSTP').includes(handler))
      process.on('SIGTSTP', handler);
    if (this.#open) this.#input.setRawMode(false);
    this.#open = false;
    this.#take();
    this.#events.changed();
  }

  readonly #giveBack = (): void => {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.#output.write(leaveCodes);
      this.#input.setRawMode(false);
    } catch {
      // The terminal is gone, so there is nothing to restore.
    }
  };

  /** Ends the program with the signal itself, so that the parent process sees what ended it. */
  #die(signal: Signal): void {
    this.close();
    process.kill(process.pid, signal);
  }

  readonly #closed = (): void => {
    this.close();
    // Further errors of a terminal that is gone do not matter.
    this.#output.removeAllListeners('error').on('error', ignore);
    this.#events.closed();
  };

  readonly #resized = (): void => {
    this.forget();
    this.#events.changed();
  };

  readonly #data = (chunk: string | Buffer): void => {
    clearTimeout(this.#restTimer);
    const { keys, rest } = decodeKeys(this.#rest + String(chunk));
    this.#rest = rest;
    for (const key of keys) this.#events.key(key);
    if (rest !== '') this.#restTimer = setTimeout(this.#flush, keyMilliseconds);
  };

  readonly #flush = (): void => {
    const keys = flushKeys(this.#rest);
    this.#rest = '';
    for (const key of keys) this.#events.key(key);
  };
}

function ignore(): void {}
