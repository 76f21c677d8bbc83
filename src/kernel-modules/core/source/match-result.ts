/** The result of comparing a module with offered source. */

export interface Match {
  readonly outcome: 'consistent' | 'differs' | 'undecided';
  /** Where the module is built in the offered tree; undefined when no makefile names it. */
  readonly directory: string | undefined;
  readonly srcversion: {
    readonly claimed: string | undefined;
    readonly computed: string | undefined;
    /** How the list of headers that gave `computed` was made. */
    readonly method: 'text' | 'preprocessor' | undefined;
    /** The files that were hashed, in order. */
    readonly files: readonly string[];
  };
  readonly objects: readonly MatchedObject[];
  readonly compilers: {
    /** Objects that a compiler made, by `.comment` of the module. */
    readonly inModule: number;
    /**
     * The same by the makefile, with those that every build adds; undefined when it is not known.
     */
    readonly inMakefile: number | undefined;
  };
  /** Files that are likely to be altered, missing or surplus. */
  readonly suspectFiles: readonly string[];
  /** For people, the decisive first. */
  readonly reasons: readonly string[];
  readonly license: LicenseFindings;
}

interface MatchedObject {
  readonly object: string;
  /** undefined when there is none. */
  readonly source: string | undefined;
}

export interface LicenseFindings {
  /** What the module claims. */
  readonly claimed: readonly string[];
  /** `MODULE_LICENSE` of the sources. */
  readonly declared: readonly string[];
  /** SPDX expressions of the sources, with the number of files. */
  readonly spdx: ReadonlyMap<string, number>;
  readonly contradictions: readonly string[];
  /**
   * Words of closed terms in the sources and beside them, of a module that claims the GPL: a
   * sentence a file.
   */
  readonly closedTerms: readonly string[];
}
