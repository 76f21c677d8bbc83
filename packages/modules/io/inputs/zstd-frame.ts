/**
 * The beginning of a zstd file: the content size that its first frame states, and the end of its
 * first block.
 *
 *   magic (4) | descriptor (1) | window (0, 1) | dictionary (0 to 4) | content size (0 to 8) | blocks
 *
 * Source: RFC 8878, section 3.1.1.
 */
import { ByteView, FormatError } from '../../core/elf/bytes.ts';

interface ZstdFrame {
  /** The content size in bytes; undefined if the frame does not state it. */
  readonly contentBytes: number | undefined;
  /** The offset in the file where the first block ends. */
  readonly firstBlockEnd: number;
}

const dictionaryBytes = [0, 1, 2, 4] as const;
const sizeBytes = [0, 2, 4, 8] as const;
const blockHeaderBytes = 3;
const typeRunLength = 1;

/** Reads the frame's header. Throws FormatError where it is cut off. */
export function readZstdFrame(bytes: Uint8Array): ZstdFrame {
  const view = new ByteView(bytes, true);
  const descriptor = view.u8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeAt = 5 + (isSingle ? 0 : 1) + dictionaryBytes[(descriptor & 3) as 0 | 1 | 2 | 3];
  const size = sizeBytes[(descriptor >> 6) as 0 | 1 | 2 | 3];
  // A single segment always states its size, in one byte at least.
  const block = sizeAt + (size === 0 && isSingle ? 1 : size);
  const header = view.u16(block) | (view.u8(block + 2) << 16);
  const blockBytes = ((header >> 1) & 3) === typeRunLength ? 1 : header >> 3;
  return {
    contentBytes: contentSize(view, sizeAt, block - sizeAt),
    firstBlockEnd: Math.min(block + blockHeaderBytes + blockBytes, bytes.length),
  };
}

function contentSize(view: ByteView, at: number, size: number): number | undefined {
  switch (size) {
    case 0:
      return undefined;
    case 1:
      return view.u8(at);
    case 2:
      return view.u16(at) + 256;
    case 4:
      return view.u32(at);
    default:
      return view.u32(at) + view.u32(at + 4) * 2 ** 32;
  }
}

/** Reads the header of bytes that may be anything; undefined if they are not zstd. */
export function zstdFrame(bytes: Uint8Array): ZstdFrame | undefined {
  try {
    return readZstdFrame(bytes);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
