/**
 * The X.509 certificates that are linked into a kernel: the keys it trusts for modules.
 *
 *   30 82 LL LL            Certificate, SEQUENCE
 *     30 82 LL LL          TBSCertificate, SEQUENCE
 *       a0 03 02 01 02     version 3
 *       02 …               serial number
 *     30 …                 signature algorithm, SEQUENCE
 *     03 …                 signature, BIT STRING, to the end
 *
 * They are found only by this shape, since a bzImage has no symbols; a certificate parser must
 * decide whether each is one. Certificates of a revocation list (CONFIG_SYSTEM_REVOCATION_KEYS)
 * look the same and are found as well. Source: RFC 5280, section 4.1; certs/system_certificates.S.
 */

interface ByteRange {
  readonly offset: number;
  readonly size: number;
}

const certificatesMax = 256;
const certificateBytesMax = 16 * 1024;
const tag = { integer: 0x02, bits: 0x03, sequence: 0x30, version: 0xa0 } as const;

/** Finds certificates in the order of the image; at most 256. */
export function findCertificates(image: Uint8Array): readonly ByteRange[] {
  const found: ByteRange[] = [];
  let at = image.indexOf(tag.version);
  while (at >= 0 && found.length < certificatesMax) {
    const range = isVersion3(image, at) ? certificateAround(image, at) : undefined;
    if (range !== undefined) found.push(range);
    const next = range === undefined ? at + 1 : range.offset + range.size;
    at = image.indexOf(tag.version, next);
  }
  return found;
}

const isVersion3 = (image: Uint8Array, at: number): boolean =>
  image[at + 1] === 3 &&
  image[at + 2] === tag.integer &&
  image[at + 3] === 1 &&
  image[at + 4] === 2 &&
  image[at + 5] === tag.integer;

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Returns the certificate around a version field. Two headers of two to four bytes precede the
 * version: the inner sequence's, then the outer's.
 */
function certificateAround(image: Uint8Array, version: number): ByteRange | undefined {
  for (const offset of [version - 8, version - 7, version - 6]) {
    if (offset < 0) continue;
    const outer = element(image, offset);
    const inner = outer === undefined ? undefined : element(image, outer.start);
    if (outer === undefined || inner === undefined) continue;
    if (inner.start === version && isCertificate(image, outer, inner)) {
      return { offset, size: outer.end - offset };
    }
  }
  return undefined;
}

function isCertificate(image: Uint8Array, outer: Element, inner: Element): boolean {
  if (outer.tag !== tag.sequence || inner.tag !== tag.sequence) return false;
  const algorithm = element(image, inner.end);
  if (algorithm?.tag !== tag.sequence) return false;
  const signature = element(image, algorithm.end);
  return signature?.tag === tag.bits && signature.end === outer.end;
}

function element(image: Uint8Array, offset: number): Element | undefined {
  const [type, first] = [image[offset], image[offset + 1]];
  if (type === undefined || first === undefined) return undefined;
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  if (lengthBytes > 2 || first === 0x80) return undefined;
  let size = lengthBytes === 0 ? first : 0;
  for (let index = 0; index < lengthBytes; index++) {
    size = size * 256 + (image[offset + 2 + index] ?? 0);
  }
  const start = offset + 2 + lengthBytes;
  const end = start + size;
  return size > certificateBytesMax || end > image.length ? undefined : { tag: type, start, end };
}
