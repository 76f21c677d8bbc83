/**
 * The signature behind a module.
 *
 *     ELF file | PKCS#7 | algo hash id_type signer_len key_id_len 0 0 0 sig_len(32, big endian) |
 *     "~Module signature appended~\n"
 *
 * Only the length and the type (2, PKCS#7) may be set in the trailer. The PKCS#7 is a SignedData
 * without the data, which is everything before it. Nothing is verified here.
 * Source: kernel/module_signature.c, scripts/sign-file.c, RFC 2315.
 */
import { FormatError, bytesAsText } from '../elf/bytes.ts';
import { contextTag, DerReader, derTags, expectTag, type DerValue } from '../elf/der.ts';
import type { AppendedSignature, Signer } from './module.ts';
import { hexadecimal } from '../elf/notes.ts';

const marker = new TextEncoder().encode('~Module signature appended~\n');
const trailerBytes = 12;
const pkcs7Type = 2;

export interface SignedFile {
  /** Bytes of the object file: the part that is signed, and that the loader goes on with. */
  readonly elfBytes: number;
  readonly signature: AppendedSignature | undefined;
}

export function readSignature(bytes: Uint8Array): SignedFile {
  const end = bytes.length - marker.length;
  if (end <= 0 || !marker.every((byte, index) => bytes[end + index] === byte)) {
    return { elfBytes: bytes.length, signature: undefined };
  }
  const malformed = (why: string, offset: number): SignedFile => ({
    elfBytes: end,
    signature: { kind: 'malformed', why, offset },
  });
  if (end <= trailerBytes) return malformed('is too short for its trailer', 0);
  const at = end - trailerBytes;
  const trailer = bytes.subarray(at, end);
  const length = new DataView(trailer.buffer, trailer.byteOffset).getUint32(8);
  if (length >= at) {
    return malformed(`claims to be ${length} bytes long, more than the file before it`, at + 8);
  }
  if (trailer[2] !== pkcs7Type) {
    const why = `is of type ${trailer[2]}, and the kernel knows only PKCS#7 (${pkcs7Type})`;
    return { elfBytes: end, signature: { kind: 'unsupported', why } };
  }
  const orphan = trailer.findIndex((byte, index) => index < 8 && index !== 2 && byte !== 0);
  if (orphan >= 0) {
    const why = 'has a trailer with bytes that must be zero';
    const message = 'module: PKCS#7 signature info has unexpected non-zero params';
    return {
      elfBytes: end,
      signature: { kind: 'malformed', why, offset: at + orphan, message },
    };
  }
  const elfBytes = at - length;
  return { elfBytes, signature: readPkcs7(bytes.subarray(elfBytes, at), elfBytes) };
}

