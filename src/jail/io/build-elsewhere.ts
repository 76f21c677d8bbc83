/** Has jails built by another process, which is killed if it hangs. */
import { deserialize, serialize } from 'node:v8';
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { outputOf, spawnScript } from '../../sys/processes/child-script.ts';
import { beNice } from '../../sys/processes/priority.ts';
import { scriptFile } from '../../sys/package-files.ts';
import type { BuildAnswer, BuildRequest } from './build/protocol.ts';

/** The longest time that a build takes. */
export const buildMilliseconds = 600_000;
const heapMebibytes = 512;
/** It reads and copies a lot, and nobody waits for it. */
const niceness = 5;
const answerBytesMax = 2 ** 26;

export async function buildElsewhere(request: BuildRequest): Promise<Result<BuildAnswer, Problem>> {
  const action = 'build the jails';
  const started = spawnScript(scriptFile('jail/io/build/main'), [], heapMebibytes);
  if (!started.ok) return failed({ action, ...causedBy(started.error) });
  const child = started.value;
  beNice(child.pid, niceness);
  const timer = setTimeout(() => child.kill('SIGKILL'), buildMilliseconds).unref();
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.stdin.end(serialize(request));
  const { stdout, stderr } = await outputOf(child, answerBytesMax);
  clearTimeout(timer);
  try {
    return ok(deserialize(stdout) as BuildAnswer);
  } catch {
    const last = stderr.toString().trim().split('\n').at(-1) ?? '';
    const reason = 'the process that does it ended early';
    return failed({ action, reason: last === '' ? reason : `${reason}: ${last}` });
  }
}
