/** Applies a policy and dies by SIGKILL just before, or just after, the given operation. */
import { applyPolicy } from '../../src/apply/apply.ts';
import type { Driver } from '../../src/host/driver.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { treeHost } from '../../testing/tree-host.ts';
import { policyOf } from './suite.ts';

const [instance = '', body = '', at = '0', when = 'before'] = process.argv.slice(2);
const real = treeHost(pathsOf(instance));
let count = 0;

function dying(driver: Driver): Driver {
  return {
    [Symbol.dispose]: () => driver[Symbol.dispose](),
    capabilities: driver.capabilities,
    tree: driver.tree,
    context: driver.context,
    observe: (wanted) => driver.observe(wanted),
    memoryInUse: (cgroup) => driver.memoryInUse(cgroup),
    processes: (cgroup) => driver.processes(cgroup),
    ownerOf: (cgroup) => driver.ownerOf(cgroup),
    counters: (cgroup) => driver.counters(cgroup),
    publish: (wanted) => driver.publish(wanted),
    release: (options) => driver.release(options),
    execute(operation, options) {
      const now = count++ === Number(at);
      if (now && when === 'before') process.kill(process.pid, 'SIGKILL');
      const done = driver.execute(operation, options);
      if (now) process.kill(process.pid, 'SIGKILL');
      return done;
    },
  };
}

const applied = applyPolicy(
  policyOf(body),
  {
    paths: real.paths,
    probe(asked) {
      const driver = real.probe(asked);
      return driver.ok ? { ok: true, value: dying(driver.value) } : driver;
    },
  },
  { kill: false, force: false },
);
// Reached only if there was no such operation.
process.exitCode = applied.ok && applied.value.failures.length === 0 ? 0 : 1;