/** Parses the PKCS#7; `base` is the offset of the bytes in the file. */
export function readPkcs7(bytes: Uint8Array, base: number): AppendedSignature {
  try {
    return { kind: 'pkcs7', signers: signersOf(new DerReader(bytes)) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { kind: 'malformed', why: error.message, offset: base + error.offset };
  }
}

const signedData = '1.2.840.113549.1.7.2';

function signersOf(der: DerReader): Signer[] {
  const [type, content] = der.children(expectTag(der.value(0), derTags.sequence));
  if (type === undefined || der.objectId(type) !== signedData) {
    throw new FormatError('is not a PKCS#7 SignedData', 0);
  }
  const [body] = der.children(expectTag(content, contextTag(0)));
  const infos = der.children(expectTag(body, derTags.sequence)).at(-1);
  return der.children(expectTag(infos, derTags.set)).map((each) => signerOf(der, each));
}

function signerOf(der: DerReader, info: DerValue): Signer {
  const [version, identity, digest, ...rest] = der.children(expectTag(info, derTags.sequence));
  expectTag(version, derTags.integer);
  const attributes = rest[0]?.tag === contextTag(0) ? rest.shift() : undefined;
  const [algorithm, signature] = rest;
  return {
    ...identityOf(der, identity),
    digest: nameOf(der, digest, digests),
    algorithm: nameOf(der, algorithm, algorithms),
    signature: new Uint8Array(der.contents(expectTag(signature, derTags.octets))),
    signedAttributes: attributes === undefined ? undefined : asSet(der, attributes),
  };
}

/**
 * Returns the attributes as they are hashed: as a SET, not under the tag that they are stored with.
 */
function asSet(der: DerReader, attributes: DerValue): Uint8Array {
  const bytes = new Uint8Array(der.bytes.subarray(attributes.start, attributes.end));
  bytes[0] = derTags.set;
  return bytes;
}

function identityOf(
  der: DerReader,
  identity: DerValue | undefined,
): Pick<Signer, 'issuer' | 'serial' | 'keyId'> {
  if (identity?.tag === contextTag(0, false)) {
    return { issuer: '', serial: undefined, keyId: hexadecimal(der.contents(identity)) };
  }
  const [issuer, serial] = der.children(expectTag(identity, derTags.sequence));
  const number = hexadecimal(der.contents(expectTag(serial, derTags.integer)));
  return {
    issuer: distinguishedName(der, expectTag(issuer, derTags.sequence)),
    serial: number.replace(/^0+(?=.)/, ''),
    keyId: undefined,
  };
}

function distinguishedName(der: DerReader, name: DerValue): string {
  const parts = der.children(name).flatMap((set) =>
    der.children(expectTag(set, derTags.set)).map((part) => {
      const [type, value] = der.children(expectTag(part, derTags.sequence));
      if (type === undefined || value === undefined)
        throw new FormatError('has a name with an empty part', part.start);
      const id = der.objectId(type);
      return `${nameParts[id] ?? id}=${bytesAsText(der.contents(value))}`;
    }),
  );
  return parts.join(', ');
}

/** Returns a certificate's issuer and subject, spelled as in a signature. Throws `FormatError`. */
export function certificateNames(certificate: Uint8Array): {
  readonly issuer: string;
  readonly subject: string;
} {
  const der = new DerReader(certificate);
  const [signed] = der.children(expectTag(der.value(0), derTags.sequence));
  const fields = der.children(expectTag(signed, derTags.sequence));
  // The version comes first, but version 1 is left out.
  const [, , issuer, , subject] = fields[0]?.tag === contextTag(0) ? fields.slice(1) : fields;
  const name = (field: DerValue | undefined) =>
    distinguishedName(der, expectTag(field, derTags.sequence));
  return { issuer: name(issuer), subject: name(subject) };
}

function nameOf(
  der: DerReader,
  algorithm: DerValue | undefined,
  names: Readonly<Record<string, string>>,
): string {
  const [id] = der.children(expectTag(algorithm, derTags.sequence));
  if (id === undefined) throw new FormatError('names no algorithm', algorithm?.start ?? 0);
  const text = der.objectId(id);
  return names[text] ?? text;
}

const nameParts: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

const digests: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.8': 'sha3-256',
  '2.16.840.1.101.3.4.2.9': 'sha3-384',
  '2.16.840.1.101.3.4.2.10': 'sha3-512',
};

const algorithms: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.1': 'rsa',
  '1.2.840.113549.1.1.5': 'rsa',
  '1.2.840.113549.1.1.11': 'rsa',
  '1.2.840.113549.1.1.12': 'rsa',
  '1.2.840.113549.1.1.13': 'rsa',
  '1.2.840.10045.2.1': 'ecdsa',
  '1.2.840.10045.4.1': 'ecdsa',
  '1.2.840.10045.4.3.1': 'ecdsa',
  '1.2.840.10045.4.3.2': 'ecdsa',
  '1.2.840.10045.4.3.3': 'ecdsa',
  '1.2.840.10045.4.3.4': 'ecdsa',
  '2.16.840.1.101.3.4.3.10': 'ecdsa',
  '2.16.840.1.101.3.4.3.11': 'ecdsa',
  '2.16.840.1.101.3.4.3.12': 'ecdsa',
};
