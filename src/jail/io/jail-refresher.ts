/**
 * Keeps jails as the host is while the agent runs: once a minute it asks whether files of /etc, or mounts that homes are
 * on, have changed. In its service the agent may not enter namespaces, so `bulkhead-jail.service` does it there.
 */
import { existsSync, lstatSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { printProblem, type Problem } from '../../base/problem.ts';
import { isAt } from '../../policy/jail.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Paths } from '../../host/paths.ts';
import { restoreElsewhere } from '../../host/restore-elsewhere.ts';
import { readMounts } from '../../sys/files/mounts.ts';
import { brokeredPrograms, etcNames, hostSockets } from '../core/layout.ts';
import { jailPathsOf } from './jail-paths.ts';
import { jailTenants } from './jail-tenants.ts';
import { jailPart } from './part.ts';

const checkMs = 60_000;
const restore = restoreElsewhere({
  unit: 'bulkhead-jail.service',
  command: ['jail', 'refresh'],
  action: 'build the jails',
  timeoutMs: 600_000,
});

export type BuildNow = (policy: Policy, paths: Paths) => Promise<readonly Problem[]>;

export function jailRefresher(paths: Paths, log: Log): AgentPart {
  return new JailRefresher(paths, log, async ({ file }) => {
    const done = await restore(paths, file);
    return done.ok ? [] : [done.error];
  });
}

export class JailRefresher implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #build: BuildNow;
  readonly #clock: () => number;
  #policy: Policy | undefined;
  #checkedAt = -Infinity;
  #state: string | undefined;
  #building = false;
  #reported = '';

  /** `clock`: monotonic, in milliseconds. */
  constructor(paths: Paths, log: Log, build: BuildNow, clock = () => performance.now()) {
    this.#paths = paths;
    this.#log = log;
    this.#build = build;
    this.#clock = clock;
  }

  adopt(policy: Policy): void {
    this.#policy = policy;
    this.#checkedAt = -Infinity;
  }

  afterTick(): void {
    const policy = this.#policy;
    if (policy === undefined || this.#building || this.#clock() - this.#checkedAt < checkMs) return;
    this.#checkedAt = this.#clock();
    if (jailTenants(policy).length === 0 && !existsSync(jailPathsOf(this.#paths).base)) return;
    const state = stateOf(policy, this.#paths);
    const isOpen = jailPart.plan(policy, this.#paths).length > 0;
    if (state === this.#state && !isOpen) return;
    this.#state = state;
    this.#building = true;
    void this.#build(policy, this.#paths).then((problems) => {
      this.#building = false;
      this.#report(problems.map(printProblem).join('; '));
    });
  }

  /** Once, however often it is tried. */
  #report(problems: string): void {
    if (problems !== '' && problems !== this.#reported) this.#log.error(problems);
    this.#reported = problems;
  }
}

/** Changes when copies of /etc, accounts, single files of the host, or what homes are on may have changed. */
function stateOf(policy: Policy, paths: Paths): string {
  const hash = createHash('sha256');
  for (const name of [...etcNames, 'passwd', 'group']) {
    const stat = lstatSync(`${paths.etc}/${name}`, { bigint: true, throwIfNoEntry: false });
    hash.update(`${name} ${stat?.ino} ${stat?.mtimeNs}\n`);
  }
  // Mounts on or of them are lost when another file takes the name.
  for (const path of [...brokeredPrograms, ...hostSockets]) {
    hash.update(`${path} ${statSync(path, { throwIfNoEntry: false })?.ino}\n`);
  }
  const tenants = jailTenants(policy);
  const directories = tenants.flatMap(({ account, jail }) => [
    ...(account === undefined ? [] : [account.home]),
    ...jail.paths.map(({ at }) => at),
  ]);
  for (const { id, mountPoint } of readMounts(paths)) {
    const concerns = directories.some((each) => isAt(each, mountPoint));
    if (concerns) hash.update(`${id} ${mountPoint}\n`);
  }
  return hash.digest('hex');
}
