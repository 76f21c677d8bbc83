import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { findCertificates } from '../../core/kernel/certificates.ts';
import type { Signer } from '../../core/record/module.ts';
import {
  checkSignature,
  makeSignatureChecker,
  readCertificate,
  type TrustedCertificate,
} from '../../io/scan/signatures.ts';
import { quickVerifier } from '../../io/scan/libcrypto.ts';
import { makeIdentity, noOpenssl, type Identity } from './certificates.ts';

const skip = { skip: noOpenssl };
const elf = Buffer.from('the object file that is signed');
const file = Buffer.concat([elf, Buffer.from('and what is appended to it')]);
const none = { signer: undefined, trustedBy: undefined };

const trusted = (identity: Identity, by: 'kernel' | 'given' = 'kernel'): TrustedCertificate => {
  const read = readCertificate(identity.der, by);
  assert.ok(read.ok);
  return read.value;
};
const signer = (identity: Identity, changes: Partial<Signer> = {}): Signer => ({
  issuer: identity.issuer,
  serial: identity.serial,
  keyId: undefined,
  digest: 'sha256',
  algorithm: identity.key.asymmetricKeyType === 'ec' ? 'ecdsa' : 'rsa',
  signature: sign('sha256', elf, identity.key),
  signedAttributes: undefined,
  ...changes,
});
const check = (signers: readonly Signer[], certificates: readonly TrustedCertificate[]) =>
  checkSignature(file, elf.length, { kind: 'pkcs7', signers }, certificates);

test('checkSignature() finds the key by serial number and issuer, or by key id', skip, () => {
  for (const kind of ['ec', 'rsa'] as const) {
    const identity = makeIdentity('/O=Test/CN=Build key', kind);
    const certificate = trusted(identity);
    const good = { outcome: 'good', signer: 'O=Test, CN=Build key', trustedBy: 'kernel' };
    assert.deepEqual(check([signer(identity)], [certificate]), good);
    assert.ok(certificate.keyId !== undefined && certificate.keyId.length === 40);
    const byId = signer(identity, { issuer: '', serial: undefined, keyId: certificate.keyId });
    assert.deepEqual(check([byId], [certificate]), good);
    assert.equal(
      check([signer(identity, { serial: `00${identity.serial}` })], [certificate]).outcome,
      'good',
    );
    assert.equal(check([signer(identity)], [trusted(identity, 'given')]).trustedBy, 'given');
  }
});

test('checkSignature() finds the key of an issuer whose name has commas and quotes', skip, () => {
  const identity = makeIdentity('/O=Acme, Inc./CN=Keys "a" \\+ b;c', 'ec');
  const issuer = 'O=Acme, Inc., CN=Keys "a" + b;c';
  const checked = check([signer(identity, { issuer })], [trusted(identity)]);
  assert.deepEqual(checked, { outcome: 'good', signer: issuer, trustedBy: 'kernel' });
});

test('checkSignature() distinguishes a bad signature from one by an unknown key', skip, () => {
  const [ours, other] = [makeIdentity('/CN=Ours', 'ec'), makeIdentity('/CN=Other', 'ec')];
  const bad = Buffer.from(signer(ours).signature);
  bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1;
  const outcome = (one: Signer) => check([one], [trusted(ours)]);
  assert.deepEqual(outcome(signer(ours, { signature: bad })), { outcome: 'bad', ...none });
  assert.deepEqual(outcome(signer(ours, { signature: Buffer.from('x') })), {
    outcome: 'bad',
    ...none,
  });
  assert.deepEqual(outcome(signer(other)), {
    outcome: 'unknown key',
    ...none,
    claimedIssuer: 'CN=Other',
  });
  assert.equal(outcome(signer(ours, { serial: '77' })).outcome, 'unknown key');
  assert.equal(outcome(signer(ours, { digest: '1.2.3' })).outcome, 'unsupported');
  assert.equal(outcome(signer(ours, { algorithm: '1.2.3' })).outcome, 'unsupported');
  assert.equal(outcome(signer(ours, { algorithm: 'rsa' })).outcome, 'bad');
});

test('checkSignature() returns bad when one byte changed', skip, () => {
  const identity = makeIdentity('/CN=Ours', 'rsa');
  const changed = Buffer.from(file);
  changed[3] = (changed[3] ?? 0) ^ 1;
  const signature = { kind: 'pkcs7', signers: [signer(identity)] } as const;
  const certificates = [trusted(identity)];
  assert.equal(checkSignature(changed, elf.length, signature, certificates).outcome, 'bad');
  assert.equal(checkSignature(file, elf.length - 1, signature, certificates).outcome, 'bad');
  assert.equal(checkSignature(file, elf.length, signature, certificates).outcome, 'good');
});

