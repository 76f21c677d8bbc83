/** What is known around a module when its trust level is judged; what is not known is undefined. */
import type { SignatureCheck } from '../record/module.ts';
import type { Verdict } from '../loader/verdict.ts';

export interface TrustContext {
  /** Of the file, without directories and without `.ko` and what follows. */
  readonly fileName: string;
  readonly signature: SignatureCheck;
  readonly verdict: Verdict | undefined;
  /** GPL-only symbols that it imports, as far as the kernel's exports are known. */
  readonly gplOnly: readonly string[];
  /** `uname -r` of the kernel that it is judged for. */
  readonly release: string;
  /** Whether modules of this kernel's own build carry the signature of that build. */
  readonly buildChecks: boolean;
  /** What the package that brought it says of its license. */
  readonly packageClaim: PackageClaim | undefined;
  readonly source: SourceFinding | undefined;
}

export interface PackageClaim {
  readonly outcome: 'agrees' | 'contradicts' | 'doubtful' | 'cannot tell';
  readonly message: string;
}

/** What comparing with offered source found. */
export interface SourceFinding {
  readonly outcome: 'reproduced' | 'consistent' | 'differs' | 'cannot tell';
  readonly message: string;
  /** Where the source has words of closed terms, though the module claims the GPL: a sentence a file. */
  readonly closedTerms?: readonly string[];
}
