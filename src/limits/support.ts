/**
 * The degree to which a limit is enforced, the reasons why not better, and advice: each a code, which programs translate,
 * and the value in its text. The English text is for commands and logs.
 */

export type SupportLevel = 'full' | 'partial' | 'none';

/** The degree to which a limit is enforced on this host, and why not better. */
export interface Support {
  /** The degree. */
  readonly level: SupportLevel;
  /** The reason, if it is not `full`. */
  readonly reason?: string;
  /** The parts of the reason, for programs that translate them. */
  readonly weaknesses?: readonly Weakness[];
  /** Advice for better enforcement. */
  readonly help?: string;
  /** The parts of the advice, for programs that translate them. */
  readonly helps?: readonly Help[];
}

/** The English text of each code, from its values. */
export const weaknessTexts = {
  'no controller': (controller: string) =>
    `the ${controller} controller is not available to Bulkhead`,
  'no kernel file': (file: string) => `this kernel has no ${file}`,
  'no disk': () => 'no mounted file system is on a disk that the kernel can throttle',
  'disks apart': (count: string) =>
    `each of the ${count} disks is limited separately, not their sum`,
  'sum by the agent': () =>
    'the kernel has no cap on a sum; the agent adjusts its caps at each tick',
  'sum without the agent': (parts: string) =>
    parts === '2'
      ? 'the kernel has no cap on a sum, and no agent is running to adjust its caps: each direction has half of it'
      : `the kernel has no cap on a sum, and no agent is running to adjust its caps: each direction of each disk has 1/${parts} of it`,
  'buffered writes': (places: string) =>
    `buffered writes to ${places} are not charged to the tenant`,
  'writes through the cache': () =>
    'cgroup v1 throttles direct and synchronous writes, not those through the page cache',
  'no sums': () =>
    "on cgroup v1 the sum of a reseller's tenants, or of a tenant's sites, has no limit",
  'guarantee spent once': () =>
    "the kernel's multi-gen LRU passes over guaranteed memory once, and takes it at the second attempt",
  'guarantee not passed on': () =>
    'the cgroup file system is mounted without memory_recursiveprot: the kernel does not protect the cgroups inside a tenant, which are its sites, and with systemd its logins and services',
  'soft if the host is short': () =>
    'cgroup v1 reclaims down to the soft limit only if the whole host is short of memory',
  'no guarantee': () =>
    'cgroup v1 cannot protect memory from reclaim; its soft limit only decides which cgroups lose memory first',
  'no swap accounting': () => 'this kernel does not account swap by cgroup',
  'no block device': () => 'no file system has a block device',
  'no user quotas': (places: string) => `no user quotas on ${places}`,
  'web servers': () =>
    'the web servers enforce it, not the kernel, and only those that have been told to',
  'database clients paused': () =>
    'the agent enforces it, over some seconds, for clients on this host',
  'database accounts': () => 'the servers enforce it, for each account',
  'a second late': () => 'the agent enforces it, up to a second late',
  'enabled servers': () => 'only on servers that are enabled',
  'network programs': () => 'BPF programs enforce it, where they are loaded',
  'roughly without fq': () => 'only roughly on devices that do not have the qdisc fq',
  'has used the line': () => 'what arrives unasked has used the line before it is dropped',
  'only below resellers': () =>
    'systemd has no setting for it: it has an effect only for tenants of resellers',
} as const satisfies Readonly<Record<string, (value: string) => string>>;

export type WeaknessCode = keyof typeof weaknessTexts;

/** One reason. */
export interface Weakness {
  /** The code: a stable word. */
  readonly code: WeaknessCode;
  /** The value in its text: a name, a number or a list of places. */
  readonly value?: string;
}

/** Returns the English text of a reason. */
export const weaknessText = ({ code, value = '' }: Weakness): string => weaknessTexts[code](value);

/** The English text of each piece of advice, from its value. */
export const helpTexts = {
  run: (command: string) => `run "${command}"`,
  'run on Linux 5.7': (command: string) => `run "${command}" (Linux 5.7 or later)`,
  'newer kernel': (version: string) => `use Linux ${version} or later`,
  'kernel option': (option: string) => `use a kernel built with ${option}`,
  'enable controller': (controller: string) =>
    `mount or enable the ${controller} cgroup controller (kernel command line: no cgroup_disable=${controller})`,
  'swap accounting': () => 'boot with swapaccount=1: bulkhead setup boot',
  'user quotas': () => 'enable user quotas there: bulkhead setup boot shows how',
  'v2 counts writes': () => 'cgroup v2 counts all writes',
  'v2 enforces it': () => 'cgroup v2 enforces it fully',
  'v2 always enforces it': () => 'cgroup v2 always enforces it',
  'use v2': () => 'use cgroup v2',
  'use the driver': (driver: string) => `use the driver "${driver}"`,
  'enable entries': () =>
    'run "bulkhead web entries enable"; "bulkhead web entries status" shows where they are enforced',
  'enable databases': () =>
    'run "bulkhead db enable"; "bulkhead db status" shows the servers, and which limits are enforced there',
  'network status': () => 'run "bulkhead network status", which shows what is in force',
} as const satisfies Readonly<Record<string, (value: string) => string>>;

export type HelpCode = keyof typeof helpTexts;

/** One piece of advice. */
export interface Help {
  /** The code: a stable word. */
  readonly code: HelpCode;
  /** The value in its text: a command, a version or a name. */
  readonly value?: string;
}

const helpText = ({ code, value = '' }: Help): string => helpTexts[code](value);

/** Returns the support of a limit with these weaknesses. */
export const weakSupport = (
  level: 'partial' | 'none',
  weaknesses: readonly Weakness[],
  ...helps: readonly Help[]
): Support => ({
  level,
  reason: weaknesses.map(weaknessText).join('; '),
  weaknesses,
  ...(helps.length > 0 && { help: helps.map(helpText).join('; '), helps }),
});
