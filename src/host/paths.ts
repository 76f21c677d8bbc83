/**
 * Paths on this host, as values. So a test can point them at a fixture tree, and a second instance (the demo, a test)
 * is separate from the first.
 */
export interface Paths {
  /** The name of Bulkhead's root cgroup, its runtime directory and its state directory. */
  readonly instance: string;
  readonly proc: string;
  readonly sys: string;
  readonly etc: string;
  /** Does not survive a reboot: the lock, and the file for the launcher. */
  readonly runtime: string;
  /** Survives a reboot: the record of quotas, and history. */
  readonly state: string;
  /** Files that only save work. */
  readonly cache: string;
}

export const instancePattern = /^[a-z][a-z0-9-]{0,40}$/;

export function pathsOf(instance = 'bulkhead'): Paths {
  if (!instancePattern.test(instance))
    throw new Error(`"${instance}" is not a valid instance name`);
  return {
    instance,
    proc: '/proc',
    sys: '/sys',
    etc: '/etc',
    runtime: `/run/${instance}`,
    state: `/var/lib/${instance}`,
    cache: `/var/cache/${instance}`,
  };
}

/** Returns the file that the agent of this instance locks while it runs. */
export const agentLock = ({ runtime }: Paths): string => `${runtime}/agent.lock`;

/**
 * Returns the directory of the agent's socket for jails, which is mounted into each tenant's jail. It stays the same
 * directory when the agent is restarted and makes another socket.
 */
export const jailSocketDirectory = ({ runtime }: Paths): string => `${runtime}/agent`;

/** Returns the directory of what a host knows of its fleet: trust, releases and states. Only root may enter it. */
export const fleetDirectoryOf = ({ state }: Paths): string => `${state}/fleet`;

/** Returns the directory of the centre of a fleet. It belongs to the account of the centre's process, and not to root. */
export const centreDirectoryOf = ({ state }: Paths): string => `${state}-fleet-server`;

/** The file there in which the centre's process tells the agent of the hosts. */
export const centreSnapshot = 'hosts.jsonl';

export const jailSocketName = 'control.sock';

/** Returns the socket on which the front of the console listens; web servers and SSH tunnels lead to it. */
export const consoleSocketOf = ({ runtime }: Paths): string => `${runtime}/console.sock`;

/** Returns the agent's socket for the front of the console. */
export const consoleAgentSocketOf = ({ runtime }: Paths): string => `${runtime}/console-agent.sock`;

/** The account of the front. */
export const consoleAccount = 'bulkhead-console';

/** Returns the agent's socket on which the front gets its settings, its certificate and the key. */
export const consoleSettingsSocketOf = ({ runtime }: Paths): string =>
  `${runtime}/console-settings.sock`;
