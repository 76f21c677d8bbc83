/** The result of comparing a module with offered source. */

export interface SourceMatch {
  /** The result of the comparison. */
  readonly outcome: 'consistent' | 'differs' | 'undecided';
  /**
   * The directory of the offered tree that builds the module; undefined when no makefile names it.
   */
  readonly directory: string | undefined;
  readonly srcversion: {
    readonly claimed: string | undefined;
    readonly computed: string | undefined;
    /** The method that listed the headers for `computed`. */
    readonly method: 'text' | 'preprocessor' | undefined;
    /** The files that were hashed, in order. */
    readonly files: readonly string[];
  };
  readonly objects: readonly MatchedObject[];
  readonly compilers: {
    /** Objects that a compiler made, counted in the module's `.comment`. */
    readonly inModule: number;
    /** The same counted in the makefile, with those that every build adds; undefined if unknown. */
    readonly inMakefile: number | undefined;
  };
  /** Files that are likely to be altered, missing or surplus. */
  readonly suspectFiles: readonly string[];
  /** The reasons for people, the decisive ones first. */
  readonly reasons: readonly string[];
  readonly license: LicenseFindings;
}

interface MatchedObject {
  readonly object: string;
  /** The source; undefined when there is none. */
  readonly source: string | undefined;
}

export interface LicenseFindings {
  /** The licenses that the module claims. */
  readonly claimed: readonly string[];
  /** `MODULE_LICENSE` of the sources. */
  readonly declared: readonly string[];
  /** SPDX expressions of the sources, with the number of files. */
  readonly spdx: ReadonlyMap<string, number>;
  /** Contradictions between the module's license and the source's. */
  readonly contradictions: readonly string[];
  /**
   * Words of closed terms in the sources and next to them, for a module that claims the GPL: a
   * sentence a file.
   */
  readonly closedTerms: readonly string[];
}
