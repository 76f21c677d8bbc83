/**
 * A process that reads data about processes (a reader), and detection of its hanging.
 *
 * A loaded host makes it slow: it then waits for a processor (state R), or wakes up now and then. It hangs if repeated
 * samples find it waiting, without being scheduled in between. So samples detect hanging, not a time limit, which mere
 * load could exceed. A reader that was stopped by a signal is replaced, too, but no tenant is blamed.
 * Source: proc_pid_status(5).
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { scriptFile } from '../../sys/package-files.ts';
import { spawnScript } from '../../sys/processes/child-script.ts';
import { statusState, statusValue } from '../../sys/processes/process-status.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { EvidenceReply, EvidenceRequest } from './gather.ts';

const sampleMilliseconds = 250;
/** Samples without progress after which other requests go elsewhere, and after which the reader is killed. */
const suspiciousSamples = 4;
const samplesMax = 20;
const switchCounters = ['voluntary_ctxt_switches', 'nonvoluntary_ctxt_switches'];

/**
 * It hung and was killed; it hung and cannot be killed; or something else ended it.
 */
export type Loss = 'hung' | 'stuck' | 'ended';

interface ChildEvents {
  readonly reply: (reply: EvidenceReply) => void;
  readonly lost: (how: Loss) => void;
  /** Called once it has exited, which may be long after it was killed. */
  readonly exited: () => void;
}

export class EvidenceChild {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #events: ChildEvents;
  #timer: NodeJS.Timeout | undefined;
  #seen = '';
  #still = 0;
  #isKilled = false;
  #isOver = false;

  /** Returns `undefined` if no process can be started. */
  static start(proc: string, events: ChildEvents): EvidenceChild | undefined {
    const started = spawnScript(scriptFile('host/evidence/main'), [proc]);
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
      if (!this.#isKilled) events.reply(JSON.parse(line) as EvidenceReply);
    });
  }

  /** Whether it seems to hang, but is not killed yet. */
  get isSuspicious(): boolean {
    return this.#isKilled || this.#still >= suspiciousSamples;
  }

  ask(request: EvidenceRequest): void {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    this.#still = 0;
    this.#timer ??= setInterval(() => this.#sample(), sampleMilliseconds).unref();
  }

  /** Notes that it has answered in full. */
  rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#still = 0;
  }

  #sample(): void {
    const status = readText(`/proc/${this.#child.pid ?? 0}/status`) ?? '';
    const state = statusState(status);
    const seen = switchCounters.map((each) => statusValue(status, each)).join();
    this.#still = state !== 'R' && seen === this.#seen ? this.#still + 1 : 0;
    this.#seen = seen;
    if (this.#still < samplesMax) return;
    this.#still = 0;
    if (this.#isKilled) this.#lose('stuck');
    else if (state === 'T' || state === 't') this.#lose('ended');
    else {
      // Reported as lost once it is known whether that ended it.
      this.#isKilled = true;
      this.#child.kill('SIGKILL');
    }
  }

  #gone(): void {
    this.#lose(this.#isKilled ? 'hung' : 'ended');
    this.#events.exited();
  }

  #lose(how: Loss): void {
    if (this.#isOver) return;
    this.end();
    this.#events.lost(how);
  }

  /** Kills it; nothing more is reported except its exit. */
  end(): void {
    this.#isOver = true;
    this.#isKilled = true;
    this.rest();
    const child = this.#child;
    child.kill('SIGKILL');
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
}
