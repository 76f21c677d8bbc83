/**
 * The unpacked size of an xz file, from the index at the end of each stream. It gives the right
 * buffer at once, and shows a bomb before anything is unpacked.
 *
 *   stream header (12) | blocks | index | footer (12): CRC32, size of the index, flags, "YZ"
 *
 * Source: "The .xz File Format" 1.2.1, sections 2 to 4.
 */
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { ByteView, FormatError } from '../../core/elf/bytes.ts';

const edgeBytes = 12;
const streamsMax = 1024;
const recordsMax = 1_000_000;

/** Returns the sum over all streams, bytes; the error has the offset of the problem. */
export function xzUnpackedBytes(bytes: Uint8Array): Result<number, Cause> {
  try {
    return ok(sumOfStreams(new ByteView(bytes, true)));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return fail({ reason: `the xz stream ${error.message} (at offset ${error.offset})` });
  }
}

/**
 * Adds up the streams from the end to the front, since only an index has the length of its stream.
 */
function sumOfStreams(view: ByteView): number {
  let [end, total, streams] = [view.length, 0, 0];
  while (end > 0) {
    end = withoutPadding(view, end);
    const stream = readIndex(view, end);
    total += stream.unpackedBytes;
    end = stream.start;
    streams += 1;
    if (streams > streamsMax) throw new FormatError('has too many parts', end);
  }
  return total;
}

/** Returns the end without padding: streams may be followed by zeros, four at a time. */
function withoutPadding(view: ByteView, end: number): number {
  let at = end;
  while (at >= edgeBytes + 4 && view.u32(at - 4) === 0) at -= 4;
  return at;
}

function readIndex(view: ByteView, end: number) {
  const footer = end - edgeBytes;
  if (footer < edgeBytes || view.u8(end - 2) !== 0x59 || view.u8(end - 1) !== 0x5a) {
    throw new FormatError('is cut off: it has no end mark', end);
  }
  const indexBytes = (view.u32(footer + 4) + 1) * 4;
  const index = footer - indexBytes;
  if (index < edgeBytes || view.u8(index) !== 0) throw new FormatError('has no index', footer);
  const reader = { view, at: index + 1, end: footer };
  const records = readVarint(reader);
  if (records > recordsMax) throw new FormatError(`claims to have ${records} blocks`, index);
  let [packedBytes, unpackedBytes] = [0, 0];
  for (let record = 0; record < records; record++) {
    packedBytes += Math.ceil(readVarint(reader) / 4) * 4;
    unpackedBytes += readVarint(reader);
  }
  const start = index - packedBytes - edgeBytes;
  if (start < 0) throw new FormatError('has an index of more than the file holds', index);
  return { start, unpackedBytes };
}

/**
 * Reads a number of seven bits a byte, the lowest first. Beyond 2^53 the last digits are lost,
 * which no limit allows.
 */
function readVarint(reader: { readonly view: ByteView; at: number; readonly end: number }): number {
  let [value, scale] = [0, 1];
  for (let index = 0; index < 9; index++) {
    if (reader.at >= reader.end) throw new FormatError('has an index that is cut off', reader.at);
    const byte = reader.view.u8(reader.at);
    reader.at += 1;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  throw new FormatError('has a number that is too long', reader.at);
}
