/**
 * Runs the broker without systemd, whose socket unit starts one for each request. The agent's broker listens while
 * any tenant has a jail.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { packageFile } from '../../sys/package-files.ts';
import { beNice } from '../../sys/processes/priority.ts';
import { jailTenants } from './jail-tenants.ts';

/** The wait before another start, so that a broker that ends at once is not started again and again. */
const defaultSetting = { againMs: 10_000 } as const;

export function brokerPart(
  { instance }: Paths,
  log: Log,
  { againMs }: { readonly againMs: number } = defaultSetting,
): AgentPart {
  let isWanted = false;
  let running: ChildProcess | undefined;
  let startedAt = -Infinity;
  const start = () => {
    startedAt = performance.now();
    const child = spawn(packageFile('libexec/bulkhead-broker'), [instance, '--listen'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // Programs of tenants start there.
    beNice(child.pid);
    running = child;
    createInterface(child.stderr).on('line', (line) => log.info(line));
    child.on('error', (error) => log.error(`Cannot start the broker of jails: ${error.message}`));
    child.on('close', () => {
      running = undefined;
    });
  };
  return {
    adopt(policy: Policy) {
      isWanted = !runsSystemd() && jailTenants(policy).length > 0;
      if (!isWanted) running?.kill();
    },
    afterTick() {
      const isDue = performance.now() - startedAt >= againMs;
      if (isWanted && running === undefined && isDue) start();
    },
    async [Symbol.asyncDispose]() {
      isWanted = false;
      running?.kill();
    },
  };
}
