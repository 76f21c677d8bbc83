/**
 * The loader's decisions, one function a step, in tables that are walked in order: the first step that
 * refuses ends the load, and what earlier steps left (taints, messages) stays.
 * Source: kernel/module/main.c, `load_module`.
 */
import { elfTypes, machines } from '../elf.ts';
import { missingName, modinfo, modinfoAll, type LoaderDefect } from '../module.ts';
import type { RefusalCause } from '../verdict.ts';
import { checkVersion, crcInWords } from './crc.ts';
import { exportsKnown, forceLoad, refuse, type Loading, type Refusal } from './loading.ts';
import {
  earlyLicenceChecks,
  earlyTaintChecks,
  specialNameCheck,
  taintChecks,
  unsignedCheck,
} from './module-taints.ts';
import { forbiddenImport, resolveSymbols } from './resolve.ts';
import type { Rules } from './rules.ts';
import { decideSignature } from './signature.ts';

export type Step = (loading: Loading) => Refusal | undefined;

/** `may_init_module`; that the caller may load modules at all is assumed. */
const allowed: Step = (loading) => {
  if (!loading.kernel.settings.modulesDisabled) return undefined;
  return refuse(loading, 'EPERM', 'not allowed', modulesDisabledSays);
};
export const modulesDisabledSays =
  'This kernel loads no more modules until it is started again (kernel.modules_disabled)';

/** `module_sig_check`. */
const signature: Step = (loading) => {
  const { module, kernel, options } = loading;
  const decision = decideSignature(loading.signature, module.signature, kernel, options);
  if (decision.kind === 'refused') {
    loading.messages.push(...decision.messages);
    return refuse(loading, decision.errno, 'signature', decision.says);
  }
  if (decision.message !== undefined) loading.messages.push(decision.message);
  loading.signed = decision.signed;
  if (kernel.config.signatures && loading.signature.outcome === 'unknown key')
    loading.unknown.push('Whether a keyring of the running kernel holds the key that signed it');
  return undefined;
};

function refuseDefect(
  loading: Loading,
  defect: LoaderDefect | undefined,
  cause: RefusalCause = 'format',
): Refusal | undefined {
  if (defect === undefined) return undefined;
  return refuse(loading, defect.errno, cause, defect.why, defect.message);
}

const defectOf = (
  { module }: Loading,
  ...steps: readonly LoaderDefect['step'][]
): LoaderDefect | undefined => module.defects.find((each) => steps.includes(each.step));

/** `elf_validity_ehdr`. */
const header: Step = (loading) => {
  const { module, kernel } = loading;
  if (module.type !== elfTypes.relocatable) {
    const message = `Invalid ELF header type: ${module.type} != ${elfTypes.relocatable}`;
    return refuse(loading, 'ENOEXEC', 'format', 'It is no relocatable object file', message);
  }
  if (module.machine !== kernel.machine) {
    const says = `It was built for another processor (ELF machine ${module.machine}, this kernel is ${kernel.machine})`;
    const message = `Invalid architecture in ELF header: ${module.machine}`;
    return refuse(loading, 'ENOEXEC', 'format', says, message);
  }
  if (isOtherClass(loading)) {
    const says = `It is a file of ${module.bits} bits and ${module.bigEndian ? 'big' : 'little'}-endian, which this kernel is not`;
    return refuse(loading, 'ENOEXEC', 'format', says);
  }
  return refuseDefect(loading, defectOf(loading, 'elf header', 'sections'));
};

/** Class and byte order of the machines whose kernels have but one. */
const classes: ReadonlyMap<number, { readonly bits: 32 | 64; readonly bigEndian: boolean }> =
  new Map([
    [machines.x8664, { bits: 64, bigEndian: false }],
    [machines.i386, { bits: 32, bigEndian: false }],
    [machines.s390, { bits: 64, bigEndian: true }],
  ]);

function isOtherClass({ module, kernel }: Loading): boolean {
  const own = classes.get(kernel.machine);
  return own !== undefined && (own.bits !== module.bits || own.bigEndian !== module.bigEndian);
}

