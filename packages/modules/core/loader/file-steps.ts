/**
 * Steps that check the file: most take the defects that `loaderDefects` found, as far as this
 * kernel checks them. Source: kernel/module/main.c, kernel/module/strict_rwx.c.
 */
import { elfTypes } from '../elf/elf-format.ts';
import { missingName, modinfo, type LoaderDefect } from '../record/module.ts';
import type { RefusalCause } from './verdict.ts';
import { refuseModule, type ModuleLoading, type LoaderStep } from './loading.ts';
import type { LoaderErrno } from './errno.ts';

function refuseDefect(
  loading: ModuleLoading,
  defect: LoaderDefect | undefined,
  cause: RefusalCause = 'format',
): LoaderErrno | undefined {
  if (defect === undefined) return undefined;
  return refuseModule(loading, defect.errno, cause, defect.why, defect.message);
}

const defectOf = (
  { module, rules }: ModuleLoading,
  ...steps: readonly LoaderDefect['step'][]
): LoaderDefect | undefined =>
  module.defects.find((each) => steps.includes(each.step) && rules.cover(each));

/** `elf_validity_ehdr`. */
export const header: LoaderStep = (loading) => {
  const { module, kernel } = loading;
  if (module.type !== elfTypes.relocatable) {
    const message = `Invalid ELF header type: ${module.type} != ${elfTypes.relocatable}`;
    return refuseModule(
      loading,
      'ENOEXEC',
      'format',
      'It is not a relocatable object file',
      message,
    );
  }
  if (module.machine !== kernel.machine) {
    const reason = `It was built for another processor (ELF machine ${module.machine}, this kernel is ${kernel.machine})`;
    const message = `Invalid architecture in ELF header: ${module.machine}`;
    return refuseModule(loading, 'ENOEXEC', 'format', reason, message);
  }
  return refuseDefect(loading, defectOf(loading, 'elf header', 'sections'));
};

/** `elf_validity_cache_index_info`, `…_mod`. */
export const structModule: LoaderStep = (loading) => {
  const defect = refuseDefect(loading, defectOf(loading, 'modinfo', 'struct module'));
  if (defect !== undefined) return defect;
  const { structBytes } = loading.module;
  const wanted = loading.kernel.structBytes;
  if (wanted === undefined) {
    loading.unknown.push(
      `The size of struct module in kernel "${loading.kernel.release}" is unknown, so it was not compared`,
    );
    return undefined;
  }
  if (structBytes === wanted) return undefined;
  const name = modinfo(loading.module, 'name') ?? missingName;
  return refuseModule(
    loading,
    'ENOEXEC',
    'layout',
    `Its struct module has ${structBytes ?? 0} bytes, that of this kernel ${wanted}: it was built for another kernel`,
    `module ${name}: .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time`,
  );
};

/**
 * The older check, until 6.3: `setup_load_info` only requires the section to be loaded; the rest is
 * not checked.
 */
export const oldStructModule: LoaderStep = (loading) => {
  if (loading.module.structLoaded !== false) return undefined;
  const name = modinfo(loading.module, 'name') ?? missingName;
  const message = `${name}: No module found in object`;
  return refuseModule(
    loading,
    'ENOEXEC',
    'format',
    'It has no struct module that is loaded (ALLOC)',
    message,
  );
};

/** `elf_validity_cache_index_sym`, `…_str`, `…_versions`, `elf_validity_cache_strtab`. */
export const symbolTable: LoaderStep = (loading) => {
  const looksAtVersions = loading.options.force?.modversions !== true;
  const versions = looksAtVersions ? (['extended versions'] as const) : [];
  return refuseDefect(loading, defectOf(loading, 'symbol table', ...versions));
};

/** `module_enforce_rwx_sections`. Source: kernel/module/strict_rwx.c. */
export const writeAndExecute: LoaderStep = (loading) =>
  loading.kernel.config.strictModuleRwx
    ? refuseDefect(loading, defectOf(loading, 'write and execute'))
    : undefined;

/** `module_frob_arch_sections`. */
export const processor: LoaderStep = (loading) =>
  refuseDefect(loading, defectOf(loading, 'processor'));

/** `move_module`. */
export const moveModule: LoaderStep = (loading) =>
  refuseDefect(loading, defectOf(loading, 'memory'), 'memory');

/** `find_module_sections`. */
export const constructors: LoaderStep = (loading) =>
  loading.kernel.config.constructors
    ? refuseDefect(loading, defectOf(loading, 'constructors'))
    : undefined;

/** `add_sect_attrs`: before 6.12 it only logs its errors. */
export const sysfsSections: LoaderStep = (loading) => {
  const defect = defectOf(loading, 'sections in sysfs');
  if (loading.rules.sysfsErrorsRefuse) return refuseDefect(loading, defect);
  if (defect?.message !== undefined) loading.messages.push(defect.message);
  return undefined;
};

/** `apply_relocations`. */
export const relocations: LoaderStep = (loading) =>
  refuseDefect(loading, defectOf(loading, 'relocations'));
