/**
 * An attack, as data. It names a program that a tenant with a shell could write, the errors that count as a refusal,
 * and the remedy. A control does the same in another role, to show that it works at all.
 */
import type { Cause } from '../../../packages/base/problem.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { OtherHost } from './other-host.ts';
import type { AttackEvidence, AttackResult } from './outcome.ts';

/**
 * The part of a policy that demands that an attack is blocked.
 *
 *     a limit      the policy has it for some tenant
 *     limits       the policy has any limit
 *     separation   the policy has tenants: the kernel separates them without further settings
 *     symlinks     the policy has <symlinks>
 *     jail         the policy has a <jail> for some tenant: only a private view of the host blocks it
 *     placement    the policy has <placement strict="yes"/>
 *     reach.mail   and the others: some tenant's <reach> or <listen> refuses it, and not only watches
 */
export type AttackDemand =
  | LimitKey
  | 'limits'
  | 'separation'
  | 'symlinks'
  | 'jail'
  | 'placement'
  | 'reach.mail'
  | 'reach.tenants'
  | 'reach.metadata'
  | 'reach.address'
  | 'listen.ports'
  | 'listen.public';

/** The tenants that run programs. Their uids belong to nobody and are chosen for this run. */
export const roles = ['attacker', 'neighbour', 'control'] as const;
/**
 *     attacker    the scratch tenant, in its limits
 *     neighbour   a second tenant, which has something to lose
 *     control     a third one, with limits that the attacks do not reach
 *     server      a user that reads files for others, as a web server does; not a tenant
 */
export type Role = (typeof roles)[number] | 'server';

/** The facts that attacks are made from: the scratch tenants of this run, and their directories. */
export interface Stage {
  readonly architecture: string;
  readonly cores: number;
  readonly uids: Readonly<Record<Role, number>>;
  /** Home directories, each accessible only to its owner. */
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
  /** The port of 127.0.0.1 and ::1 at which it greets, by TCP and UDP. */
  readonly neighbourPort: number;
  /** A port that is free, and kept for the neighbour if the policy keeps any. */
  readonly keptPort: number;
  readonly other: OtherHost;
  /** Why there is no other host here; absent if there is one. */
  readonly otherMissing: Cause | undefined;
  /** The attacker's rate to other hosts in bytes a second, if the policy limits any. */
  readonly sendLimit: number | undefined;
  readonly limits: ScratchLimits;
  /** Whether attacker and neighbour are in jails. The control never is, so that it shows what can be reached. */
  readonly jailed: boolean;
  /** Whether these are under Landlock: then a process that a tenant starts cannot reach one that it started earlier. */
  readonly landlocked: boolean;
  /** Cgroups as directories: each role's, and the top of each hierarchy. */
  readonly cgroups: Readonly<Record<(typeof roles)[number] | 'top', readonly string[]>>;
  /** Homes of real accounts. */
  readonly accountHomes: readonly string[];
  /** The most descriptors that the host can spare. */
  readonly descriptorsMax: number;
  /** Memory that the host can give without swapping, in bytes; absent if the host does not report it. */
  readonly availableBytes: number | undefined;
  /** Free space of the file system of the homes, in bytes. */
  readonly freeBytes: number;
  /** The paths of Node.js and its library for system calls, for attacks that Perl cannot make. */
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
  /** The working directory of the process that starts it, as root. */
  readonly cwd?: string;
  /** A path that root has opened and leaves open, as descriptor 3. */
  readonly leak?: string;
  /** Whether descriptor 3 is deliberately passed on. */
  readonly keepDescriptors?: true;
  /** Whether it runs in the tenant's cgroup and in no jail, as the process that starts it does. */
  readonly plain?: true;
  /**
   * Whether the same happens without the launcher: root changes its uid, as a mail server does, and starts the program.
   */
  readonly daemon?: true;
  /** Whether root changes its uid and nothing else, as a program does that knows of no cgroups. */
  readonly outside?: true;
}

export interface Attack {
  /** The name for `--only`. */
  readonly name: string;
  /** The description of the attack, for a line. */
  readonly summary: string;
  readonly demandedBy: AttackDemand;
  /** The remedy that would block it: a command, a policy line, a host setting. */
  readonly remedy: string;
  readonly start: (stage: Stage) => Start;
  /** The role that runs it; default: the attacker. */
  readonly by?: Role;
  /** The program that another role runs before, such as a trap. It must report that it got through. */
  readonly before?: { readonly by: Role; readonly start: (stage: Stage) => Start };
  /** The same program in a role that nothing should block. If it does not get through, a refusal proves nothing. */
  readonly control?: { readonly by: Role; readonly start: (stage: Stage) => Start };
  /** Errors by which the kernel blocks it; default: EPERM and EACCES. */
  readonly refusals?: readonly string[];
  /** The observation to wait for before it is ended; default: its own report. */
  readonly watch?: 'processor' | 'placement';
  readonly judge?: (evidence: AttackEvidence, stage: Stage) => AttackResult;
  /** Returns the reason why it is not tried here. */
  readonly obstacle?: (stage: Stage) => Cause | undefined;
}
