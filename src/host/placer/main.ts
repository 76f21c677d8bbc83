/**
 * The placer: a small separate process that moves every tenant process into the tenant's cgroup as soon as the kernel
 * reports its uid. Its supervisor starts it in a session of its own, so that Ctrl-C at a terminal does not reach it; it
 * exits when its input ends.
 *
 *     node main.ts HALT-FILE [RECEIVE-BYTES]
 *
 * It is a process and not a thread or a part of the agent, since it waits in poll(2) and nothing else may delay it.
 */
import { setPriority } from 'node:os';
import type { Problem } from '../../../packages/base/problem.ts';
import { requireSameBuild } from '../../sys/processes/same-build.ts';
import { Connector } from './connector.ts';
import { Loop, type EventSource } from './loop.ts';

/**
 * A tenant's forks must not keep it from moving the one that forks: with hundreds of them ready to
 * run, -10 would leave it a hundredth of a core. Real-time would win against more, but then a
 * tenant that floods it with events would take the core from everybody.
 */
const niceness = -20;

function source(receiveBytes: number | undefined): EventSource {
  const opened = Connector.open(receiveBytes);
  if (!opened.ok) return polling(opened.error);
  const started = opened.value.start();
  if (!started.ok) return polling(started.error);
  return { connector: opened.value, filtered: started.value.filtered };
}

function polling(problem: Problem): EventSource {
  const { hint } = problem;
  const instead = 'all processes are scanned every 2 seconds instead';
  return { problem: { ...problem, hint: hint === undefined ? instead : `${hint}; ${instead}` } };
}

requireSameBuild();
// A signal to stop reaches the supervisor, too, which then closes the input, so that nothing is lost.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
try {
  setPriority(niceness);
} catch {
  // Without CAP_SYS_NICE it runs at normal priority.
}
const [, , haltFile, asked] = process.argv;
new Loop(() => source(asked === undefined ? undefined : Number(asked)), haltFile).run();
