/** A kernel image read from a file: the facts that its loader has, and the keys it trusts. */
import { createHash } from 'node:crypto';
import { bannerRelease, imageVermagic, readImage } from '../../core/kernel/image.ts';
import { embeddedConfig, parseKernelConfig } from '../../core/kernel/config.ts';
import { readBuiltinNames } from '../../core/kernel/builtins.ts';
import { findCertificates } from '../../core/kernel/certificates.ts';
import { readImageExports } from '../../core/kernel/image-exports.ts';
import { machines } from '../../core/elf/elf-format.ts';
import { readElf } from '../../core/elf/read-elf.ts';
import type { KernelConfig } from '../../core/kernel/kernel.ts';
import type { SymbolExport } from '../../core/record/module.ts';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { decompress } from '../inputs/decompress.ts';
import { readCached, writeCached } from '../scan/own-cache.ts';
import { readBounded } from '../../../base/io/regular-file.ts';
import { readCertificate } from '../scan/signatures.ts';

export interface ImageFile {
  readonly path: string;
  readonly release: string | undefined;
  /** The machine; undefined for a bare image, which does not state it. */
  readonly machine: number | undefined;
  readonly vermagic: string | undefined;
  readonly config: KernelConfig | undefined;
  readonly exports: Result<readonly SymbolExport[], Cause>;
  /** Names that built-in code has in /sys/module; undefined when the image does not have them. */
  readonly builtins?: readonly string[] | undefined;
  /** Certificates, DER. */
  readonly certificates: readonly Uint8Array[];
}

const fileBytesMax = 512 * 1024 * 1024;
const kernelBytesMax = 1024 * 1024 * 1024;

/** Reads an image. `cache` is a directory of ours, as unpacking takes half a second. */
export function readImageFile(path: string, cache?: string): Result<ImageFile, Cause> {
  const bytes = readBounded(path, fileBytesMax);
  if (!bytes.ok) return fail({ reason: bytes.error.reason });
  if (cache === undefined) return readImageBytes(path, bytes.value);
  const name = `${createHash('sha256').update(bytes.value).digest('hex').slice(0, 32)}.jsonl`;
  const known = readCached(cache, name);
  const remembered = known === undefined ? undefined : parseRemembered(known);
  if (remembered !== undefined) return ok({ ...remembered, path });
  const image = readImageBytes(path, bytes.value);
  if (image.ok) writeCached(cache, name, formatRemembered(image.value));
  return image;
}

/** The format of cached images; another number makes all of them void. */
const format = 2;

function formatRemembered(image: ImageFile): string {
  const certificates = image.certificates.map((der) => Buffer.from(der).toString('base64'));
  return JSON.stringify({ ...image, format, node: process.version, certificates });
}

function parseRemembered(text: string): Omit<ImageFile, 'path'> | undefined {
  try {
    const image = JSON.parse(text) as Omit<ImageFile, 'path' | 'certificates'> & {
      readonly format: number;
      readonly node: string;
      readonly certificates: readonly string[];
    };
    if (image.format !== format || image.node !== process.version) return undefined;
    const { release, machine, vermagic, config, exports, builtins } = image;
    const certificates = image.certificates.map((der) => Buffer.from(der, 'base64'));
    return { release, machine, vermagic, config, exports, builtins, certificates };
  } catch {
    return undefined;
  }
}

function readImageBytes(path: string, file: Uint8Array): Result<ImageFile, Cause> {
  const kernel = unpackedKernel(file);
  if (!kernel.ok) return kernel;
  const { bytes } = kernel.value;
  const release = kernel.value.release ?? bannerRelease(bytes);
  const elf = readElf(bytes);
  const [exports, config] = [once(() => exportsIn(elf)), once(() => configIn(bytes))];
  return ok({
    path,
    release,
    machine: elf.ok ? elf.value.machine : (kernel.value.machine ?? bareMachine(bytes)),
    vermagic: release === undefined ? undefined : imageVermagic(bytes, release),
    certificates: certificatesIn(bytes),
    builtins: elf.ok ? readBuiltinNames(elf.value) : undefined,
    // Exports are parsed on demand: Module.symvers and a configuration next to the image come
    // first.
    get exports() {
      return exports();
    },
    get config() {
      return config();
    },
  });
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

interface UnpackedKernel {
  readonly bytes: Uint8Array;
  readonly release: string | undefined;
  /** The machine, if only the wrapper states it. */
  readonly machine?: number;
}

/**
 * The deepest nesting of wrappers: a zboot file inside a gzip'd one is the deepest that is made.
 */
const wrappersMax = 3;

function unpackedKernel(file: Uint8Array): Result<UnpackedKernel, Cause> {
  let kernel: UnpackedKernel = { bytes: file, release: undefined };
  for (let wrapper = 0; wrapper <= wrappersMax; wrapper++) {
    const image = readImage(kernel.bytes);
    if (!image.ok)
      return fail({ reason: `it ${image.error.message}, at offset ${image.error.offset}` });
    if (image.value.kind !== 'compressed') return ok(kernel);
    const { offset, size, compression } = image.value;
    const payload = kernel.bytes.subarray(offset, offset + size);
    const bytes = decompress(payload, compression, kernelBytesMax);
    if (!bytes.ok) return bytes;
    kernel = { bytes: bytes.value, release: kernel.release ?? image.value.release };
    if (image.value.format === 's390') return ok({ ...kernel, machine: machines.s390 });
  }
  return fail({ reason: `it is compressed more than ${wrappersMax} times over` });
}

function exportsIn(elf: ReturnType<typeof readElf>): ImageFile['exports'] {
  if (!elf.ok)
    return fail({ reason: 'it is a bare image, which has no section table to find exports with' });
  const exports = readImageExports(elf.value);
  return exports.ok
    ? exports
    : fail({ reason: `it ${exports.error.message}, at offset ${exports.error.offset}` });
}

function bareMachine(kernel: Uint8Array): number | undefined {
  const magic = Buffer.from(kernel.subarray(56, 60)).toString('latin1');
  if (magic === 'ARM\x64') return machines.arm64;
  return magic === 'RSC\x05' ? machines.riscv : undefined;
}

const configBytesMax = 16 * 1024 * 1024;

function configIn(kernel: Uint8Array): KernelConfig | undefined {
  const packed = embeddedConfig(kernel);
  const text = packed === undefined ? undefined : decompress(packed, 'gzip', configBytesMax);
  return text?.ok === true
    ? parseKernelConfig(Buffer.from(text.value).toString('latin1'))
    : undefined;
}

/** Returns copies, so that the image need not be kept in memory; Buffer's slices are not copies. */
const certificatesIn = (kernel: Uint8Array): readonly Uint8Array[] =>
  findCertificates(kernel)
    .map(({ offset, size }) => Uint8Array.from(kernel.subarray(offset, offset + size)))
    .filter((der) => readCertificate(der, 'kernel').ok);
