/**
 * The loader's decisions, one function a step, in tables that are walked in order. The first step
 * that refuses ends the load, and the effects of earlier steps (taints, messages) stay. Source:
 * kernel/module/main.c, `load_module`.
 */
import { modinfo, modinfoAll } from '../record/module.ts';
import { checkVersion, crcInWords } from './crc.ts';
import {
  constructors,
  header,
  moveModule,
  oldStructModule,
  processor,
  relocations,
  structModule,
  symbolTable,
  sysfsSections,
  writeAndExecute,
} from './file-steps.ts';
import {
  exportsKnown,
  forceLoad,
  refuseModule,
  taintKernel,
  type ModuleLoading,
  type LoaderStep,
} from './loading.ts';
import {
  earlyLicenseChecks,
  earlyTaintChecks,
  specialNameCheck,
  taintChecks,
  unsignedCheck,
} from './module-taints.ts';
import { forbiddenImport, resolveSymbols } from './resolve.ts';
import type { Rules } from './rules.ts';
import { decideSignature } from './signature-steps.ts';

/** `may_init_module`; assumes that the caller may load modules at all. */
const allowed: LoaderStep = (loading) => {
  if (!loading.kernel.settings.modulesDisabled) return undefined;
  return refuseModule(loading, 'EPERM', 'not allowed', modulesDisabledReason);
};
export const modulesDisabledReason =
  'This kernel loads no more modules until the next boot (kernel.modules_disabled)';

/** `module_sig_check`. */
const signature: LoaderStep = (loading) => {
  const { module, kernel, options } = loading;
  const decision = decideSignature(loading.signature, module.signature, kernel, options);
  if (decision.kind === 'refused') {
    loading.messages.push(...decision.messages);
    return refuseModule(loading, decision.errno, 'signature', decision.reason);
  }
  if (decision.message !== undefined) loading.messages.push(decision.message);
  loading.signed = decision.signed;
  if (kernel.config.signatures && loading.signature.outcome === 'unknown key')
    loading.unknown.push('Whether a keyring of the running kernel holds the key that signed it');
  return undefined;
};

/** `blacklisted`: an exact comparison, so `-` is not `_`. */
const blacklist: LoaderStep = (loading) => {
  const { infoName, kernel } = loading;
  if (!kernel.settings.blacklist.includes(infoName)) return undefined;
  const reason = `The kernel's command line forbids it (module_blacklist=${infoName})`;
  return refuseModule(loading, 'EPERM', 'blacklist', reason, `Module ${infoName} is blacklisted`);
};

/** `check_modstruct_version`: the pseudo symbol for the layout of the loader's structures. */
const structVersion: LoaderStep = (loading) => {
  const { kernel, module } = loading;
  if (!kernel.config.modversions) return undefined;
  const layout = kernel.exports.get('module_layout');
  if (layout?.crc === undefined) {
    loading.unknown.push(
      `The version (CRC) of "module_layout" in kernel "${kernel.release}" is unknown, so it was not compared`,
    );
    return undefined;
  }
  const extended = loading.extendedVersions?.layoutCrc;
  const check = checkVersion(loading, layout, { own: module.layoutCrc, extended });
  if (check === 'agrees') return undefined;
  const own = loading.extendedVersions === undefined ? module.layoutCrc : extended;
  const crcs = `${crcInWords(layout.crc)} here, ${crcInWords(own)} in the module`;
  const reason =
    check === 'no versions'
      ? 'It has no usable symbol versions (CRC), and this kernel does not load by force'
      : `It was built for a kernel with other structures: the version (CRC) of "module_layout" is ${crcs}`;
  return refuseModule(loading, 'ENOEXEC', 'layout', reason);
};