/** `elf_validity_cache_index_info`, `…_mod`. */
const structModule: Step = (loading) => {
  const defect = refuseDefect(loading, defectOf(loading, 'modinfo', 'struct module'));
  if (defect !== undefined) return defect;
  const { structBytes } = loading.module;
  const wanted = loading.kernel.structBytes;
  if (wanted === undefined) {
    loading.unknown.push(
      `The size of struct module in kernel "${loading.kernel.release}" is not known, so it was not compared`,
    );
    return undefined;
  }
  if (structBytes === wanted) return undefined;
  const name = modinfo(loading.module, 'name') ?? missingName;
  return refuse(
    loading,
    'ENOEXEC',
    'layout',
    `Its struct module has ${structBytes ?? 0} bytes, that of this kernel ${wanted}: it was built for another kernel`,
    `module ${name}: .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time`,
  );
};

/** Until 6.3 `setup_load_info` only wants the section to be there; the rest is not looked at. */
const oldStructModule: Step = (loading) => {
  if (loading.module.structBytes !== undefined) return undefined;
  const name = modinfo(loading.module, 'name') ?? missingName;
  const message = `${name}: No module found in object`;
  return refuse(loading, 'ENOEXEC', 'format', 'It has no struct module', message);
};

/** `elf_validity_cache_index_sym`, `…_str`. */
const symbolTable: Step = (loading) => refuseDefect(loading, defectOf(loading, 'symbol table'));

/** `blacklisted`: an exact comparison, so `-` is not `_`. */
const blacklist: Step = (loading) => {
  const { infoName, kernel } = loading;
  if (!kernel.settings.blacklist.includes(infoName)) return undefined;
  const says = `The kernel's command line forbids it (module_blacklist=${infoName})`;
  return refuse(loading, 'EPERM', 'blacklist', says, `Module ${infoName} is blacklisted`);
};

/** `check_modstruct_version`: the pseudo symbol that stands for the layout of the loader's structures. */
const structVersion: Step = (loading) => {
  const { kernel, module } = loading;
  if (!kernel.config.modversions) return undefined;
  const layout = kernel.exports.get('module_layout');
  if (layout?.crc === undefined) {
    loading.unknown.push(
      `The version (CRC) of "module_layout" in kernel "${kernel.release}" is not known, so it was not compared`,
    );
    return undefined;
  }
  const check = checkVersion(loading, layout, module.layoutCrc);
  if (check === 'agrees') return undefined;
  const crcs = `${crcInWords(layout.crc)} here, ${crcInWords(module.layoutCrc)} in the module`;
  const says =
    check === 'no versions'
      ? 'It has no usable versions (CRC), and this kernel loads nothing by force'
      : `It was built for a kernel with other structures: the version (CRC) of "module_layout" is ${crcs}`;
  return refuse(loading, 'ENOEXEC', 'layout', says);
};

/** `check_modinfo`. The release is not compared where versions of symbols are. */
const vermagic: Step = (loading) => {
  const { module, kernel, options } = loading;
  const own = options.force?.vermagic === true ? undefined : modinfo(module, 'vermagic');
  if (own === undefined) {
    const says =
      'It does not say for which kernel it was built (vermagic), so the kernel is tainted F';
    if (forceLoad(loading, 'bad vermagic', says)) return undefined;
    const refusal =
      'It does not say for which kernel it was built (vermagic), and this kernel loads nothing by force';
    return refuse(loading, 'ENOEXEC', 'vermagic', refusal);
  }
  if (kernel.vermagic === undefined) {
    loading.unknown.push(`The vermagic of kernel "${kernel.release}" is not known`);
    return undefined;
  }
  const counts = kernel.config.modversions && loading.hasVersions ? fromFirstBlank : whole;
  if (counts(own) === counts(kernel.vermagic)) return undefined;
  return refuse(
    loading,
    'ENOEXEC',
    'vermagic',
    `It was built for a kernel that calls itself "${own}", this one is "${kernel.vermagic}"`,
    `${loading.infoName}: version magic '${own}' should be '${kernel.vermagic}'`,
  );
};

const whole = (text: string): string => text;
const fromFirstBlank = (text: string): string =>
  text.includes(' ') ? text.slice(text.indexOf(' ')) : '';

/** `check_modinfo_livepatch`. */
const livepatch: Step = (loading) => {
  if (modinfo(loading.module, 'livepatch') === undefined || loading.kernel.config.livepatch)
    return undefined;
  return refuse(
    loading,
    'ENOEXEC',
    'livepatch',
    'It is marked as a live patch, and this kernel cannot be patched live',
    `${loading.structName}: module is marked as livepatch module, but livepatch support is disabled`,
  );
};

