/** How a module is put together, and what that depends on besides the makefiles. */

/** The prefixes under which a build sees the sources: absolute, as in builds outside the source. */
export const kernelPrefix = '/linux/';
export const externalPrefix = '/module/';

export type TreeKind = 'kernel' | 'external';

export interface BuildSettings {
  readonly kind: TreeKind;
  /** `CONFIG_…` as in include/config/auto.conf, strings without quotes. */
  readonly config: ReadonlyMap<string, string>;
  /** `CONFIG_…` that the kernel is known to be built without. */
  readonly unset: ReadonlySet<string>;
  /** `uname -r`; '' if unknown. */
  readonly release: string;
  /** Name of the directory below arch/. */
  readonly architecture: string;
}

/** The parts of a module and how they are compiled. */
export interface Recipe {
  /** File name without `.ko`. */
  readonly name: string;
  /** The makefile's directory, relative to the tree; '' is the tree itself. */
  readonly directory: string;
  /**
   * Objects as in the makefile, relative to the directory: `core.o`, `db/pool.o`, in the order of
   * linking.
   */
  readonly objects: readonly string[];
  /** Further files that the makefile gives the linker. */
  readonly linked: readonly string[];
  /** Objects that are linked whatever is unknown about the build. */
  readonly certain: ReadonlySet<string>;
  /**
   * Unknown facts that the list of objects depends on: variables that nothing sets, commands that
   * were not run.
   */
  readonly unknowns: readonly string[];
  /** Returns the compiler options for one object. */
  flags(object: string, assembler: boolean): CompilerFlags;
  /** Returns names that a rule of the makefile makes a file from; undefined if no rule does. */
  madeOf(name: string): readonly string[] | undefined;
}

export interface CompilerFlags {
  readonly options: readonly string[];
  /** Unknown facts that the options depend on. */
  readonly unknowns: readonly string[];
}
