/**
 * The configuration that the running kernel was built with.
 *
 *     CONFIG_BPF_LSM=y
 *     # CONFIG_PSI_DEFAULT_DISABLED is not set
 *     CONFIG_LSM="landlock,lockdown,yama,integrity,apparmor"
 */
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { decodeText, readBounded } from '../../packages/base/io/regular-file.ts';
import { readText } from '../../packages/base/io/read.ts';

/** Values by name, without `CONFIG_` and quotes. What is not set is not in it. */
export type KernelConfig = ReadonlyMap<string, string>;

/** Several times the size of a distribution's. */
const bytesMax = 4 * 2 ** 20;

export const parseKernelConfig = (text: string): KernelConfig =>
  new Map(
    [...text.matchAll(/^CONFIG_(\w+)=("?)(.*)\2$/gm)].map(([, name = '', , value = '']) => [
      name,
      value,
    ]),
  );

/** Returns undefined if this host does not keep it. `/boot` and `/lib` are next to `proc`. */
export function readKernelConfig({ proc }: { readonly proc: string }): KernelConfig | undefined {
  const root = dirname(proc);
  const release = readText(join(proc, 'sys/kernel/osrelease'))?.trim() ?? '';
  if (!/^[\w.+~-]+$/.test(release)) return undefined;
  const files = [
    join(proc, 'config.gz'),
    join(root, `boot/config-${release}`),
    join(root, `lib/modules/${release}/config`),
  ];
  for (const file of files) {
    const text = configText(file);
    if (text?.includes('CONFIG_') === true) return parseKernelConfig(text);
  }
  return undefined;
}

function configText(file: string): string | undefined {
  const read = readBounded(file, bytesMax);
  if (!read.ok) return undefined;
  try {
    const bytes = file.endsWith('.gz')
      ? gunzipSync(read.value, { maxOutputLength: bytesMax })
      : read.value;
    return decodeText(bytes);
  } catch {
    return undefined;
  }
}
