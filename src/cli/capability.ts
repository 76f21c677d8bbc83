/**
 * The parts that a capability adds to the engine. Each part is loaded when it is first needed, so that a
 * command starts as fast as if the other capabilities did not exist. The list is a value that `main.ts` passes to
 * `makeProgram()`; a command finds it through its own program.
 */
import type { Command } from 'commander';
import type { Log } from '../agent/log.ts';
import type { AgentPart } from '../agent/part.ts';
import type { Lazy, PolicyCapability } from '../apply/capability.ts';
import type { PolicyReader } from '../apply/load-policy.ts';
import type { Cause, Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import type { SecurityItem } from '../../packages/base/security-item.ts';
import type {
  EntryPathContext,
  EntryPathKnowledge,
  EntryPathName,
  Origins,
} from '../host/entry-paths/entry-paths.ts';
import type { Paths } from '../host/paths.ts';
import type { ImportedLimits } from '../policy/elements/add-limits.ts';
import type { OwnDatabase } from '../policy/databases/own-database.ts';
import type { Policy } from '../policy/policy.ts';
import type { DoctorReport } from './doctor-report.ts';
import type { Layer } from '../../packages/base/layer.ts';
import type { CommandTable } from './shared/command-table.ts';
import type { ExitCode } from './shared/command.ts';

export interface Capability extends PolicyCapability {
  readonly name: string;
  /** Commands by their names on the command line. */
  readonly commands: CommandTable;
  /** Returns the section for `doctor`, with what would help; undefined if there is nothing to report. */
  readonly doctor?: Lazy<(context: EntryPathContext) => Promise<DoctorReport | undefined>>;
  /** Returns what `check` remarks on files that belong to the policy, and on what the policy needs of the host. */
  readonly remarks?: Lazy<(paths: Paths, policy: Policy) => readonly string[]>;
  /** Returns the layers of protection that the capability enforces, each with its state on this host. */
  readonly layers?: Lazy<
    (context: EntryPathContext) => readonly Layer[] | Promise<readonly Layer[]>
  >;
  /** Returns how a layer is to be shown that a change of the boot options would raise, or has raised from the next boot. */
  readonly layersAtBoot?: Lazy<(paths: Paths) => (layer: Layer) => Layer>;
  /** The limits of the control panel's packages, which `setup` offers. */
  readonly packageLimits?: Lazy<PackageLimits>;
  /** Parts of the agent that belong to the capability. */
  readonly agentParts?: readonly Lazy<(paths: Paths, log: Log) => AgentPart>[];
  /** Returns rows for the security report: how well the capability enforces its part of the policy. */
  readonly securityItems?: Lazy<
    (paths: Paths, policy: Policy | undefined) => readonly SecurityItem[]
  >;
  /** Prints the security report (`doctor --security`). */
  readonly securityReport?: Lazy<
    (
      paths: Paths,
      policy: Policy | undefined,
      options: { readonly json: boolean; readonly more: readonly SecurityItem[] },
    ) => ExitCode
  >;
  /** Facts about entry paths, by which tenants' processes start on this host. */
  readonly entryPaths?: {
    /** It starts other programs to find out, which takes up to a second. */
    readonly slow?: true;
    readonly load: Lazy<
      (context: EntryPathContext) => EntryPathKnowledge | Promise<EntryPathKnowledge>
    >;
  };
  /** The names of the sites of tenants that are served here, by uid; nothing where that is not known. */
  readonly servedSites?: Lazy<
    (paths: Paths, policy: Policy) => Promise<ReadonlyMap<number, ReadonlySet<string>> | undefined>
  >;
  /**
   * The main domain of each tenant, by uid, as far as it is known without a program being started. A capability later
   * in the list knows better: the control panel knows which of an account's domains is the main one.
   */
  readonly mainDomains?: Lazy<(paths: Paths) => Promise<MainDomains>>;
  /** The database servers that tenants have of their own, with their states. */
  readonly ownDatabases?: Lazy<
    (paths: Paths, policy: Policy) => Promise<Result<readonly OwnDatabase[], Problem>>
  >;
  /** Signs files of this host, and verifies those of others. */
  readonly hostSeal?: Lazy<HostSeal>;
  /** Facts about processes that started by one of these entry paths. */
  readonly origins?: { readonly entryPath: EntryPathName; readonly load: Lazy<Origins> };
}

/** A text with the signature of a host. */
export interface SealedText {
  /** The public key, in base64url. */
  readonly key: string;
  readonly signature: string;
  readonly document: string;
}

/** The key by which a fleet knows its hosts. */
export interface HostSeal {
  /** Returns the names of the fleet and of this host in it; undefined if it is in none. */
  readonly memberOf: (
    paths: Paths,
  ) => Result<{ readonly fleet: string; readonly host: string } | undefined, Problem>;
  readonly seal: (paths: Paths, document: string) => Result<SealedText, Problem>;
  readonly isGenuine: (sealed: SealedText) => boolean;
  /** Returns the fingerprint of a key, which people compare. */
  readonly fingerprintOf: (key: string) => string;
}

export type MainDomains = ReadonlyMap<number, string>;

export interface PackageLimits {
  /** Returns the name of the panel whose packages can be read; undefined without one. Starts no program. */
  readonly panel: (paths: Paths) => string | undefined;
  readonly read: (paths: Paths) => Promise<Result<ImportedLimits, Cause>>;
}

const lists = new WeakMap<Command, readonly Capability[]>();

/** Makes the capabilities known to all commands below the program. */
export function setCapabilities(program: Command, capabilities: readonly Capability[]): void {
  lists.set(program, capabilities);
}

/** Returns the program to which a command belongs. */
export function rootCommandOf(command: Command): Command {
  return command.parent === null ? command : rootCommandOf(command.parent);
}

export const capabilitiesOf = (command: Command): readonly Capability[] =>
  lists.get(rootCommandOf(command)) ?? [];

/** Returns a reader of policies, which knows the formats of all capabilities. */
export async function policyReaderOf(command: Command): Promise<PolicyReader> {
  // Help and commands that read no policy start without it.
  const { policyReader } = await import('../apply/load-policy.ts');
  return policyReader(capabilitiesOf(command));
}

/** Returns the main domain of each tenant, by uid, from everything that knows one. */
export async function mainDomainsOf(command: Command, paths: Paths): Promise<MainDomains> {
  const found = new Map<number, string>();
  for (const { mainDomains } of capabilitiesOf(command)) {
    const known = (await (await mainDomains?.())?.(paths)) ?? [];
    for (const [uid, domain] of known) found.set(uid, domain);
  }
  return found;
}
