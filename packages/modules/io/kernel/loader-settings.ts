/** The current settings of this host's module loader. */
import { join } from 'node:path';
import { readText } from '../../../base/io/read.ts';
import type { LoaderSettings } from '../../core/kernel/kernel.ts';
import { isYes, parseCmdline } from '../../core/kernel/cmdline.ts';

interface SettingsPlace {
  readonly proc: string;
  readonly sys: string;
}

/**
 * Reads the settings. Source: /proc/cmdline; kernel_lockdown(7);
 * /sys/module/module/parameters/sig_enforce, which also covers Secure Boot;
 * /sys/devices/system/cpu/vulnerabilities/spectre_v2.
 */
export function readLoaderSettings({ proc, sys }: SettingsPlace): LoaderSettings {
  const cmdline = parseCmdline(readText(join(proc, 'cmdline')) ?? '');
  const enforced = readText(join(sys, 'module/module/parameters/sig_enforce'))?.trim();
  const spectre = readText(join(sys, 'devices/system/cpu/vulnerabilities/spectre_v2'))?.trim();
  return {
    blacklist: cmdline.blacklist,
    enforceSignatures: enforced === undefined ? cmdline.enforceSignatures : isYes(enforced),
    lockdown: lockdownOf(readText(join(sys, 'kernel/security/lockdown')) ?? '') ?? cmdline.lockdown,
    modulesDisabled: readText(join(proc, 'sys/kernel/modules_disabled'))?.trim() === '1',
    spectreV2Mitigated:
      spectre === undefined ? cmdline.spectreV2Mitigated : spectre.startsWith('Mitigation'),
  };
}

/** Returns the chosen word of `none [integrity] confidentiality`. */
function lockdownOf(text: string): LoaderSettings['lockdown'] | undefined {
  const chosen = /\[(\w+)\]/.exec(text)?.[1];
  return (['none', 'integrity', 'confidentiality'] as const).find((each) => each === chosen);
}