test(
  'checkSignature() returns bad if one of several signatures is wrong, not if one is unknown',
  skip,
  () => {
    const [ours, other] = [makeIdentity('/CN=Ours', 'ec'), makeIdentity('/CN=Other', 'ec')];
    const wrong = signer(ours, { signature: signer(other).signature });
    assert.equal(check([signer(other), signer(ours)], [trusted(ours)]).outcome, 'good');
    assert.equal(check([signer(ours), wrong], [trusted(ours)]).outcome, 'bad');
    assert.equal(
      check([signer(other), signer(ours, { digest: 'md4' })], [trusted(ours)]).outcome,
      'unsupported',
    );
    assert.equal(check([], [trusted(ours)]).outcome, 'malformed');
  },
);

test(
  'checkSignature() rejects signed attributes like the kernel, and verifies them on request',
  skip,
  () => {
    const identity = makeIdentity('/CN=Ours', 'ec');
    const digest = createHash('sha256').update(elf).digest();
    const attribute = Buffer.concat([Buffer.from('06092a864886f70d01090431220420', 'hex'), digest]);
    const signedAttributes = Buffer.concat([
      Buffer.from([0x31, attribute.length + 2, 0x30, attribute.length]),
      attribute,
    ]);
    const signature = sign('sha256', signedAttributes, identity.key);
    const one = {
      kind: 'pkcs7',
      signers: [signer(identity, { signedAttributes, signature })],
    } as const;
    const certificates = [trusted(identity)];
    assert.equal(checkSignature(file, elf.length, one, certificates).outcome, 'bad');
    assert.equal(checkSignature(file, elf.length, one, certificates, 'verify').outcome, 'good');
    assert.equal(checkSignature(file, elf.length - 1, one, certificates, 'verify').outcome, 'bad');
  },
);

test(
  'makeSignatureChecker() skips invalid certificates, and passes on unusable signatures',
  skip,
  () => {
    const identity = makeIdentity('/CN=Ours', 'ec');
    const checker = makeSignatureChecker([Buffer.from('no certificate')], [identity.der]);
    const one = { kind: 'pkcs7', signers: [signer(identity)] } as const;
    assert.equal(checker(file, { bytes: elf.length, signature: one }).trustedBy, 'given');
    assert.equal(checker(file, { bytes: elf.length, signature: undefined }).outcome, 'none');
    const malformed = { kind: 'malformed', why: 'x', offset: 1 } as const;
    assert.equal(checker(file, { bytes: elf.length, signature: malformed }).outcome, 'malformed');
    const unsupported = { kind: 'unsupported', why: 'x' } as const;
    assert.equal(
      checker(file, { bytes: elf.length, signature: unsupported }).outcome,
      'unsupported',
    );
  },
);

test('findCertificates() finds complete certificates in an image, at most 256', skip, () => {
  const [a, b] = [makeIdentity('/CN=A', 'ec'), makeIdentity('/CN=B', 'rsa')];
  const cut = a.der.subarray(0, a.der.length - 1);
  const image = Buffer.concat([Buffer.alloc(99, 0xa0), a.der, Buffer.alloc(5), b.der, a.der, cut]);
  assert.deepEqual(
    findCertificates(image),
    [
      [99, a.der.length],
      [104 + a.der.length, b.der.length],
      [104 + a.der.length + b.der.length, a.der.length],
    ].map(([offset, size]) => ({ offset, size })),
  );
  for (let length = 0; length < a.der.length; length++) {
    assert.deepEqual(findCertificates(a.der.subarray(0, length)), []);
  }
  const many = Buffer.concat(Array.from({ length: 300 }, () => Buffer.from(a.der)));
  assert.equal(findCertificates(many).length, 256);
});

test('quickVerifier() accepts only the right signature, and no RSA key', (context) => {
  for (const namedCurve of ['P-256', 'P-384', 'P-521']) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    const verifies = quickVerifier(publicKey);
    if (verifies === undefined) return context.skip('libcrypto.so.3 is not installed');
    const other = quickVerifier(generateKeyPairSync('ec', { namedCurve }).publicKey);
    for (const digest of ['sha256', 'sha512']) {
      const good = sign(digest, elf, privateKey);
      assert.ok(verifies(digest, elf, good));
      assert.ok(!other?.(digest, elf, good));
      assert.ok(!verifies(digest, file, good));
      for (let at = 0; at < good.length; at++) {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] ?? 0) ^ 1;
        assert.ok(!verifies(digest, elf, bad), `byte ${at}`);
        assert.ok(!verifies(digest, elf, good.subarray(0, at)), `${at} bytes of it`);
      }
      assert.ok(verifies(digest, elf, good), 'what was wrong leaves nothing behind');
    }
  }
  assert.equal(
    quickVerifier(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey),
    undefined,
  );
});