/** `check_modinfo`. The release is not compared if versions of symbols are. */
const vermagic: LoaderStep = (loading) => {
  const { module, kernel, options } = loading;
  const own = options.force?.vermagic === true ? undefined : modinfo(module, 'vermagic');
  if (own === undefined) {
    const reason = 'It has no vermagic, so the kernel is tainted F';
    if (forceLoad(loading, 'bad vermagic', reason)) return undefined;
    const refusal = 'It has no vermagic, and this kernel does not load by force';
    return refuseModule(loading, 'ENOEXEC', 'vermagic', refusal);
  }
  if (kernel.vermagic === undefined) {
    loading.unknown.push(`The vermagic of kernel "${kernel.release}" is unknown`);
    return undefined;
  }
  const counts = kernel.config.modversions && loading.hasVersions ? fromFirstBlank : whole;
  if (counts(own) === counts(kernel.vermagic)) return undefined;
  return refuseModule(
    loading,
    'ENOEXEC',
    'vermagic',
    `Its vermagic is "${own}", that of this kernel is "${kernel.vermagic}"`,
    `${loading.infoName}: version magic '${own}' should be '${kernel.vermagic}'`,
  );
};

const whole = (text: string): string => text;
const fromFirstBlank = (text: string): string =>
  text.includes(' ') ? text.slice(text.indexOf(' ')) : '';

/** `check_modinfo_livepatch`. */
const livepatch: LoaderStep = (loading) => {
  if (modinfo(loading.module, 'livepatch') === undefined || loading.kernel.config.livepatch)
    return undefined;
  return refuseModule(
    loading,
    'ENOEXEC',
    'livepatch',
    'It is marked as a live patch, and this kernel does not support live patching',
    `${loading.structName}: module is marked as livepatch module, but livepatch support is disabled`,
  );
};

/** `module_patient_check_exists`. */
const alreadyThere: LoaderStep = (loading) => {
  if (!loading.context.isLoaded(loading.structName)) return undefined;
  const reason = `A module named "${loading.structName}" is loaded already`;
  return refuseModule(loading, 'EEXIST', 'already loaded', reason);
};

/**
 * The most that the per-CPU allocator gives at once; the part reserved for modules may be a
 * quarter.
 */
const percpuBytesMax = 32 * 1024;
const percpuBytesKept = 8 * 1024;

/**
 * `percpu_modalloc`; the allocator warns of requests above what it ever gives. Source: mm/percpu.c.
 */
const perCpuData: LoaderStep = (loading) => {
  const bytes = loading.module.percpuBytes ?? 0;
  if (bytes <= percpuBytesKept) return undefined;
  if (bytes <= percpuBytesMax) {
    loading.unknown.push(
      `Whether kernel "${loading.kernel.release}" keeps enough memory for its ${bytes} bytes of per-CPU data`,
    );
    return undefined;
  }
  const reason = `It needs ${bytes} bytes of per-CPU data, and the kernel allows at most ${percpuBytesMax}`;
  warned(loading, reason);
  const message = `${loading.structName}: Could not allocate ${bytes} bytes percpu data`;
  return refuseModule(loading, 'ENOMEM', 'memory', reason, message);
};

/** Taints W: the kernel warns (WARN), with a trace that is not predicted. */
function warned(loading: ModuleLoading, reason: string): void {
  taintKernel(loading, 'W');
  loading.reasons.push({ taint: 'W', reason: `${reason}; it warns, so the kernel is tainted W` });
}

/** `find_module_sections` and `check_export_symbol_sections`, from 7.2 on. */
const exportFlags: LoaderStep = (loading) => {
  const { structName, messages, rules } = loading;
  const tables = loading.module.exportTables;
  if (!rules.exportFlags || tables === undefined) return undefined;
  const obsolete = [
    ...(tables.gplSymbols ? ['__ksymtab_gpl'] : []),
    ...(tables.gplCrcs ? ['__kcrctab_gpl'] : []),
  ];
  for (const each of obsolete) messages.push(`${structName}: ignoring obsolete section ${each}`);
  if (!tables.symbols || tables.flags) return undefined;
  const reason = 'It exports symbols in the format of kernels before 7.2, without flags';
  return refuseModule(
    loading,
    'ENOEXEC',
    'export',
    reason,
    `${structName}: no flags for exported symbols`,
  );
};

