/**
 * The file that a boot loader starts, and the place of the kernel in it.
 *
 *   bzImage     x86: setup code, then a compressed vmlinux (ELF)
 *   EFI zboot   a small EFI program with a compressed Image behind its header
 *   Image       arm64 and riscv: the bare kernel, no sections
 *   s390        a loader, then the bare kernel compressed by xz
 *   Image.gz    any of these compressed as a whole
 *   vmlinux     ELF
 *
 * Source: Documentation/arch/x86/boot.rst (protocol 2.08), Documentation/arch/arm64/booting.rst,
 * drivers/firmware/efi/libstub/zboot-header.S, arch/s390/boot/head.S.
 */
import { fail, ok, type Result } from '../../../base/result.ts';
import { ByteView, FormatError, bytesAsText, type FormatProblem } from '../elf/bytes.ts';
import { ascii, findBytes, startsWith } from './find-bytes.ts';

const compressions = ['gzip', 'xz', 'zstd', 'lz4', 'lzma', 'bzip2', 'lzo'] as const;
export type Compression = (typeof compressions)[number];

/**
 * The first bytes of each format. `.lzma` has none of its own: this is what xz and the kernel's
 * build write.
 */
const magics: Readonly<Record<Compression, readonly Uint8Array[]>> = {
  gzip: [Uint8Array.of(0x1f, 0x8b, 8)],
  xz: [Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)],
  zstd: [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)],
  /** Today's frame, and the legacy one that the kernel uses. */
  lz4: [Uint8Array.of(4, 0x22, 0x4d, 0x18), Uint8Array.of(2, 0x21, 0x4c, 0x18)],
  lzma: [Uint8Array.of(0x5d, 0, 0)],
  bzip2: [ascii('BZh')],
  lzo: [Uint8Array.of(0x89, 0x4c, 0x5a, 0x4f, 0, 0x0d, 0x0a, 0x1a, 0x0a)],
};

/**
 * Returns how bytes are compressed, by their first bytes and not by a name; undefined if they are
 * not.
 */
export function imageCompression(bytes: Uint8Array): Compression | undefined {
  return compressions.find((each) => magics[each].some((magic) => startsWith(bytes, magic)));
}

type KernelImage =
  /** The kernel itself: an ELF file, or bare with everything at its distance from the start. */
  | { readonly kind: 'vmlinux' | 'bare' }
  /**
   * `offset` and `size` in bytes; what comes out is again an image, for s390 the bare kernel
   * without a mark.
   */
  | {
      readonly kind: 'compressed';
      readonly format: 'bzImage' | 'EFI zboot' | 's390' | 'compressed file';
      readonly compression: Compression;
      readonly offset: number;
      readonly size: number;
      /** The release in the header: `6.12.118+deb13-amd64`. */
      readonly release: string | undefined;
    };

const elfMagic = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);
const dosMagic = ascii('MZ');
const zbootMagic = ascii('zimg');
const setupMagic = ascii('HdrS');
const arm64Magic = ascii('ARM\x64');
const riscvMagic = ascii('RSC\x05');
const bareMagicOffset = 56;
const s390Magic = ascii('S390EP');
const s390MagicOffset = 0x10008;

/** Returns what the file is, or why it is not a kernel image of a known kind. */
export function readImage(bytes: Uint8Array): Result<KernelImage, FormatProblem> {
  try {
    return ok(parse(bytes));
  } catch (error) {
    if (error instanceof FormatError) return fail({ message: error.message, offset: error.offset });
    throw error;
  }
}

function parse(bytes: Uint8Array): KernelImage {
  const view = new ByteView(bytes, true);
  if (startsWith(bytes, elfMagic)) return { kind: 'vmlinux' };
  if (startsWith(bytes, dosMagic) && startsWith(bytes, zbootMagic, 4)) return zboot(view);
  if (startsWith(bytes, setupMagic, 0x202)) return bzImage(view);
  if ([arm64Magic, riscvMagic].some((magic) => startsWith(bytes, magic, bareMagicOffset))) {
    return { kind: 'bare' };
  }
  if (startsWith(bytes, s390Magic, s390MagicOffset)) return s390(bytes);
  const compression = imageCompression(bytes);
  if (compression === undefined) throw new FormatError('is not a kernel image of a known kind', 0);
  const [offset, size, release] = [0, bytes.length, undefined];
  return { kind: 'compressed', format: 'compressed file', compression, offset, size, release };
}

const setup = { sectors: 0x1f1, protocol: 0x206, version: 0x20e, payload: 0x248, bytes: 0x24c };
const sectorBytes = 512;
const firstProtocolWithPayload = 0x208;

