/** Cases of signatures, and of other bytes after the object file. */
import {
  append,
  flipped,
  resign,
  makeSignature,
  withoutSignature,
} from '../../../../../testing/oracle/edits.ts';
import type { Case } from '../../../../../testing/oracle/cases.ts';
import {
  loads,
  refused,
  load,
  loadSigned,
  ignoreVersions,
  ignoreVermagic,
  codeByte,
  make,
} from './steps.ts';

/** No PKCS#7 message. */
export const junk = new Uint8Array(64).fill(0x41);
/** Returns a message that names a key which nobody has. */
export const unknownSerial = (message: Uint8Array) => {
  const out = message.slice();
  // The last byte of the serial number, which is the only INTEGER of 20 bytes.
  const at = Buffer.from(out).indexOf(Buffer.from([0x02, 0x14]));
  out[at + 21]! ^= 1;
  return out;
};

export const signatures: readonly Case[] = [
  make("Debian's own module is good", loads(''), loadSigned()),
  make("Debian's own module without its signature", loads('E'), loadSigned([withoutSignature()])),
  make(
    'a flipped byte of a signed module',
    refused('EKEYREJECTED'),
    loadSigned([flipped(codeByte)]),
  ),
  make(
    'one byte behind the signature hides it',
    loads('E'),
    loadSigned([append(new Uint8Array(1))]),
  ),
  make('a flag to force hides the signature', loads('FE'), loadSigned([], ignoreVermagic)),
  make('the other flag hides it too', loads('FE'), loadSigned([], ignoreVersions)),
  make(
    'a bad signature with a flag to force is not looked at',
    loads('FE'),
    loadSigned([flipped(codeByte)], ignoreVermagic),
  ),
  make(
    'another type than PKCS#7',
    loads('E'),
    loadSigned([resign((message) => message, { type: 1 })]),
  ),
  make(
    'another algorithm in the trailer',
    refused('EBADMSG'),
    loadSigned([resign((message) => message, { algorithm: 1 })]),
  ),
  make(
    'another hash in the trailer',
    refused('EBADMSG'),
    loadSigned([resign((message) => message, { hash: 4 })]),
  ),
  make(
    'a signer in the trailer',
    refused('EBADMSG'),
    loadSigned([resign((message) => message, { signerLength: 3 })]),
  ),
  make(
    'a signature longer than the file',
    refused('EBADMSG'),
    loadSigned([resign((message) => message, { length: 0x7fffffff })]),
  ),
  make(
    'another type and longer than the file',
    refused('EBADMSG'),
    loadSigned([resign((message) => message, { type: 1, length: 0xffffffff })]),
  ),
  make('junk for a signature', refused('EBADMSG'), load('plain', [append(makeSignature(junk))])),
  make(
    'an empty signature',
    refused('EBADMSG'),
    load('plain', [append(makeSignature(new Uint8Array()))]),
  ),
  make('a signature by a key that nobody has', loads('E'), loadSigned([resign(unknownSerial)])),
  make(
    'a changed module with a signature by a key that nobody has',
    loads('E'),
    loadSigned([flipped(codeByte), resign(unknownSerial)]),
  ),
  make(
    'a changed signature',
    refused('EKEYREJECTED'),
    loadSigned([
      resign((message) =>
        message.map((byte, index) => (index === message.length - 1 ? byte ^ 1 : byte)),
      ),
    ]),
  ),
];
