/**
 * Differences of the loader from one kernel release to the next.
 *
 * Releases are kernel.org's: a distribution that backported a change is judged by the number of its
 * release.
 */
import { kernelVersionOf } from '../kernel/kernel.ts';
import { covers, type Releases } from '../kernel/releases.ts';

export interface Rules {
  /**
   * Whether `check_modinfo` taints before the module has its place in the list (until 6.3), so that
   * a module that is already loaded taints as well. Signature and special names follow later.
   */
  readonly taintsBeforePlacing: boolean;
  /**
   * Whether `.modinfo` and `.gnu.linkonce.this_module` are counted, and the size of the latter
   * compared (from 6.4 on). Before, the first one marked to be loaded (ALLOC) counts.
   */
  readonly checksStruct: boolean;
  /** Whether `inherit_taint` exists: from 5.9 on. */
  readonly inheritsProprietary: boolean;
  /** Whether its message names the symbol: from 5.19 on. */
  readonly namesInheritedSymbol: boolean;
  /** Whether `MODULE_INFO(test, "Y")` taints: from 6.0 on. */
  readonly taintsTests: boolean;
  /** Whether symbols have namespaces: from 5.4 on. */
  readonly namespaces: boolean;
  /** Whether there are namespaces `module:…` for named modules: from 6.16 on. */
  readonly moduleNamespaces: boolean;
  /**
   * Whether `__version_ext_crcs` and `__version_ext_names` are used, and then before `__versions`:
   * from 6.14 on.
   */
  readonly extendedVersions: boolean;
  /** Whether `__kflagstab` replaces `__ksymtab_gpl`: in 7.2, and not in 6.19. */
  readonly exportFlags: boolean;
  /** Whether `mod_sysfs_setup` passes on the errors of its sections and notes: from 6.12 on. */
  readonly sysfsErrorsRefuse: boolean;
  /** Whether a defect of the file, or anything else, is one for this release. */
  readonly cover: (releases: Releases) => boolean;
}

/**
 * Returns the rules of a release. Sources: kernel/module/main.c of the releases named
 * (kernel/module.c until 5.18).
 */
export function rulesOf(release: string): Rules {
  const [major, minor] = kernelVersionOf(release);
  const from = (sinceMajor: number, sinceMinor: number) =>
    major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
  return {
    taintsBeforePlacing: !from(6, 4),
    checksStruct: from(6, 4),
    inheritsProprietary: from(5, 9),
    namesInheritedSymbol: from(5, 19),
    taintsTests: from(6, 0),
    namespaces: from(5, 4),
    moduleNamespaces: from(6, 16),
    extendedVersions: from(6, 14),
    exportFlags: from(7, 2),
    sysfsErrorsRefuse: from(6, 12),
    cover: (releases) => covers(releases, [major, minor]),
  };
}
