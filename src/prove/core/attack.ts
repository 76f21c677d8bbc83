/**
 * What an attack is: data. A program that a tenant with a shell could write, what makes a refusal of it, who may do
 * the same to show that it works at all, and what would hold it.
 */
import type { LimitKey } from '../../limits/limit.ts';
import type { Evidence, Outcome } from './outcome.ts';

/**
 * What of a policy demands that an attack is held.
 *
 *     a limit      the policy has it for some tenant
 *     limits       the policy has any limit
 *     separation   the policy has tenants: what the kernel keeps apart by itself
 *     symlinks     the policy has <symlinks>
 *     jail         the policy has a <jail> for some tenant: only a private view of the host holds it
 *     placement    the policy has <placement strict="yes"/>
 */
export type Demand = LimitKey | 'limits' | 'separation' | 'symlinks' | 'jail' | 'placement';

/** Who runs a program. All but root are uids of nobody, made up for this run. */
export const roles = ['attacker', 'neighbour', 'control'] as const;
/**
 *     attacker    the scratch tenant, in its limits
 *     neighbour   a second tenant, which has something to lose
 *     control     a third one, with limits that the attacks do not reach
 *     server      a user that reads files for others, as a web server does; not a tenant
 */
export type Role = (typeof roles)[number] | 'server';

/** What the attacks are made for: the scratch tenants of this run, and where they are. */
export interface Stage {
  readonly architecture: string;
  readonly cores: number;
  readonly uids: Readonly<Record<Role, number>>;
  /** Home directories, each its owner's alone. */
  readonly homes: Readonly<Record<(typeof roles)[number], string>>;
  /** Directories of web pages, which every account may read. */
  readonly sites: Readonly<Record<'attacker' | 'neighbour', string>>;
  /** A directory that all may write, sticky as /tmp. */
  readonly shared: string;
  /** A directory with a `secret`, which all may read, below one that only root enters. */
  readonly hidden: string;
  /** The process of the neighbour. */
  readonly neighbour: number;
  /** Name of its abstract socket. */
  readonly socket: string;
  readonly limits: ScratchLimits;
  /** Whether attacker and neighbour are in jails. The control never is, so that it shows what there is to be reached. */
  readonly jailed: boolean;
  /** Whether these are under Landlock: then what a tenant begins is closed to what it begins next. */
  readonly landlocked: boolean;
  /** Cgroups as directories: those of each, and the top of each hierarchy. */
  readonly cgroups: Readonly<Record<(typeof roles)[number] | 'top', readonly string[]>>;
  /** Homes of real accounts. */
  readonly accountHomes: readonly string[];
  /** The most descriptors that the host can spare. */
  readonly descriptorsMax: number;
  /** Memory that the host can give without swapping, in bytes; absent if it does not say. */
  readonly availableBytes: number | undefined;
  /** Free space of the file system of the homes, in bytes. */
  readonly freeBytes: number;
  /** What Node.js and its library for system calls are, for what Perl cannot do. */
  readonly node: readonly [program: string, koffi: string];
}

/** Limits of the attacker; `undefined` is none. Bytes, and of `cpu` cores. */
export interface ScratchLimits {
  readonly cpu: number | undefined;
  readonly memory: number | undefined;
  readonly processes: number | undefined;
  readonly write: number | undefined;
  readonly space: number | undefined;
  readonly files: number | undefined;
}

export interface Start {
  readonly program: readonly string[];
  /** The working directory of whoever starts it, who is root. */
  readonly cwd?: string;
  /** A path that root has opened and leaves open, as descriptor 3. */
  readonly leak?: string;
  /** With descriptor 3 passed on on purpose. */
  readonly keepDescriptors?: true;
  /** In the tenant's cgroup and in no jail, where whoever starts it is. */
  readonly plain?: true;
  /** The same without the launcher: root changes its uid, as a mail server does, and starts the program. */
  readonly daemon?: true;
  /** Root changes its uid and nothing else, as what knows of no cgroups does. */
  readonly outside?: true;
}

export interface Attack {
  /** For `--only`. */
  readonly name: string;
  /** What is tried, for a line. */
  readonly summary: string;
  readonly demandedBy: Demand;
  /** What would hold it: a command, a line of the policy, a setting of the host. */
  readonly remedy: string;
  readonly start: (stage: Stage) => Start;
  /** Who runs it; default: the attacker. */
  readonly by?: Role;
  /** What another does before, such as a trap. It must say that it got through. */
  readonly before?: { readonly by: Role; readonly start: (stage: Stage) => Start };
  /** The same where nothing should hold it. If it does not get through, a refusal proves nothing. */
  readonly control?: { readonly by: Role; readonly start: (stage: Stage) => Start };
  /** Errors by which the kernel holds it; default: EPERM and EACCES. */
  readonly refusals?: readonly string[];
  /** What has to be seen before it is ended; default: until it has said what came of it. */
  readonly watch?: 'processor' | 'placement';
  readonly judge?: (evidence: Evidence, stage: Stage) => Outcome;
  /** Why it is not tried here. */
  readonly obstacle?: (stage: Stage) => string | undefined;
}
