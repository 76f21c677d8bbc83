/**
 * Modules that this host already keeps from loading: by the kernel's command line and modprobe.d.
 */
import type { LoaderSettings } from '../../core/kernel/kernel.ts';
import { plainName } from '../../core/record/module.ts';
import { modprobeDenials } from './modprobe-config.ts';

/** Returns name, with underscores → reason. */
export function hostDenials(settings: LoaderSettings): ReadonlyMap<string, string> {
  const denied = new Map<string, string>();
  for (const [name, place] of modprobeDenials()) denied.set(name, `to modprobe, by ${place}`);
  for (const name of settings.blacklist) {
    denied.set(plainName(name), 'by module_blacklist= of the kernel');
  }
  return denied;
}
