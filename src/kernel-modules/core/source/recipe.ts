/** How a module is put together, and what that depends on beside the makefiles. */

/** Under which names a build sees the sources: absolute, as builds outside of the source do. */
export const kernelPrefix = '/linux/';
export const externalPrefix = '/module/';

export type TreeKind = 'kernel' | 'external';

export interface BuildSettings {
  readonly kind: TreeKind;
  /** `CONFIG_…` as in include/config/auto.conf, strings without quotes. */
  readonly config: ReadonlyMap<string, string>;
  /** `CONFIG_…` that the kernel is known to be built without. */
  readonly unset: ReadonlySet<string>;
  /** `uname -r`; '' when it is not known. */
  readonly release: string;
  /** Name of the directory below arch/. */
  readonly architecture: string;
}

/** How a module is put together. */
export interface Recipe {
  /** File name without `.ko`. */
  readonly name: string;
  /** Of the makefile, relative to the tree; '' is the tree itself. */
  readonly directory: string;
  /**
   * As in the makefile, relative to the directory: `core.o`, `db/pool.o`, in the order of linking.
   */
  readonly objects: readonly string[];
  /** Files that the makefile gives the linker beside them. */
  readonly linked: readonly string[];
  /** Those that are linked whatever is not known of the build. */
  readonly certain: ReadonlySet<string>;
  /**
   * What the list of objects depends on and is not known: variables that nothing sets, commands
   * that were not run.
   */
  readonly unknowns: readonly string[];
  /** Options of the compiler for one object. */
  flags(object: string, assembler: boolean): CompilerFlags;
  /** Names of which a rule of the makefile makes a file; undefined when none does. */
  madeOf(name: string): readonly string[] | undefined;
}

export interface CompilerFlags {
  readonly options: readonly string[];
  /** What they depend on and is not known. */
  readonly unknowns: readonly string[];
}
