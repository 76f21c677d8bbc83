/**
 * Taints of the kernel by loading a module, in the kernel's order.
 *
 * Each entry of `taintChecks` checks one property. Taints stay, even where a later step refuses the
 * module. Source: kernel/module/main.c, `module_augment_kernel_taints`.
 */
import { modinfo } from '../record/module.ts';
import { isCompatibleLicense, unspecifiedLicense, whyIncompatible } from './licenses.ts';
import {
  addOpenTaint,
  addTaint,
  kernelHasTaint,
  logOnce,
  taintKernel,
  type ModuleLoading,
} from './loading.ts';
import { specialName } from './special-names.ts';

type TaintCheck = (loading: ModuleLoading) => void;

function outOfTree(loading: ModuleLoading): void {
  if (modinfo(loading.module, 'intree') !== undefined) return;
  if (!kernelHasTaint(loading, 'O'))
    loading.messages.push(`${loading.structName}: loading out-of-tree module taints kernel.`);
  addTaint(loading, 'O', 'It does not come from the kernel tree, so the kernel is tainted O');
}

/**
 * Warns of a module without retpoline; never taints or refuses. Source: arch/x86/kernel/cpu/bugs.c,
 * `retpoline_module_ok`.
 */
function retpoline(loading: ModuleLoading): void {
  const { config, settings } = loading.kernel;
  if (!config.retpoline || !settings.spectreV2Mitigated) return;
  if (modinfo(loading.module, 'retpoline') !== undefined) return;
  loading.messages.push(
    'Spectre V2 : System may be vulnerable to spectre v2',
    `${loading.structName}: loading module not compiled with retpoline compiler.`,
  );
  loading.reasons.push({
    taint: undefined,
    reason:
      'It was not built with retpolines, so this host may be open to Spectre v2 while it is loaded',
  });
}

function staging(loading: ModuleLoading): void {
  if (modinfo(loading.module, 'staging') === undefined) return;
  loading.messages.push(
    `${loading.structName}: module is from the staging directory, the quality is unknown, you have been warned.`,
  );
  addTaint(loading, 'C', 'It is a staging driver, so the kernel is tainted C');
}

function livepatch(loading: ModuleLoading): void {
  if (modinfo(loading.module, 'livepatch') === undefined) return;
  logOnce(loading, 'livepatch', `${loading.structName}: tainting kernel with TAINT_LIVEPATCH`);
  addTaint(
    loading,
    'K',
    'It is marked as a live patch, so the kernel is tainted K, and its livepatch relocations reach any symbol whatever its license',
  );
}

function license(loading: ModuleLoading): void {
  const given = modinfo(loading.module, 'license');
  const counts = given ?? unspecifiedLicense;
  if (isCompatibleLicense(counts)) return;
  if (!kernelHasTaint(loading, 'P'))
    loading.messages.push(`${loading.structName}: module license '${counts}' taints kernel.`);
  addTaint(
    loading,
    'P',
    `${whyIncompatible(given)}, so the kernel is tainted P and GPL-only symbols are hidden from it`,
  );
}

function test(loading: ModuleLoading): void {
  if (!loading.rules.taintsTests || modinfo(loading.module, 'test') === undefined) return;
  if (!kernelHasTaint(loading, 'N'))
    loading.messages.push(`${loading.structName}: loading test module taints kernel.`);
  addTaint(loading, 'N', 'It is marked as an in-kernel test, so the kernel is tainted N');
}

function unsigned(loading: ModuleLoading): void {
  if (!loading.kernel.config.signatures || loading.signed) return;
  logOnce(
    loading,
    'unsigned',
    `${loading.structName}: module verification failed: signature and/or required key missing - tainting kernel`,
  );
  const why = whyUnsigned[loading.signature.outcome];
  if (loading.signature.outcome !== 'unknown key') {
    addTaint(loading, 'E', `${why}, so the kernel is tainted E`);
    return;
  }
  const reason = `${why}, so the kernel is tainted E unless a keyring of it holds that key`;
  addOpenTaint(loading, 'E', reason);
}

/** The reasons for the outcomes that let a module through; the others are refused before. */
const whyUnsigned = {
  none: 'It is not signed',
  'unknown key': 'It is signed with a key that this kernel is not known to trust',
  unsupported: 'Its signature is of a kind that the kernel does not check',
  good: 'It was loaded by force, so its signature was not checked',
  bad: 'It was loaded by force, so its signature was not checked',
  malformed: 'It was loaded by force, so its signature was not checked',
} as const;

function special(loading: ModuleLoading): void {
  const found = specialName(loading.structName);
  if (found === undefined) return;
  if (found.taintsModule) return addTaint(loading, 'P', found.why);
  taintKernel(loading, 'P');
  loading.reasons.push({ taint: 'P', reason: found.why });
}

/** Logs that one of `checks` made the kernel proprietary. */
function announcing(...checks: readonly TaintCheck[]): TaintCheck {
  return (loading) => {
    const before = kernelHasTaint(loading, 'P');
    for (const check of checks) check(loading);
    if (!before && kernelHasTaint(loading, 'P'))
      loading.messages.push(`${loading.structName}: module license taints kernel.`);
  };
}

/** All checks at once, after the module got its place in the list: from 6.4 on. */
export const taintChecks: TaintCheck = announcing(
  outOfTree,
  retpoline,
  staging,
  livepatch,
  license,
  test,
  unsigned,
  special,
);

/** Taints before and after the check of the livepatch tag: `check_modinfo` until 6.3. */
export function earlyTaintChecks(loading: ModuleLoading): void {
  for (const check of [outOfTree, retpoline, staging]) check(loading);
}
export function earlyLicenseChecks(loading: ModuleLoading): void {
  for (const check of [livepatch, license, test]) check(loading);
}

/** The check for unsigned modules once the module has its place in the list: until 6.3. */
export const unsignedCheck: TaintCheck = unsigned;

/** The check in `check_module_license_and_versions` until 6.3: only special names are announced. */
export const specialNameCheck: TaintCheck = announcing(special);
