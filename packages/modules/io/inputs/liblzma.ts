/** The xz decoder of the system's liblzma, by FFI; undefined where the library is not installed. */
import koffi from 'koffi';

type XzDecoder = (packed: Uint8Array, into: Uint8Array) => XzOutcome;

type XzOutcome = { readonly unpackedBytes: number } | { readonly error: XzError };
export type XzError = 'full' | 'memory' | 'corrupt' | 'unsupported' | 'cut off' | 'failed';

/** Return codes. Source: lzma/base.h, `lzma_ret`. */
const returns: Readonly<Record<number, XzError>> = {
  2: 'unsupported',
  3: 'unsupported',
  5: 'memory',
  6: 'memory',
  7: 'corrupt',
  8: 'unsupported',
  9: 'corrupt',
  10: 'full',
};
const LZMA_BUF_ERROR = 10;

/**
 * The memory limit. The largest dictionary that xz itself makes takes 65 MiB (`-9`); kernels use up
 * to 128 MiB.
 */
const memoryBytesMax = 256n * 1024n * 1024n;

let decoder: { readonly value: XzDecoder | undefined } | undefined;

/** Returns the decoder, loaded at the first use, once a thread. */
export function xzDecoder(): XzDecoder | undefined {
  decoder ??= { value: load() };
  return decoder.value;
}

function load(): XzDecoder | undefined {
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load('liblzma.so.5');
  } catch {
    return undefined;
  }
  const decode = library.func(
    'int lzma_stream_buffer_decode(void *memlimit, uint32_t flags, void *allocator, const void *in, void *in_pos, size_t in_size, void *out, void *out_pos, size_t out_size)',
  );
  const memory = new BigUint64Array(1);
  const [read, written] = [new BigUint64Array(1), new BigUint64Array(1)];
  return (packed, into) => {
    [read[0], written[0]] = [0n, 0n];
    // One call decodes one stream; streams may follow each other with zeros between them.
    let at = 0;
    while (at < packed.length) {
      memory[0] = memoryBytesMax;
      read[0] = BigInt(at);
      const answer = Number(
        decode(memory, 0, null, packed, read, packed.length, into, written, into.length),
      );
      // The library returns the same code when output space or input runs out.
      if (answer === LZMA_BUF_ERROR && Number(written[0]) < into.length)
        return { error: 'cut off' };
      if (answer !== 0) return { error: returns[answer] ?? 'failed' };
      at = afterPadding(packed, Number(read[0]));
    }
    return { unpackedBytes: Number(written[0]) };
  };
}

function afterPadding(packed: Uint8Array, from: number): number {
  let at = from;
  while (at < packed.length && packed[at] === 0) at += 1;
  return at;
}
