/**
 * The lines between the placer and its supervisor, on descriptors that never block.
 *
 * At most one line and the latest state are waiting to be written: a slow supervisor gets fewer lines,
 * not older ones.
 */
import { constants, readSync, writeSync } from 'node:fs';
import { errnoOf } from '../../../packages/base/io/errno.ts';
import { setFileFlags } from '../../sys/syscalls.ts';
import { Lines } from '../../sys/lines.ts';
import { commandBytesMax, type PlacerCommand, type PlacerEvent } from './protocol.ts';

const input = 0;
const output = 1;
const chunkBytes = 64 * 1024;

export class Channel {
  readonly #chunk = Buffer.alloc(chunkBytes);
  readonly #commands: PlacerCommand[] = [];
  readonly #lines = new Lines(commandBytesMax, (line) =>
    this.#commands.push(JSON.parse(line) as PlacerCommand),
  );
  #unsent = Buffer.alloc(0);

  constructor() {
    for (const fd of [input, output]) setFileFlags(fd, constants.O_NONBLOCK);
  }

  /** Returns the commands received; undefined at the end of the input. */
  receive(): readonly PlacerCommand[] | undefined {
    for (;;) {
      const length = this.#read();
      if (length === 0) return undefined;
      if (length < 0) return this.#commands.splice(0);
      if (!this.#lines.add(Buffer.from(this.#chunk.subarray(0, length)))) {
        throw new Error('A command is too long');
      }
    }
  }

  /** Reads input; returns -1 if there is none now. */
  #read(): number {
    try {
      return readSync(input, this.#chunk);
    } catch (error) {
      // ECONNRESET: the supervisor died with lines of ours unread.
      return errnoOf(error) === 'EAGAIN' ? -1 : 0;
    }
  }

  /** Whether the previous line is still being written; `send` would not accept another. */
  get busy(): boolean {
    return this.#unsent.length > 0;
  }

  send(event: PlacerEvent): void {
    if (this.busy) throw new Error('The previous line has not been sent yet');
    this.#unsent = Buffer.from(`${JSON.stringify(event)}\n`);
    this.flush();
  }

  flush(): void {
    while (this.busy) {
      try {
        this.#unsent = this.#unsent.subarray(writeSync(output, this.#unsent));
      } catch (error) {
        // Nobody reads any more: the input ends, too.
        if (errnoOf(error) !== 'EAGAIN') this.#unsent = Buffer.alloc(0);
        return;
      }
    }
  }
}
