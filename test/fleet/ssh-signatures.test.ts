/** Signatures held to the real `ssh-keygen`: each accepts what the other makes, and both refuse the same. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { namespaces } from '../../src/fleet/core/documents.ts';
import { readKey } from '../../src/fleet/io/verify/ssh-keys.ts';
import { readSignature, verifySignature } from '../../src/fleet/io/verify/ssh-signature.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { armored, hardwarePerson, person, sshString, type Person } from './people.ts';

const namespace = namespaces.release;
const text = '{"format":1,"fleet":"example"}';

suite('SSH signatures', () => {
  const directory = suiteDirectory('signatures');
  const bits: Readonly<Record<string, string>> = { rsa: '3072' };
  const people = [
    ...['ed25519', 'ecdsa', 'rsa'].map((type) => person(directory, `p-${type}`, type, bits[type])),
    hardwarePerson('p-sk-ed25519', 'ed25519'),
    hardwarePerson('p-sk-ecdsa', 'ecdsa'),
  ];

  function keygenAccepts({ name, key }: Person, signature: string, content = text): boolean {
    const [allowed, file] = [join(directory, 'allowed'), join(directory, 'signature')];
    writeFileSync(allowed, `${name} ${key}\n`);
    writeFileSync(file, signature);
    const args = ['-Y', 'verify', '-f', allowed, '-I', name, '-n', namespace, '-s', file];
    return spawnSync('ssh-keygen', args, { input: content }).status === 0;
  }

  function weAccept({ key }: Person, signature: string, content = text): boolean {
    const read = readSignature(signature);
    if (!read.ok || read.value.signer !== key.split(' ')[1]) return false;
    return verifySignature(read.value, content, namespace).ok;
  }

  test('every supported kind of key is accepted by both, and a changed text by neither', () => {
    for (const each of people) {
      const signature = each.sign(text, namespace);
      assert.equal(keygenAccepts(each, signature), true, `${each.name}, by ssh-keygen`);
      assert.equal(weAccept(each, signature), true, each.name);
      assert.equal(keygenAccepts(each, signature, `${text} `), false);
      assert.equal(weAccept(each, signature, `${text} `), false, each.name);
    }
  });

  test('a signature for another namespace is refused, with both names', () => {
    for (const each of people) {
      const read = readSignature(each.sign(text, 'git'));
      assert.ok(read.ok);
      const verified = verifySignature(read.value, text, namespace);
      assert.deepEqual(verified, {
        ok: false,
        error: { reason: 'the signature is for "git", not for "bulkhead-fleet-release@1"' },
      });
    }
  });

  test('no change of one byte in a signature is accepted', () => {
    for (const each of people) {
      const signature = each.sign(text, namespace);
      const base64 = signature.replaceAll(/-----[^-]+-----|\s/g, '');
      const bytes = Buffer.from(base64, 'base64');
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
        const again = `-----BEGIN SSH SIGNATURE-----\n${changed.toString('base64')}\n-----END SSH SIGNATURE-----\n`;
        assert.equal(weAccept(each, again), false, `${each.name}, byte ${at}`);
      }
      for (let length = 0; length < bytes.length; length += 7) {
        const cut = bytes.subarray(0, length).toString('base64');
        const again = `-----BEGIN SSH SIGNATURE-----\n${cut}\n-----END SSH SIGNATURE-----\n`;
        assert.equal(weAccept(each, again), false, `${each.name}, cut at ${length}`);
      }
      const longer = Buffer.concat([bytes, Buffer.of(0)]).toString('base64');
      assert.equal(readSignature(signature.replaceAll(/U1NI[^-]+/g, `${longer}\n`)).ok, false);
    }
  });

  test('a key in hardware that nobody touched does not sign', () => {
    for (const type of ['ed25519', 'ecdsa'] as const) {
      const read = readSignature(hardwarePerson('untouched', type, 0).sign(text, namespace));
      assert.ok(read.ok);
      const verified = verifySignature(read.value, text, namespace);
      assert.equal(verified.ok || verified.error.reason, untouched);
    }
  });
  const untouched = 'the key in hardware signed without being touched';

  test('other kinds of keys and of hashes are refused by name', () => {
    const p384 = person(directory, 'p-384', 'ecdsa', '384');
    const read = readSignature(p384.sign(text, namespace));
    assert.ok(read.ok);
    const verified = verifySignature(read.value, text, namespace);
    assert.match(
      verified.ok ? '' : verified.error.reason,
      /type "ecdsa-sha2-nistp384" are not supp/,
    );
    const other = readSignature(armored(Buffer.from('x'), namespace, Buffer.from('x'), 'md5'));
    assert.equal(other.ok || other.error.reason, 'the SSH signature uses the hash "md5"');
  });

  test('RSA keys that are too short are refused', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
    const numbers = [e, n].map((each) => Buffer.from(each, 'base64url'));
    const modulus = Buffer.concat([Buffer.of(0), numbers[1] as Buffer]);
    const blob = Buffer.concat(['ssh-rsa', numbers[0] as Buffer, modulus].map(sshString));
    assert.equal(readKey(blob).ok, false);
  });

  test('base64 that ssh-keygen would not read is refused', () => {
    const [{ sign } = assert.fail()] = people;
    const good = sign(text, namespace);
    assert.equal(readSignature(good).ok, true);
    for (const junk of ['====AAAA\n', 'A\n', '=\n']) {
      const bad = good.replace('-----END', `${junk}-----END`);
      const read = readSignature(bad);
      assert.deepEqual(read, {
        ok: false,
        error: { reason: 'the SSH signature is not in base64' },
      });
    }
  });

  test('an Ed25519 key that anybody can sign for is refused', () => {
    for (const point of smallPoints)
      for (const bit of [0, 0x80]) {
        const x = Buffer.from(point, 'hex');
        x[31] = (x[31] ?? 0) | bit;
        const blob = Buffer.concat(['ssh-ed25519', x].map(sshString));
        assert.equal(readKey(blob).ok, false, `${point}, ${bit}`);
      }
    assert.deepEqual(smallPoints.filter(isOfOrder8), smallPoints.slice(3, 5));
  });
});

const smallPoints = [
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
];

/** Whether a point of the curve -x² + y² = 1 + dx²y² is itself one of order 8: there y² = -x². Source: RFC 8032, section 5.1. */
function isOfOrder8(point: string): boolean {
  const prime = 2n ** 255n - 19n;
  const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
  const y = BigInt(`0x${Buffer.from(point, 'hex').reverse().toString('hex')}`);
  return (d * y ** 4n + 2n * y ** 2n - 1n) % prime === 0n;
}
