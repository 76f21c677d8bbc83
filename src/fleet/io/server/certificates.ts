/** Certificates of a fleet's servers, made by OpenSSL, and the authority of their own that signs them. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { privateDirectory } from '../../../../packages/base/io/private-directory.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';

export interface ServerCertificate {
  /** Certificate and key, as PEM. */
  readonly certificate: string;
  readonly key: string;
}

/** The signer of the servers' certificates, as PEM. Whoever has its key can be a server. */
export type Authority = ServerCertificate;

/** Hosts have the authority in their credentials, so a new one means new credentials for all. */
const days = '3650';
const opensslTimeoutMs = 60_000;

export function makeAuthority(): Result<Authority, Problem> {
  using directory = privateDirectory();
  const at = (name: string) => join(directory.path, name);
  writeFileSync(at('ca.cnf'), authorityConfig);
  const made = openssl(
    ['req', '-x509', ...newKey(at('ca.key')), '-days', days],
    ['-config', at('ca.cnf'), '-out', at('ca.pem')],
  );
  return made.ok
    ? ok({
        certificate: readFileSync(at('ca.pem'), 'utf8'),
        key: readFileSync(at('ca.key'), 'utf8'),
      })
    : made;
}

/** Makes certificates for DNS names. Returns one for each, in their order. */
export function makeCertificates(
  authority: Authority,
  addresses: readonly string[],
): Result<readonly ServerCertificate[], Problem> {
  using directory = privateDirectory();
  const at = (name: string) => join(directory.path, name);
  const read = (name: string) => readFileSync(at(name), 'utf8');
  writeFileSync(at('request.cnf'), subject('Server of a fleet'));
  writeFileSync(at('ca.pem'), authority.certificate);
  writeFileSync(at('ca.key'), authority.key, { mode: 0o600 });
  const servers: ServerCertificate[] = [];
  for (const address of addresses) {
    const signed = sign(at, address);
    if (!signed.ok) return signed;
    servers.push({ certificate: read('tls.pem'), key: read('tls.key') });
  }
  return ok(servers);
}

function sign(at: (name: string) => string, address: string): Result<void, Problem> {
  writeFileSync(at('extensions.cnf'), extensionsOf(address));
  const request = openssl(
    ['req', '-new', ...newKey(at('tls.key'))],
    ['-config', at('request.cnf'), '-out', at('request.pem')],
  );
  if (!request.ok) return request;
  return openssl(
    ['x509', '-req', '-in', at('request.pem'), '-extfile', at('extensions.cnf'), '-days', days],
    ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-out', at('tls.pem')],
  );
}

const newKey = (file: string) => [
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:P-256',
  '-nodes',
  '-keyout',
  file,
];

const subject = (name: string) => `[req]
distinguished_name = name
prompt = no
x509_extensions = extensions
[name]
CN = ${name}
[extensions]
`;

const authorityConfig = `${subject('Servers of a fleet')}basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`;

/** A server is a client of the others. */
const extensionsOf = (address: string) => `basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:${address}
`;

function openssl(...args: readonly (readonly string[])[]): Result<void, Problem> {
  const { error, status, stderr } = spawnSync('openssl', args.flat(), {
    encoding: 'utf8',
    timeout: opensslTimeoutMs,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const action = 'make certificates with';
  if (error !== undefined) {
    const cause = causeOf(error);
    const hint = cause.errno === 'ENOENT' ? { hint: 'install openssl' } : {};
    return failed({ action, object: 'openssl', ...cause, ...hint });
  }
  if (status === 0) return ok(undefined);
  return failed({ action, object: 'openssl', reason: stderr.trim() || `it ended with ${status}` });
}