/** `check_export_symbol_versions`. */
const exportVersions: LoaderStep = (loading) => {
  if (loading.rules.exportFlags && loading.module.exportTables?.symbols === false) return undefined;
  if (!loading.kernel.config.modversions || !loading.module.exportsLackCrcs) return undefined;
  const reason = 'It exports symbols without versions (CRC), so the kernel is tainted F';
  if (forceLoad(loading, 'no versions for exported symbols', reason)) return undefined;
  const refusal =
    'It exports symbols without versions (CRC), and this kernel does not load by force';
  return refuseModule(loading, 'ENOEXEC', 'export', refusal);
};

/** `setup_modinfo`, from 6.16 on. */
const moduleNamespaces: LoaderStep = (loading) => {
  if (!loading.rules.moduleNamespaces) return undefined;
  const namespace = forbiddenImport(modinfoAll(loading.module, 'import_ns'));
  if (namespace === undefined) return undefined;
  return refuseModule(
    loading,
    'EPERM',
    'namespace',
    `It imports namespace "${namespace}", which the kernel grants by name only`,
    `${loading.structName}: module tries to import module namespace: ${namespace}`,
  );
};

/** `verify_exported_symbols`: the plain table first. */
const exportsAreUnique: LoaderStep = (loading) => {
  const { module, kernel, context } = loading;
  if (module.exports.length > 0 && !exportsKnown(kernel))
    loading.unknown.push(
      `The exports of kernel "${kernel.release}" are unknown, so the module's own exports were not compared`,
    );
  const owner = (name: string): string | undefined =>
    kernel.exports.has(name) ? 'kernel' : context.findExport(name)?.owner?.name;
  const plainFirst = [false, true].flatMap((gplOnly) =>
    module.exports.filter((each) => each.gplOnly === gplOnly),
  );
  const taken = plainFirst.find(({ name }) => owner(name) !== undefined);
  if (taken === undefined) return undefined;
  const by = owner(taken.name) ?? 'kernel';
  return refuseModule(
    loading,
    'ENOEXEC',
    'export',
    `It exports "${taken.name}", which ${by === 'kernel' ? 'the kernel' : `module "${by}"`} exports already`,
    `${loading.structName}: exports duplicate symbol ${taken.name} (owned by ${by})`,
  );
};

/**
 * `mod_sysfs_init`: code of the kernel itself may have the name in /sys/module, and an empty name
 * is invalid.
 */
const sysfsName: LoaderStep = (loading) => {
  const { structName, kernel } = loading;
  if (structName === '') {
    const reason = 'It has no name in its struct module';
    warned(loading, reason);
    return refuseModule(loading, 'EINVAL', 'format', reason);
  }
  if (kernel.builtins?.present.has(structName) === true) {
    const reason = `Code that is built into the kernel is named "${structName}"`;
    const message = `${structName}: module is already loaded`;
    return refuseModule(loading, 'EINVAL', 'already loaded', reason, message);
  }
  if (kernel.builtins?.possible.has(structName) === true) {
    loading.unknown.push(`Whether the code named "${structName}" in the kernel is in /sys/module`);
  }
  return undefined;
};

/** Makes a step that never refuses. */
const always =
  (act: (loading: ModuleLoading) => void): LoaderStep =>
  (loading) => {
    act(loading);
    return undefined;
  };

const placed: readonly LoaderStep[] = [
  exportFlags,
  exportVersions,
  moduleNamespaces,
  resolveSymbols,
  relocations,
  exportsAreUnique,
  sysfsName,
  sysfsSections,
];

/** The steps from 6.4 on. */
const steps: readonly LoaderStep[] = [
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
  processor,
  writeAndExecute,
  moveModule,
  always(taintChecks),
  perCpuData,
  constructors,
  ...placed,
];

/** The steps until 6.3. */
const oldSteps: readonly LoaderStep[] = [
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
  always(earlyLicenseChecks),
  processor,
  writeAndExecute,
  moveModule,
  alreadyThere,
  always(unsignedCheck),
  perCpuData,
  constructors,
  always(specialNameCheck),
  ...placed,
];

export const stepsOf = (rules: Rules): readonly LoaderStep[] =>
  rules.taintsBeforePlacing ? oldSteps : steps;
