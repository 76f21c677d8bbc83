/** People with real SSH keys, who sign with `ssh-keygen`, and one with a key in hardware that is made of software. */
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  namespaces,
  type Envelope,
  type NamedKey,
  type ReleaseHead,
  type TrustDocument,
} from '../../src/fleet/core/documents.ts';
import { documentText } from '../../src/fleet/core/parse.ts';
import {
  eachBundle,
  makeRelease,
  type HeadFields,
} from '../../src/fleet/io/release/make-release.ts';
import { wireString } from '../../src/fleet/io/verify/wire.ts';

export interface Person extends NamedKey {
  /** Returns the armored signature of a text. */
  readonly sign: (text: string, namespace: string) => string;
}

/** Makes a person with a key of `ssh-keygen`. */
export function person(directory: string, name: string, type = 'ed25519', bits = '256'): Person {
  const file = join(directory, `${name}-${type}`);
  execFileSync('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', '', '-C', name, '-f', file]);
  return {
    name,
    key: readFileSync(`${file}.pub`, 'utf8').trim().split(' ').slice(0, 2).join(' '),
    sign: (text, namespace) =>
      execFileSync('ssh-keygen', ['-Y', 'sign', '-q', '-f', file, '-n', namespace], {
        input: text,
        stdio: ['pipe', 'pipe', 'ignore'],
      }).toString(),
  };
}

export const sshString = wireString;

/** The public half of a key in hardware, in its binary form. */
export function hardwareKey(type: 'ed25519' | 'ecdsa', publicKey: KeyObject, application = 'ssh:') {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const [left, right] = [x, y].map((each) => Buffer.from(each, 'base64url')) as [Buffer, Buffer];
  const fields =
    type === 'ed25519'
      ? ['sk-ssh-ed25519@openssh.com', left, application]
      : [
          'sk-ecdsa-sha2-nistp256@openssh.com',
          'nistp256',
          Buffer.concat([Buffer.of(4), left, right]),
          application,
        ];
  return Buffer.concat(fields.map(sshString));
}

/** Makes a person with a key in hardware; `flags` is what the key says about its touch. Source: PROTOCOL.u2f. */
export function hardwarePerson(name: string, type: 'ed25519' | 'ecdsa', flags = 1): Person {
  const { privateKey, publicKey } =
    type === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const blob = hardwareKey(type, publicKey);
  const typeName = blob.subarray(4, 4 + blob.readUInt32BE()).toString();
  const counter = Buffer.of(flags, 0, 0, 0, 7);
  return {
    name,
    key: `${typeName} ${blob.toString('base64')}`,
    sign: (text, namespace) => {
      const digest = createHash('sha512').update(text).digest();
      const message = Buffer.concat([
        Buffer.from('SSHSIG'),
        ...[namespace, '', 'sha512', digest].map(sshString),
      ]);
      const sha = (part: string | Buffer) => createHash('sha256').update(part).digest();
      const signed = Buffer.concat([sha('ssh:'), counter, sha(message)]);
      const made = type === 'ed25519' ? sign(null, signed, privateKey) : ecdsa(signed, privateKey);
      return armored(
        blob,
        namespace,
        Buffer.concat([sshString(typeName), sshString(made), counter]),
      );
    },
  };
}

function ecdsa(signed: Buffer, key: KeyObject): Buffer {
  const both = sign('sha256', signed, { key, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([both.subarray(0, 32), both.subarray(32)].map((n) => sshString(mpint(n))));
}

function mpint(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = bytes.subarray(first);
  return (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short;
}

export function armored(
  blob: Buffer,
  namespace: string,
  signature: Buffer,
  hash = 'sha512',
): string {
  const version = Buffer.of(0, 0, 0, 1);
  const body = Buffer.concat([
    Buffer.from('SSHSIG'),
    version,
    ...[blob, namespace, '', hash, signature].map(sshString),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN SSH SIGNATURE-----\n${lines.join('\n')}\n-----END SSH SIGNATURE-----\n`;
}

export const fleet = 'example';
export const day = 86_400_000;
export const start = Date.parse('2027-01-01T00:00:00.000Z');
export const at = (days: number): string => new Date(start + days * day).toISOString();

export const plain = ({ name, key }: NamedKey): NamedKey => ({ name, key });

export const trustOf = (
  version: number,
  people: readonly Person[],
  more: Partial<TrustDocument> = {},
): TrustDocument => ({
  format: 1,
  fleet,
  version,
  threshold: 1,
  people: people.map(plain),
  controllers: [],
  expires: at(365),
  ...more,
});

export const signedTrust = (trust: TrustDocument, ...signers: readonly Person[]): Envelope =>
  signed(documentText(trust), signers, namespaces.trust);

export const signed = (
  document: string,
  signers: readonly Person[],
  namespace: string,
): Envelope => ({ document, signatures: signers.map((each) => each.sign(document, namespace)) });

export const headFields = (more: Partial<ReleaseHead> = {}): HeadFields => ({
  fleet,
  generation: 1,
  trust: 1,
  watchSeconds: 1800,
  failed: 0.02,
  silent: 0.1,
  large: false,
  issued: at(0),
  expires: at(90),
  ...more,
});

export const policyOf = (host: string): string =>
  `<bulkhead version="1"><!-- ${host} -->${'<tenant user="alice"/>'.repeat(20)}</bulkhead>\n`;

interface Made {
  readonly chain: readonly Envelope[];
  readonly signers: readonly Person[];
  readonly head?: Partial<ReleaseHead>;
  readonly hosts?: readonly string[];
  readonly policy?: (host: string) => string;
  readonly namespace?: string;
}

export const hosts = ['web-001', 'web-002', 'web-003', 'rs-01', 'rs-02'] as const;

/** Returns the bundles of a signed release, by host. */
export function bundles({
  chain,
  signers,
  head,
  hosts: names = hosts,
  policy = policyOf,
  namespace = namespaces.release,
}: Made): Map<string, string> {
  const release = makeRelease(
    headFields(head),
    names.map((name) => ({ policy: policy(name), hosts: [{ name, wave: 1 }] })),
  );
  const made = new Map<string, string>();
  eachBundle(
    { ...release, head: signed(release.head.document, signers, namespace) },
    chain,
    (host, bundle) => made.set(host, bundle),
  );
  return made;
}
