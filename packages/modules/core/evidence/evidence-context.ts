/** The facts about a module when its trust level is judged; unknown facts are undefined. */
import type { SignatureCheck } from '../record/module.ts';
import type { LoaderVerdict } from '../loader/verdict.ts';

export interface TrustContext {
  /** The file's name, without directories and without `.ko` and what follows. */
  readonly fileName: string;
  readonly signature: SignatureCheck;
  readonly verdict: LoaderVerdict | undefined;
  /** GPL-only symbols that the module imports, as far as the kernel's exports are known. */
  readonly gplOnly: readonly string[];
  /** `uname -r` of the kernel that the module is judged for. */
  readonly release: string;
  /** Whether modules of this kernel's own build carry the signature of that build. */
  readonly buildSigns: boolean;
  /** The package's statement about its license. */
  readonly packageClaim: PackageClaim | undefined;
  readonly source: SourceFinding | undefined;
}

export interface PackageClaim {
  readonly outcome: 'agrees' | 'contradicts' | 'doubtful' | 'undecided';
  readonly message: string;
}

/** The result of comparing the module with offered source. */
export interface SourceFinding {
  readonly outcome: 'reproduced' | 'consistent' | 'differs' | 'undecided';
  readonly message: string;
  /** Words of closed terms in the source of a module that claims the GPL: a sentence a file. */
  readonly closedTerms?: readonly string[];
}
