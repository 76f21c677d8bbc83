/**
 * A process that looks at processes, and whether it hangs.
 *
 * A loaded host makes it slow: then it waits for a processor (state R), or is woken now and then. It
 * hangs where it was found waiting over and over, without a single turn on a processor in between. So
 * it is told by what was seen and not by a time limit, which load alone can hit.
 * Source: proc_pid_stat(5), proc_pid_status(5).
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { scriptBeside, spawnScript } from '../child-script.ts';
import { readText } from '../read.ts';
import type { EvidenceReply, EvidenceRequest } from './gather.ts';

const lookMilliseconds = 250;
/** Looks at which it stood still: others are better asked elsewhere, and then it is given up. */
const suspiciousLooks = 4;
const mostLooks = 20;

export interface ChildEvents {
  readonly reply: (reply: EvidenceReply) => void;
  /** It hangs, and has been killed; or it ended by itself. */
  readonly lost: (how: 'hung' | 'ended') => void;
  /** The kernel has let go of it, which may be long after it was killed. */
  readonly exited: () => void;
}

export class EvidenceChild {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #events: ChildEvents;
  #timer: NodeJS.Timeout | undefined;
  #seen = '';
  #still = 0;
  #isOver = false;

  /** `undefined` where no process can be started. */
  static start(proc: string, events: ChildEvents): EvidenceChild | undefined {
    const started = spawnScript(scriptBeside(import.meta.url, './main'), [proc]);
    return started.ok ? new EvidenceChild(started.value, events) : undefined;
  }

  private constructor(child: ChildProcessWithoutNullStreams, events: ChildEvents) {
    this.#child = child;
    this.#events = events;
    child.on('error', () => this.#gone());
    child.on('exit', () => this.#gone());
    child.stdin.on('error', () => {});
    child.stderr.resume();
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!this.#isOver) events.reply(JSON.parse(line) as EvidenceReply);
    });
  }

  /** Whether it seems to hang, and is not given up yet. */
  get isSuspicious(): boolean {
    return this.#still >= suspiciousLooks;
  }

  ask(request: EvidenceRequest): void {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    this.#still = 0;
    this.#timer ??= setInterval(() => this.#look(), lookMilliseconds).unref();
  }

  /** It has answered in full. */
  rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#still = 0;
  }

  #look(): void {
    const proc = `/proc/${this.#child.pid ?? 0}`;
    const stat = readText(`${proc}/stat`) ?? '';
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    const switches = (readText(`${proc}/status`) ?? '').match(/ctxt_switches:\t\d+/g) ?? [];
    const seen = switches.join();
    this.#still = state !== 'R' && seen === this.#seen ? this.#still + 1 : 0;
    this.#seen = seen;
    if (this.#still < mostLooks) return;
    this.end();
    this.#events.lost('hung');
  }

  #gone(): void {
    const wasOver = this.#isOver;
    this.end();
    if (!wasOver) this.#events.lost('ended');
    this.#events.exited();
  }

  /** Kills it; nothing more is told of it but that it has exited. */
  end(): void {
    this.#isOver = true;
    this.rest();
    const child = this.#child;
    child.kill('SIGKILL');
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
}
