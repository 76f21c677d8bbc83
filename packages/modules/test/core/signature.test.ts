import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readPkcs7, readSignature } from '../../core/record/signature.ts';
import { appendSignature, buildModule, bytesOf } from './elf-builder.ts';

/** Writes a value in DER. */
function der(tag: number, ...contents: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const body = contents.flatMap((each) => [...each]);
  const { length } = body;
  const size = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff];
  return Uint8Array.from([tag, ...size, ...body]);
}

const sequence = (...contents: readonly (Uint8Array | readonly number[])[]) =>
  der(0x30, ...contents);
const signedDataId = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const dataId = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const sha256 = sequence([0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]);
const rsa = sequence([0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], [5, 0]);
const ecdsa = sequence([0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
const unknown = sequence([0x06, 3, 0x2a, 3, 4]);
const namePart = (id: number, text: string) =>
  der(0x31, sequence([0x06, 3, 0x55, 4, id], der(0x0c, bytesOf(text))));
const issuer = sequence(namePart(3, 'Build key'), namePart(10, 'Example'));
const bySerial = sequence(issuer, der(2, [0, 0xab, 0xcd]));
const byKeyId = der(0x80, [0xde, 0xad]);
const value = new Uint8Array(200).fill(7);

const signer = (
  identity: Uint8Array,
  algorithm: Uint8Array,
  attributes: readonly Uint8Array[] = [],
): Uint8Array => sequence(der(2, [1]), identity, sha256, ...attributes, algorithm, der(4, value));

const pkcs7 = (...signers: readonly Uint8Array[]): Uint8Array =>
  sequence(
    signedDataId,
    der(0xa0, sequence(der(2, [1]), der(0x31, sha256), sequence(dataId), der(0x31, ...signers))),
  );

describe('readSignature()', () => {
  const elf = buildModule();

  test('returns no signature when the marker is missing', () => {
    assert.deepEqual(readSignature(elf), { elfBytes: elf.length, signature: undefined });
    assert.equal(readSignature(new Uint8Array()).signature, undefined);
  });

  test('reads a signer with issuer and serial number', () => {
    const signed = readSignature(appendSignature(elf, pkcs7(signer(bySerial, ecdsa))));
    assert.equal(signed.elfBytes, elf.length);
    assert.deepEqual(signed.signature, {
      kind: 'pkcs7',
      signers: [
        {
          issuer: 'CN=Build key, O=Example',
          serial: 'abcd',
          keyId: undefined,
          digest: 'sha256',
          algorithm: 'ecdsa',
          signature: value,
          signedAttributes: undefined,
        },
      ],
    });
  });

  test('reads key id, other algorithms, and signed attributes as they are hashed', () => {
    const attributes = der(0xa0, sequence(dataId, der(0x31)));
    const result = readPkcs7(
      pkcs7(signer(byKeyId, rsa, [attributes]), signer(byKeyId, unknown)),
      0,
    );
    assert.ok(result.kind === 'pkcs7');
    const [first, second] = result.signers;
    assert.equal(first?.keyId, 'dead');
    assert.equal(first.serial, undefined);
    assert.equal(first.algorithm, 'rsa');
    assert.deepEqual(first.signedAttributes, der(0x31, sequence(dataId, der(0x31))));
    assert.equal(second?.algorithm, '1.2.3.4');
  });

  test('returns malformed or unsupported when the trailer lies', () => {
    const outcome = (trailer: Parameters<typeof appendSignature>[2]) => {
      const { signature } = readSignature(
        appendSignature(elf, pkcs7(signer(bySerial, rsa)), trailer),
      );
      return signature?.kind;
    };
    assert.equal(outcome({ length: 0xffff_ffff }), 'malformed');
    assert.equal(outcome({ length: elf.length + 10_000 }), 'malformed');
    assert.equal(outcome({ idType: 1 }), 'unsupported');
    assert.equal(outcome({ algorithm: 1 }), 'malformed');
    assert.equal(outcome({ length: 3 }), 'malformed');
    // The kernel looks at the length before the type, and at the type before the rest.
    assert.equal(outcome({ idType: 1, length: 0xffff_ffff }), 'malformed');
    assert.equal(outcome({ idType: 1, algorithm: 1 }), 'unsupported');
  });

  test('returns malformed when the file is nothing but the marker', () => {
    assert.equal(readSignature(appendSignature(new Uint8Array(), new Uint8Array())).elfBytes, 12);
    const marker = bytesOf('x~Module signature appended~\n');
    assert.equal(readSignature(marker).signature?.kind, 'malformed');
  });
});

describe('readPkcs7()', () => {
  test('returns malformed and an offset when the data is cut at any byte', () => {
    const whole = pkcs7(signer(bySerial, ecdsa));
    for (let length = 0; length < whole.length; length++) {
      const result = readPkcs7(whole.subarray(0, length), 1000);
      assert.ok(result.kind === 'malformed', `cut to ${length} bytes`);
      assert.ok(result.offset >= 1000);
    }
  });

  test('returns malformed for huge and indefinite lengths, and deep nesting', () => {
    for (const bytes of [
      Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x30, 0x80, 0, 0),
      Uint8Array.of(0x30, 0x88, 1, 1, 1, 1, 1, 1, 1, 1),
      Uint8Array.of(0x1f, 0x81, 0),
      new Uint8Array(100_000).fill(0x30),
    ]) {
      assert.equal(readPkcs7(bytes, 0).kind, 'malformed');
    }
  });

  test('returns malformed for 300 signers', () => {
    const many = Array.from({ length: 300 }, () => der(0x30));
    assert.equal(readPkcs7(pkcs7(...many), 0).kind, 'malformed');
  });
});
