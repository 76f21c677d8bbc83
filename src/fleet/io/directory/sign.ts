/** Signs documents with a person's own key, by `ssh-keygen`: agents and keys in hardware work, and we hold no key. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { privateDirectory } from '../../../../packages/base/io/private-directory.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { NamedKey, Namespace } from '../../core/documents.ts';
import { blobOf } from '../../core/parse.ts';
import { readSignature, verifySignature } from '../verify/ssh-signature.ts';
import { keyText, ownKeys, readPublicKey, type OwnKey } from './public-keys.ts';
import { runSsh } from './run-ssh.ts';

export interface Signer {
  readonly person: NamedKey;
  readonly key: OwnKey;
}

/** Returns which of the people signs here: with the named key, or with the first own key that the trust lists. */
export function findSigner(
  people: readonly NamedKey[],
  file: string | undefined,
): Result<Signer, Problem> {
  const keys = file === undefined ? ok(ownKeys()) : namedKey(file);
  if (!keys.ok) return keys;
  for (const key of keys.value) {
    const person = people.find((each) => blobOf(each) === key.blob);
    if (person !== undefined) return ok({ person, key });
  }
  const names = people.map(({ name }) => name).join(', ');
  return failed({
    action: 'sign',
    reason:
      file === undefined
        ? `none of your keys (ssh-agent, ~/.ssh) is one of ${names}`
        : `the key ${file} is not one of ${names}`,
    hint:
      file === undefined
        ? 'add the key to your ssh-agent, or name its file with --key'
        : '"bulkhead fleet trust show" lists the keys',
  });
}

function namedKey(file: string): Result<readonly OwnKey[], Problem> {
  const key = readPublicKey(file);
  if (!key.ok) return key;
  const own = file.endsWith('.pub') ? file.slice(0, -'.pub'.length) : file;
  return ok([{ ...key.value, ...(existsSync(own) && { file: own }) }]);
}

/** Returns the armored signature of a text, which is verified before it is used. */
export function signText(
  { person, key }: Signer,
  text: string,
  namespace: Namespace,
): Result<string, Problem> {
  using scratch = privateDirectory();
  const agentKey = join(scratch.path, 'key.pub');
  writeFileSync(agentKey, `${keyText(key)}\n`, { mode: 0o600 });
  const signed = runSsh(
    `sign as ${person.name} with`,
    'ssh-keygen',
    ['-Y', 'sign', '-q', '-f', key.file ?? agentKey, '-n', namespace],
    text,
  );
  if (!signed.ok) return signed;
  const read = readSignature(signed.value);
  const verified = read.ok ? verifySignature(read.value, text, namespace) : read;
  if (verified.ok) return signed;
  return failed({ action: `sign as ${person.name}`, ...verified.error });
}
