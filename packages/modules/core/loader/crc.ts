/**
 * Versions of symbols: the CRC that a module was built for, compared with the CRC of the export.
 */
import type { SymbolExport } from '../record/module.ts';
import { forceLoad, logOnce, type ModuleLoading } from './loading.ts';

/**
 * The result. `no entry` and `differs` fail; `no versions` fails where the kernel does not load by
 * force.
 */
export type VersionCheck = 'agrees' | 'no versions' | 'no entry' | 'differs';

/**
 * Compares a symbol's versions: `check_version`. `own` is the module's CRC of the symbol,
 * `extended` the CRC in the extended table. Source: kernel/module/version.c; without
 * CONFIG_MODVERSIONS nothing is compared.
 */
export function checkVersion(
  loading: ModuleLoading,
  exported: SymbolExport,
  { own, extended }: { readonly own: number | undefined; readonly extended: number | undefined },
): VersionCheck {
  if (!loading.kernel.config.modversions || exported.crc === undefined) return 'agrees';
  const { name } = exported;
  if (loading.extendedVersions !== undefined) return checkExtended(loading, exported, extended);
  if (!loading.hasVersions) {
    const reason = `It has no usable symbol versions (CRC), so nothing shows that it fits this kernel, and the kernel is tainted F`;
    return forceLoad(loading, name, reason) ? 'agrees' : 'no versions';
  }
  if (own === undefined) {
    loading.messages.push(`${loading.infoName}: no symbol version for ${name}`);
    return 'no entry';
  }
  return own === exported.crc ? 'agrees' : disagrees(loading, name);
}

/** Compares with the extended table; a symbol without an entry there matches any. */
function checkExtended(
  loading: ModuleLoading,
  { name, crc }: SymbolExport,
  own: number | undefined,
): VersionCheck {
  if (own === undefined) {
    const line = `${loading.infoName}: no extended symbol version for ${name}`;
    logOnce(loading, 'no extended version', line);
    return 'agrees';
  }
  return own === crc ? 'agrees' : disagrees(loading, name);
}

function disagrees(loading: ModuleLoading, name: string): 'differs' {
  loading.messages.push(`${loading.infoName}: disagrees about version of symbol ${name}`);
  return 'differs';
}

/** Formats a CRC: `0x0badcafe`. */
export const crcInWords = (crc: number | undefined): string =>
  crc === undefined ? 'none' : `0x${crc.toString(16).padStart(8, '0')}`;
