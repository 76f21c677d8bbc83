/** Network namespaces with devices that lead out. Steps are those of `steps.ts`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PacingReport } from '../../../src/network/core/qdiscs/report.ts';
import { scriptBeside } from '../../../testing/script-beside.ts';

const script = scriptBeside(import.meta, 'steps');

/** The programs that the tests need, and root. */
export const stageSkip =
  process.getuid?.() !== 0
    ? 'only root makes network namespaces'
    : ['/usr/sbin/ip', '/sbin/ip'].some((each) => existsSync(each))
      ? false
      : 'there is no iproute2';

/** A new network namespace for each test, with a state directory of its own. */
export class Stage implements Disposable {
  readonly state = mkdtempSync(join(tmpdir(), 'bulkhead-qdiscs-'));
  readonly name = `bulkhead-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;

  constructor() {
    execFileSync('ip', ['netns', 'add', this.name]);
    this.shell('ip link set lo up');
  }

  /** Runs a command in the namespace; rejects unless it succeeds. */
  shell(command: string): string {
    return execFileSync('ip', ['netns', 'exec', this.name, 'sh', '-c', command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Runs steps in one process. */
  run(...steps: readonly string[]): readonly PacingReport[] {
    return this.runWith([], ...steps);
  }

  /** Runs them behind another program, such as one that takes rights away. */
  runWith(words: readonly string[], ...steps: readonly string[]): readonly PacingReport[] {
    const { stdout } = this.#start(steps, undefined, words);
    return this.#lines(stdout).map((line) => JSON.parse(line) as PacingReport);
  }

  /** The same in a process that is killed after so long. */
  runKilled(afterMs: number, ...steps: readonly string[]): void {
    this.#start(steps, afterMs);
  }

  restore(): readonly { readonly reason: string }[] {
    const [line = ''] = this.#lines(this.#start(['restore']).stdout);
    return JSON.parse(line) as { reason: string }[];
  }

  /** Returns the qdisc of a device as tc prints it, without what htb counts. */
  qdisc(device: string): string {
    const text = this.shell(`tc qdisc show dev ${device}`);
    return text.replaceAll(/direct_packets_stat \d+ /g, '').trim();
  }

  #start(steps: readonly string[], timeout?: number, before: readonly string[] = []) {
    const program = [...before, process.execPath, script];
    const words = ['netns', 'exec', this.name, ...program];
    const run = spawnSync('ip', [...words, this.state, ...steps], {
      encoding: 'utf8',
      killSignal: 'SIGKILL',
      ...(timeout === undefined ? {} : { timeout }),
    });
    if (run.status !== 0 && timeout === undefined) throw new Error(run.stderr);
    return run;
  }

  #lines = (text: string) => text.split('\n').filter((each) => each !== '');

  [Symbol.dispose](): void {
    execFileSync('ip', ['netns', 'del', this.name]);
    rmSync(this.state, { recursive: true });
  }
}
