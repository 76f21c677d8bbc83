/**
 * What differs from one release of the kernel to the next.
 *
 * Releases are those of kernel.org: a distribution that carried a change back is judged by the
 * number of its release.
 */
import { versionOf } from '../kernel/kernel.ts';
import { covers, type Releases } from '../kernel/releases.ts';

export interface Rules {
  /**
   * Until 6.3 `check_modinfo` taints before the module has its place in the list, so that one that
   * is already loaded taints as well; signature and special names follow after.
   */
  readonly taintsBeforePlacing: boolean;
  /**
   * `.modinfo` and `.gnu.linkonce.this_module` are counted, and the size of the latter compared,
   * from 6.4 on; before, the first that is marked to be loaded (ALLOC) counts.
   */
  readonly checksStruct: boolean;
  /** `inherit_taint`: from 5.9 on. */
  readonly inheritsProprietary: boolean;
  /** Its message names the symbol from 5.19 on. */
  readonly namesInheritedSymbol: boolean;
  /** `MODULE_INFO(test, "Y")`: from 6.0 on. */
  readonly taintsTests: boolean;
  /** Namespaces of symbols: from 5.4 on. */
  readonly namespaces: boolean;
  /** Namespaces `module:…` for named modules: from 6.16 on. */
  readonly moduleNamespaces: boolean;
  /** `__version_ext_crcs` and `__version_ext_names`: from 6.14 on, and then before `__versions`. */
  readonly extendedVersions: boolean;
  /** `__kflagstab` in the place of `__ksymtab_gpl`: in 7.2, and not in 6.19. */
  readonly exportFlags: boolean;
  /** `mod_sysfs_setup` fails with what its sections and notes fail with: from 6.12 on. */
  readonly sysfsErrorsRefuse: boolean;
  /** Whether a defect of the file, or anything else, is one for this release. */
  readonly cover: (releases: Releases) => boolean;
}

/** Sources: kernel/module/main.c of the releases named (kernel/module.c until 5.18). */
export function rulesOf(release: string): Rules {
  const [major, minor] = versionOf(release);
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
