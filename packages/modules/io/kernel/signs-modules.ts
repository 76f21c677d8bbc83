/** Whether the build of a kernel signs its modules, by a sample of its own tree. */
import type { KernelConfig } from '../../core/kernel/kernel.ts';
import { readSignature } from '../../core/record/signature.ts';
import { decompressed } from '../inputs/decompress.ts';
import type { ImageFile } from './kernel-image-file.ts';
import type { ModuleSample } from './module-sample.ts';
import { readBounded } from '../../../base/io/regular-file.ts';
import { makeSignatureChecker, type SignatureChecker } from '../scan/signatures.ts';

const moduleBytesMax = 64 * 1024 * 1024;

/**
 * Whether the kernel's build signs modules; undefined without a module of its tree, or without the
 * image, which has the keys.
 */
export function signsModules(
  sample: Pick<ModuleSample, 'files'> | undefined,
  image: Pick<ImageFile, 'certificates'> | undefined,
  { signatures }: KernelConfig,
): boolean | undefined {
  const { files = [] } = sample ?? {};
  const { certificates = [] } = image ?? {};
  if (certificates.length === 0 || files.length === 0) return undefined;
  const check = makeSignatureChecker(certificates, []);
  return signatures && files.some((file) => isSigned(file, check));
}

function isSigned(file: string, check: SignatureChecker): boolean {
  const stored = readBounded(file, moduleBytesMax);
  const bytes = stored.ok ? decompressed(stored.value, moduleBytesMax) : stored;
  if (!bytes.ok) return false;
  const { elfBytes, signature } = readSignature(bytes.value);
  return check(bytes.value, { bytes: elfBytes, signature }).outcome === 'good';
}
