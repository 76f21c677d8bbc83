/** What is known around a module when its standing is judged; what is not known is undefined. */
import type { SignatureCheck } from '../module.ts';
import type { Verdict } from '../verdict.ts';

export interface StandingContext {
  /** Of the file, without folders and without `.ko` and what follows. */
  readonly fileName: string;
  readonly signature: SignatureCheck;
  readonly verdict: Verdict | undefined;
  /** GPL-only symbols that it imports, as far as the kernel's exports are known. */
  readonly gplOnly: readonly string[];
  /** `uname -r` of the kernel that it is judged for. */
  readonly release: string;
  /** Whether modules of this kernel's own build carry the signature of that build. */
  readonly buildSigns: boolean;
  /** What the package that brought it says of its licence. */
  readonly packageClaim: PackageClaim | undefined;
  readonly source: SourceFinding | undefined;
}

export interface PackageClaim {
  readonly outcome: 'agrees' | 'contradicts' | 'doubtful' | 'cannot tell';
  readonly says: string;
}

/** What comparing with offered source found. */
export interface SourceFinding {
  readonly outcome: 'reproduced' | 'consistent' | 'differs' | 'cannot tell';
  readonly says: string;
  /** Where the source has words of closed terms, though the module claims the GPL: a sentence a file. */
  readonly closedTerms?: readonly string[];
}
