/**
 * Modules that make the kernel proprietary by their name, whatever license they name.
 *
 * It is the name inside `struct module` that counts, not the one in `.modinfo`. Source:
 * kernel/module/main.c, `module_augment_kernel_taints`; until 6.3
 * `check_module_license_and_versions`.
 */
interface SpecialName {
  /** Whether the module itself becomes proprietary, so that GPL-only symbols are hidden from it. */
  readonly taintsModule: boolean;
  readonly why: string;
}

const specialNames: ReadonlyMap<string, SpecialName> = new Map([
  [
    'ndiswrapper',
    {
      taintsModule: false,
      why: 'A module named "ndiswrapper" loads proprietary code, so the kernel is tainted P; the module keeps its access to GPL-only symbols',
    },
  ],
  [
    'driverloader',
    {
      taintsModule: true,
      why: 'The kernel treats every module named "driverloader" as proprietary (P) whatever its license, and GPL-only symbols are hidden from it',
    },
  ],
  [
    'lve',
    {
      taintsModule: true,
      why: 'The kernel treats every module named "lve" as proprietary (P) whatever its license, and GPL-only symbols are hidden from it',
    },
  ],
]);

export const specialName = (structName: string): SpecialName | undefined =>
  specialNames.get(structName);
