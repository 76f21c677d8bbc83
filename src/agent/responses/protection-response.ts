/**
 * The responses about protection other than limits. The agent never tries anything for them: it shows what it knows,
 * and what commands found when somebody last ran them.
 *
 *     GET /v1/protection
 *     GET /v1/modules
 */
import type { Layer } from '../../../packages/base/layer.ts';
import type { Protection } from '../part.ts';

/** The last result of a command. */
export interface KeptReport<Report> {
  /** The time when the command ended, in milliseconds since 1970. */
  readonly at: number;
  /** The result. */
  readonly report: Report;
}

/** The result of `bulkhead setup status`. */
export interface LadderReport {
  /** The level that setup has reached; null if it has not run here. */
  readonly level: string | null;
  /** The layers of protection, and how far each is in force. */
  readonly layers: readonly Layer[];
  /** The keys of layers that setup had raised, and that are not in force any more. */
  readonly slippedBack: readonly string[];
}

/** The result of `bulkhead prove`. */
export interface ProofReport {
  /** The kernel's release. */
  readonly kernel: string;
  /** The attacks and their results. */
  readonly entries: readonly ProvedAttack[];
  /** The names of attacks that got through although the policy demands that they are blocked. */
  readonly broken: readonly string[];
}

export interface ProvedAttack {
  /** The attack's name. */
  readonly attack: string;
  /** A description for people. */
  readonly summary: string;
  /** The verdict. */
  readonly verdict: 'blocked' | 'not blocked' | 'not available';
  /** The observation, or the reason why it could not be tried. */
  readonly detail: string;
  /** Whether the policy demands that it is blocked. */
  readonly demanded: boolean;
  /** Advice, if it is not blocked. */
  readonly remedy: string;
}

/** The result of `bulkhead modules scan` for the running kernel. */
export interface ModulesReport {
  /** The kernel's release. */
  readonly kernel: string;
  /** The modules. */
  readonly modules: readonly KeptModule[];
  /** The number of files that could not be read, or are not modules. */
  readonly unreadable: number;
}

export interface KeptModule {
  /** The module's name, as the kernel lists it. */
  readonly name: string;
  /** The file. */
  readonly file: string;
  /** The package; null if it belongs to none, or that is unknown. */
  readonly package: string | null;
  /** The license that it claims; null if there is none. */
  readonly license: string | null;
  /** Whether the kernel would load it. */
  readonly verdict: 'load' | 'refuse';
  /** The reasons for a refusal. */
  readonly reasons: readonly string[];
  /** Letters of the kernel's taints that it sets. */
  readonly taints: string;
  /** The trust level, which follows from the evidence. */
  readonly trustLevel: 'contradicted' | 'unsupported' | 'consistent' | 'signed' | 'reproduced';
  /** The findings; those that decide first. */
  readonly evidence: readonly {
    /** A stable word for programs. */
    readonly check: string;
    /** `proof` decides, `lead` deserves a look, `support` is in its favor, `note` is for completeness. */
    readonly weight: 'proof' | 'lead' | 'support' | 'note';
    /** One sentence. */
    readonly message: string;
  }[];
  /** Whether it meets the requirement of the policy; null if there is none, or if that cannot be decided. */
  readonly accepted: boolean | null;
  /** The reason why the policy or modprobe.d denies it; null when nothing does. */
  readonly deniedReason: string | null;
  /** Whether it was loaded at the time of the scan; null if that is unknown. */
  readonly isLoaded: boolean | null;
}

/** The protections of the host besides limits. */
export interface ProtectionResponse {
  /** The guards that the agent watches, as they are now. */
  readonly guards: readonly Protection[];
  /** The time since when web servers report the requests that they refuse; absent if they do not. */
  readonly entriesCountedSince?: number;
  /** The layers; absent if `bulkhead setup status` has not run. */
  readonly ladder?: KeptReport<LadderReport>;
  /** The proof; absent if `bulkhead prove` has not run with all attacks. */
  readonly proof?: KeptReport<ProofReport>;
  /** The reasons why a result cannot be shown. */
  readonly problems: readonly string[];
}

/** The kernel modules, as they were last scanned. */
export interface ModulesResponse {
  /** The scan; absent if `bulkhead modules scan` has not run. */
  readonly scan?: KeptReport<ModulesReport>;
  /** The reason why a result cannot be shown. */
  readonly problems: readonly string[];
}