/** `module_patient_check_exists`. */
const alreadyThere: Step = (loading) => {
  if (!loading.around.isLoaded(loading.structName)) return undefined;
  const says = `A module named "${loading.structName}" is loaded already`;
  return refuse(loading, 'EEXIST', 'already loaded', says);
};

/** `module_enforce_rwx_sections`. Source: kernel/module/strict_rwx.c. */
const writeAndExecute: Step = (loading) =>
  loading.kernel.config.strictModuleRwx
    ? refuseDefect(loading, defectOf(loading, 'write and execute'))
    : undefined;

/** `find_module_sections`. */
const constructors: Step = (loading) =>
  loading.kernel.config.constructors
    ? refuseDefect(loading, defectOf(loading, 'constructors'))
    : undefined;

/** `check_export_symbol_versions`. */
const exportVersions: Step = (loading) => {
  if (!loading.kernel.config.modversions || !loading.module.exportsLackCrcs) return undefined;
  const says = 'It exports symbols without versions (CRC), so the kernel is tainted F';
  if (forceLoad(loading, 'no versions for exported symbols', says)) return undefined;
  const refusal =
    'It exports symbols without versions (CRC), and this kernel loads nothing by force';
  return refuse(loading, 'ENOEXEC', 'export', refusal);
};

/** `setup_modinfo`, from 6.16 on. */
const moduleNamespaces: Step = (loading) => {
  if (!loading.rules.moduleNamespaces) return undefined;
  const namespace = forbiddenImport(modinfoAll(loading.module, 'import_ns'));
  if (namespace === undefined) return undefined;
  return refuse(
    loading,
    'EPERM',
    'namespace',
    `It imports namespace "${namespace}", which the kernel grants by name only`,
    `${loading.structName}: module tries to import module namespace: ${namespace}`,
  );
};

/** `apply_relocations`. */
const relocations: Step = (loading) => refuseDefect(loading, defectOf(loading, 'relocations'));

/** `verify_exported_symbols`: the plain table first. */
const exportsAreUnique: Step = (loading) => {
  const { module, kernel, around } = loading;
  if (module.exports.length > 0 && !exportsKnown(kernel))
    loading.unknown.push(
      `What kernel "${kernel.release}" exports is not known, so the module's own exports were not compared`,
    );
  const owner = (name: string): string | undefined =>
    kernel.exports.has(name) ? 'kernel' : around.findExport(name)?.owner?.name;
  const plainFirst = [false, true].flatMap((gplOnly) =>
    module.exports.filter((each) => each.gplOnly === gplOnly),
  );
  const taken = plainFirst.find(({ name }) => owner(name) !== undefined);
  if (taken === undefined) return undefined;
  const by = owner(taken.name) ?? 'kernel';
  return refuse(
    loading,
    'ENOEXEC',
    'export',
    `It exports "${taken.name}", which ${by === 'kernel' ? 'the kernel' : `module "${by}"`} exports already`,
    `${loading.structName}: exports duplicate symbol ${taken.name} (owned by ${by})`,
  );
};

/** A step that never refuses. */
const always =
  (act: (loading: Loading) => void): Step =>
  (loading) => {
    act(loading);
    return undefined;
  };

const placed: readonly Step[] = [
  constructors,
  exportVersions,
  moduleNamespaces,
  resolveSymbols,
  relocations,
  exportsAreUnique,
];

/** From 6.4 on. */
const steps: readonly Step[] = [
  allowed,
  signature,
  header,
  structModule,
  symbolTable,
  blacklist,
  structVersion,
  vermagic,
  livepatch,
  alreadyThere,
  writeAndExecute,
  always(taintChecks),
  ...placed,
];

/** Until 6.3. */
const oldSteps: readonly Step[] = [
  allowed,
  signature,
  header,
  symbolTable,
  oldStructModule,
  blacklist,
  structVersion,
  vermagic,
  always(earlyTaintChecks),
  livepatch,
  always(earlyLicenceChecks),
  writeAndExecute,
  alreadyThere,
  always(unsignedCheck),
  constructors,
  always(specialNameCheck),
  exportVersions,
  moduleNamespaces,
  resolveSymbols,
  relocations,
  exportsAreUnique,
];

export const stepsOf = (rules: Rules): readonly Step[] =>
  rules.taintsBeforePlacing ? oldSteps : steps;
