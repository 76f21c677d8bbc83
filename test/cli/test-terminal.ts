/**
 * A real pseudo-terminal (util-linux' `script`), and a model of what stands on its screen. The
 * model knows the sequences that the program is meant to use; any other is a failure, and so is a
 * control character.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { eventually } from '../../testing/patience.ts';

/** Waits until `condition` holds. A failure contains the text of `describe`. */
export async function waitFor(condition: () => boolean, describe: () => string): Promise<void> {
  await eventually('the screen', condition, describe);
}

const isWide = (char: string) => /[\u3041-\u9fff\uff01-\uff60]/u.test(char);

export class ScreenModel {
  alternate = false;
  cursorShown = true;
  wraps = true;
  /** The text that was printed while the normal buffer was shown. */
  usual = '';
  /** Bytes of the last picture, and how many there were. */
  readonly frames: number[] = [];
  readonly #cells = new Map<number, string[]>();
  #row = 0;
  #column = 0;
  #left = '';

  feed(text: string): void {
    this.#left += text;
    while (this.#left !== '') {
      const length = this.#left.startsWith('\u001b') ? this.#escape() : this.#text();
      if (length === 0) return;
      this.#left = this.#left.slice(length);
    }
  }

  lines(rows: number): string[] {
    return Array.from({ length: rows }, (_, row) =>
      Array.from(this.#cells.get(row) ?? [], (cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  #escape(): number {
    // oxlint-disable-next-line no-control-regex -- this is what it reads
    const match = /^\u001b\[(\??)([0-9;]*)([A-Za-z])/.exec(this.#left);
    if (match === null) {
      assert.ok(
        this.#left.length < 20,
        `Unknown sequence ${JSON.stringify(this.#left.slice(0, 20))}`,
      );
      return 0;
    }
    const [whole, request, numbers = '', verb = ''] = match;
    if (request === '?') this.#mode(numbers, verb === 'h');
    else this.#control(verb, numbers, whole);
    return whole.length;
  }

  #mode(number: string, on: boolean): void {
    switch (number) {
      case '1049':
        this.alternate = on;
        return;
      case '25':
        this.cursorShown = on;
        return;
      case '7':
        this.wraps = on;
        return;
      case '2026':
        if (on) this.frames.push(this.#left.length);
        return;
      default:
        assert.fail(`Unknown mode ${number}`);
    }
  }

  #control(verb: string, numbers: string, whole: string): void {
    switch (verb) {
      case 'm':
        return;
      case 'H': {
        const [row = 1, column = 1] = numbers.split(';').map(Number);
        [this.#row, this.#column] = [row - 1, column - 1];
        return;
      }
      case 'K':
        this.#cells.get(this.#row)?.splice(this.#column);
        return;
      case 'J':
        this.#cells.clear();
        return;
      default:
        assert.fail(`Unknown sequence ${JSON.stringify(whole)}`);
    }
  }

  #text(): number {
    const end = this.#left.indexOf('\u001b');
    const text = end === -1 ? this.#left : this.#left.slice(0, end);
    if (!this.alternate) {
      this.usual += text;
      return text.length;
    }
    assert.doesNotMatch(text, /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    const line = this.#cells.get(this.#row) ?? [];
    this.#cells.set(this.#row, line);
    for (const char of text) {
      while (line.length < this.#column) line.push(' ');
      line[this.#column++] = char;
      if (isWide(char)) line[this.#column++] = '';
    }
    return text.length;
  }
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Runs a shell script on a terminal of its own; the script's first line is the terminal's name. */
export class TestTerminal {
  readonly screen = new ScreenModel();
  ended = false;
  size: TerminalSize;
  #device = '';
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;

  constructor(script: string, size: TerminalSize, environment: NodeJS.ProcessEnv = {}) {
    this.size = size;
    const begin = `stty rows ${size.rows} cols ${size.columns}; tty; `;
    this.#child = spawn('script', ['-qefc', begin + script, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        SHELL: '/bin/bash',
        TERM: 'xterm-256color',
        LC_ALL: 'C.UTF-8',
        ...environment,
      },
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.screen.feed(text);
      this.#device ||= /\/dev\/pts\/\d+/.exec(this.screen.usual)?.[0] ?? '';
    });
    this.#child.once('close', () => (this.ended = true));
  }

  lines(): string[] {
    return this.screen.lines(this.size.rows);
  }

  text(): string {
    return this.lines().join('\n');
  }

  async shows(pattern: RegExp): Promise<void> {
    await waitFor(
      () => pattern.test(this.text()),
      () => `${pattern} is not on the screen:\n${this.text()}\n${this.screen.usual}`,
    );
  }

  press(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Resizes as a terminal emulator does when its window changes: the program gets SIGWINCH. */
  resize(size: TerminalSize): void {
    this.size = size;
    const { status, stderr } = spawnSync('stty', [
      '-F',
      this.#device,
      'rows',
      String(size.rows),
      'cols',
      String(size.columns),
    ]);
    assert.equal(status, 0, String(stderr));
  }

  async end(): Promise<void> {
    await waitFor(
      () => this.ended,
      () => `It does not end:\n${this.text()}\n${this.screen.usual}`,
    );
  }

  /** Closes the window. */
  hangUp(): void {
    this.#child.kill('SIGKILL');
  }
}
