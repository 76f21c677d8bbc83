/**
 * The key that signs a repository. It is RSA: rpm of Enterprise Linux 8 and 9 reads no EdDSA key, and refuses SHA-1.
 */
import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from '../package/tools.ts';
import type { Job } from './site.ts';

export interface SigningKey {
  readonly fingerprint: string;
  /** The date of its creation, in seconds since 1970. */
  readonly created: number;
  /** gpg's directory. */
  readonly home: string;
  /** The public keys that clients get, in ASCII. */
  readonly ascii: string;
  /** The public keys in binary, which the apt of Debian 10 reads. */
  readonly binary: Buffer;
  /** Writes the public keys to `PATH.asc` and `PATH.gpg`. */
  readonly writeTo: (path: string) => void;
  /** Signs a file: `clear` puts the signature around the text, `detached` into a file of its own. */
  readonly sign: (how: 'clear' | 'detached', file: string, signed: string) => Promise<void>;
}

export interface KeyNames {
  readonly key: string;
  /** The key that will sign later. */
  readonly nextKey?: string | undefined;
}

const rsaBitsMin = 3072;

/**
 * Finds the key in gpg's directory; throws unless it can sign, and is valid until then. Clients get the next key with it,
 * if there is one.
 */
export async function openKey(
  job: Job,
  { key: name, nextKey }: KeyNames,
  until: number,
): Promise<SigningKey> {
  const home = process.env['GNUPGHOME'] ?? join(homedir(), '.gnupg');
  const gpg = (...args: readonly string[]) =>
    run(job, 'gpg', ['--batch', '--yes', '--no-tty', ...args], '/', { GNUPGHOME: home });
  const find = async (wanted: string) => {
    const list = ['--with-colons', '--fixed-list-mode', '--list-secret-keys', wanted];
    const printed = await gpg(...list).catch((error: unknown) => {
      throw new Error(`the key "${wanted}" is not in ${home}`, { cause: error });
    });
    return checkedKey(wanted, printed, until);
  };
  const { fingerprint, created } = await find(name);
  const next = nextKey === undefined ? [] : [(await find(nextKey)).fingerprint];
  const published = [fingerprint, ...next];
  const ascii = await gpg(
    '--armor',
    '--export-options',
    'export-minimal',
    '--export',
    ...published,
  );
  const binary = Buffer.from(armored(ascii), 'base64');
  return {
    fingerprint,
    created,
    home,
    ascii,
    binary,
    writeTo(path) {
      writeFileSync(`${path}.asc`, ascii);
      writeFileSync(`${path}.gpg`, binary);
    },
    async sign(how, file, signed) {
      const kind = how === 'clear' ? ['--clear-sign'] : ['--armor', '--detach-sign'];
      const by = ['--local-user', fingerprint, '--digest-algo', 'SHA512'];
      await gpg(...by, ...kind, '--output', signed, file);
    },
  };
}

/** Returns the base64 of an ASCII key, without its header and checksum. */
const armored = (ascii: string): string =>
  ascii
    .replace(/^-----BEGIN [^\n]*\n(?:[^\n]+: [^\n]*\n)*\n/, '')
    .replace(/\n(?:=[^\n]*\n)?-----END[^]*$/, '');

/**
 * Returns the fingerprint and the date of the only key in what gpg prints. gpg signs with no subkey that has expired (e)
 * or is revoked (r). Source: doc/DETAILS of GnuPG.
 *
 *     sec:u:4096:1:0123456789ABCDEF:1700000000:1800000000::u:::scESC:::+:::23::0:
 *     fpr:::::::::0123…:
 */
function checkedKey(name: string, printed: string, until: number) {
  const lines = printed.split('\n').map((line) => line.split(':'));
  const cannot = (reason: string) => new Error(`the key "${name}" ${reason}`);
  if (lines.filter(([kind]) => kind === 'sec').length !== 1)
    throw cannot('is not the only one of that name; give its fingerprint');
  if (lines.some(([kind, validity]) => kind === 'sec' && validity === 'r'))
    throw cannot('is revoked; name another');
  const isUsable = (kind = '', validity = '') =>
    kind === 'sec' || (kind === 'ssb' && validity !== 'e' && validity !== 'r');
  const signing = lines.filter(
    ([kind, validity, , , , , , , , , , uses = '']) =>
      isUsable(kind, validity) && uses.includes('s'),
  );
  if (signing.length === 0) throw cannot('has no valid part that can sign');
  for (const [, , bits, algorithm, id, , expires = ''] of signing) {
    if (algorithm !== '1' || Number(bits) < rsaBitsMin)
      throw cannot(
        `has to be RSA with ${rsaBitsMin} bits or more, since Enterprise Linux 8 and 9 know no others; ${id} is not`,
      );
    if (expires !== '' && Number(expires) < until)
      throw cannot('expires before the metadata that it would sign; extend it first');
  }
  return {
    fingerprint: lines.find(([kind]) => kind === 'fpr')?.[9] ?? '',
    created: Number(lines.find(([kind]) => kind === 'sec')?.[5]),
  };
}
