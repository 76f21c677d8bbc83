/**
 * Where things are on this host: values, so that a test can point them at a fixture tree, and so
 * that a second instance (the demo, a test) keeps apart from the first.
 */
export interface Paths {
  /** Name of Bulkhead's root cgroup, of its runtime and of its state directory. */
  readonly instance: string;
  readonly proc: string;
  readonly sys: string;
  readonly etc: string;
  /** Gone after a reboot: the lock, and what the launcher reads. */
  readonly runtime: string;
  /** Kept over a reboot: which quotas were set. */
  readonly state: string;
}

export const instancePattern = /^[a-z][a-z0-9-]{0,40}$/;

export function pathsOf(instance = 'bulkhead'): Paths {
  if (!instancePattern.test(instance)) throw new Error(`"${instance}" is no name of an instance`);
  return {
    instance,
    proc: '/proc',
    sys: '/sys',
    etc: '/etc',
    runtime: `/run/${instance}`,
    state: `/var/lib/${instance}`,
  };
}

/** Held by the agent of this instance for as long as it runs. */
export const agentLock = ({ runtime }: Paths): string => `${runtime}/agent.lock`;
