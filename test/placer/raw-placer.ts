/** A placer started by hand, under any command, and what it says. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { scriptFile } from '../../src/sys/package-files.ts';
import { eventually } from '../../testing/patience.ts';
import type { PlacerEvent, PlacerStatus } from '../../src/host/placer/protocol.ts';

export const main = scriptFile('host/placer/main');

export class RawPlacer implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly events: PlacerEvent[] = [];

  constructor(program: string, ...args: string[]) {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.child;
    assert.ok(stdout);
    createInterface({ input: stdout }).on('line', (line) =>
      this.events.push(JSON.parse(line) as PlacerEvent),
    );
  }

  say(command: object): void {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  async status(when: (status: PlacerStatus) => boolean): Promise<PlacerStatus> {
    return eventually(
      'it says so',
      () => this.events.findLast((each) => each.kind === 'status' && when(each)),
      () => JSON.stringify(this.events),
    ) as Promise<PlacerStatus>;
  }

  /** Throws if the placer has ended: what it was to do never comes. */
  mustRun(): void {
    assert.equal(this.#ending, null, 'the placer has ended');
  }

  /** The exit status or signal; null while it runs. */
  get #ending(): number | string | null {
    return this.child.exitCode ?? this.child.signalCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending !== null) return;
    const ended = once(this.child, 'exit');
    this.child.stdin?.end();
    await ended;
  }
}
