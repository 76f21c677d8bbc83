/** Lets another process read and apply a policy, and kills it if it hangs or prints too much. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { deserialize, serialize } from 'node:v8';
import { outputOf, spawnScript, type ChildOutput } from '../sys/processes/child-script.ts';
import { Lines } from '../sys/lines.ts';
import { scriptFile } from '../sys/package-files.ts';
import { causedBy, failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { ApplyResponse, ApplyRequest } from './apply-request.ts';

/** Longer than a build of jails that waits for another one. */
const milliseconds = 1_500_000;
/** The largest policy's result takes less than half of it. */
const heapMebibytes = 2048;
const lineBytesMax = 4_096;
const progressPattern = /^progress (\d{1,3})$/;
/** A hundred thousand tenants take 12 MB. */
const answerBytesMax = 2 ** 28;

export class Applier implements Disposable {
  #child: ChildProcessWithoutNullStreams | undefined;
  #progress: number | undefined;

  /** The share of the changes that is done: 0 to 1; absent while that is unknown. */
  get progress(): number | undefined {
    return this.#progress;
  }

  async apply(request: ApplyRequest): Promise<Result<ApplyResponse, Problem>> {
    const started = spawnScript(scriptFile('apply-child'), [], heapMebibytes);
    if (!started.ok) return failed({ action: 'apply the policy', ...causedBy(started.error) });
    const child = started.value;
    this.#child = child;
    const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds).unref();
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    child.stdin.end(serialize(request));
    const lines = new Lines(lineBytesMax, (line) => {
      this.#progress = progressIn(line) ?? this.#progress;
    });
    try {
      return decode(await outputOf(child, answerBytesMax, (chunk) => lines.add(chunk)));
    } finally {
      clearTimeout(timer);
      this.#child = undefined;
      this.#progress = undefined;
    }
  }

  /** Stops the process. The next apply completes an interrupted one. */
  [Symbol.dispose](): void {
    this.#child?.kill('SIGKILL');
  }
}

function progressIn(line: string): number | undefined {
  const percent = progressPattern.exec(line)?.[1];
  return percent === undefined ? undefined : Number(percent) / 100;
}

function decode({ stdout, stderr }: ChildOutput): Result<ApplyResponse, Problem> {
  try {
    return ok(deserialize(stdout) as ApplyResponse);
  } catch {
    const lines = stderr.toString().trim().split('\n');
    const last = lines.findLast((line) => !progressPattern.test(line)) ?? '';
    const reason = 'the process that does it ended early';
    return failed({
      action: 'apply the policy',
      reason: last === '' ? reason : `${reason}: ${last}`,
    });
  }
}
