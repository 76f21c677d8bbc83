/**
 * Settings of the module loader on the kernel's command line.
 *
 *   root=/dev/vda1 module_blacklist=pcspkr,floppy module.sig_enforce=1 lockdown=integrity -- init arguments
 *
 * Source: Documentation/admin-guide/kernel-parameters.txt; kernel/params.c.
 */
import type { LoaderSettings } from './kernel.ts';

type CmdlineSettings = Omit<LoaderSettings, 'modulesDisabled'>;

const argumentPattern = /(?:[^\s"]|"[^"]*"?)+/g;

/**
 * Parses the settings. A later `module_blacklist=` replaces an earlier one. Spectre v2 counts as
 * mitigated unless switched off.
 */
export function parseCmdline(text: string): CmdlineSettings {
  const values = new Map<string, string | undefined>();
  for (const [word] of text.matchAll(argumentPattern)) {
    if (word === '--') break;
    const plain = word.replaceAll('"', '');
    const equals = plain.indexOf('=');
    const name = (equals < 0 ? plain : plain.slice(0, equals)).replaceAll('-', '_');
    values.set(name, equals < 0 ? undefined : plain.slice(equals + 1));
  }
  const enforce = values.get('module.sig_enforce');
  const lockdown = values.get('lockdown');
  return {
    blacklist: (values.get('module_blacklist') ?? '').split(',').filter((name) => name !== ''),
    enforceSignatures: values.has('module.sig_enforce') && isYes(enforce),
    lockdown: lockdown === 'integrity' || lockdown === 'confidentiality' ? lockdown : 'none',
    spectreV2Mitigated: !(
      values.has('nospectre_v2') ||
      values.get('spectre_v2') === 'off' ||
      values.get('mitigations') === 'off'
    ),
  };
}

/** Whether a bool parameter is set: without a value, `1`, `y…` or `on`. */
export const isYes = (value: string | undefined): boolean =>
  value === undefined || /^(?:[1yt]|on)/i.test(value);