function bzImage(view: ByteView): KernelImage {
  if (view.u16(setup.protocol) < firstProtocolWithPayload) {
    throw new FormatError('is of a boot protocol before 2.08, which names no payload', 0x206);
  }
  const sectors = view.u8(setup.sectors) || 4;
  const offset = (sectors + 1) * sectorBytes + view.u32(setup.payload);
  const payload = view.slice(offset, view.u32(setup.bytes));
  const compression = imageCompression(payload);
  if (compression === undefined) throw new FormatError('is compressed in an unknown way', offset);
  return {
    kind: 'compressed',
    format: 'bzImage',
    compression,
    offset,
    size: payload.length - sizeWordBytes(compression),
    release: setupRelease(view),
  };
}

/**
 * Returns the size of the word that the build appends to a payload: the unpacked size. gzip has
 * none, since it ends with that size anyway.
 */
const sizeWordBytes = (compression: Compression): number => (compression === 'gzip' ? 0 : 4);

/** Returns the first word of `6.12.118+deb13-amd64 (debian-kernel@…) #1 SMP …`. */
function setupRelease(view: ByteView): string | undefined {
  const at = view.u16(setup.version);
  if (at === 0) return undefined;
  return firstWord(view.slice(at + 0x200, Math.min(releaseBytesMax, view.length - at - 0x200)));
}

const releaseBytesMax = 128;

function firstWord(bytes: Uint8Array): string | undefined {
  const end = bytes.findIndex((byte) => byte <= 0x20 || byte > 0x7e);
  return end > 0 ? bytesAsText(bytes.subarray(0, end)) : undefined;
}

function zboot(view: ByteView): KernelImage {
  const [offset, size] = [view.u32(8), view.u32(12)];
  const named = view.text(24, 56);
  const payload = view.slice(offset, size);
  const compression = imageCompression(payload);
  if (compression === undefined) {
    throw new FormatError(`is compressed in an unknown way ("${named}")`, offset);
  }
  // Unlike a bzImage's, the size in this header leaves out the word that the build appends.
  return { kind: 'compressed', format: 'EFI zboot', compression, offset, size, release: undefined };
}

/**
 * A whole header, with the check that the build asks for: the loader contains the first six bytes
 * as well.
 */
const xzHeader = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 1, 0x69, 0x22, 0xde, 0x36);
/** The last two bytes of xz data. */
const [beforeLast, last] = ascii('YZ');

/** Finds the compressed kernel: the header has neither its place nor its length. */
function s390(bytes: Uint8Array): KernelImage {
  const offset = findBytes(bytes, xzHeader, s390MagicOffset);
  let end = bytes.lastIndexOf(last!);
  while (end > offset && bytes[end - 1] !== beforeLast) end = bytes.lastIndexOf(last!, end - 1);
  if (offset < 0 || end <= offset) {
    throw new FormatError('is an image for s390 that is not compressed by xz', s390MagicOffset);
  }
  const size = end + 1 - offset;
  return {
    kind: 'compressed',
    format: 's390',
    compression: 'xz',
    offset,
    size,
    release: undefined,
  };
}

const banner = ascii('Linux version ');

/** Returns the release in `Linux version 6.12.118 (…`, in the bytes of an unpacked kernel. */
export function bannerRelease(kernel: Uint8Array): string | undefined {
  let at = findBytes(kernel, banner, 0, 0);
  while (at >= 0) {
    const start = at + banner.length;
    const release = firstWord(kernel.subarray(start, start + releaseBytesMax));
    // The kernel also contains the format that prints this line.
    if (release !== undefined && /^\d/.test(release)) return release;
    at = findBytes(kernel, banner, start, 0);
  }
  return undefined;
}

const vermagicBytesMax = 256;

/**
 * Returns the vermagic `6.12.118 SMP preempt mod_unload modversions `, which the kernel keeps to
 * compare modules with.
 */
export function imageVermagic(kernel: Uint8Array, release: string): string | undefined {
  const start = ascii(`${release} `);
  for (let at = findBytes(kernel, start); at >= 0; at = findBytes(kernel, start, at + 1)) {
    const near = kernel.subarray(at, at + vermagicBytesMax);
    const nul = near.indexOf(0);
    if (nul < 0 || (at > 0 && kernel[at - 1] !== 0)) continue;
    const text = bytesAsText(near.subarray(start.length, nul));
    if (vermagicWords.test(text)) return `${release} ${text}`;
  }
  return undefined;
}

/** Source: include/linux/vermagic.h. */
const vermagicWords = /^(SMP )?(preempt |preempt_rt )?(mod_unload )?(modversions )?[\w ]*$/;
