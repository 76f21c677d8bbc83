/** Public keys as OpenSSH writes them: `ssh-ed25519 AAAA… comment`. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { namesIn } from '../../../../packages/base/io/read.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { readKey } from '../verify/ssh-keys.ts';
import { runSsh } from './run-ssh.ts';

export interface PublicKey {
  /** The key in base64. */
  readonly blob: string;
  readonly type: string;
  readonly comment: string;
}

/** A key that this person may be able to sign with. */
export interface OwnKey extends PublicKey {
  /** The file of its private half; undefined if the agent has it. */
  readonly file?: string;
}

export const keyText = ({ type, blob }: PublicKey): string => `${type} ${blob}`;

/** Returns the supported keys of a text with one key a line. */
function keysIn(text: string): readonly PublicKey[] {
  return text.split('\n').flatMap((line) => {
    const [, base64 = '', ...comment] = line.trim().split(/\s+/);
    const bytes = Buffer.from(base64, 'base64');
    const key = readKey(bytes);
    if (!key.ok) return [];
    return [{ blob: bytes.toString('base64'), type: key.value.type, comment: comment.join(' ') }];
  });
}

const fileBytesMax = 64 * 1024;

/** Reads one public key from a file that the person named: the public file, or the private one next to it. */
export function readPublicKey(path: string): Result<PublicKey, Problem> {
  const file = path.endsWith('.pub') ? path : `${path}.pub`;
  const bytes = readBounded(file, fileBytesMax);
  if (!bytes.ok) return bytes;
  const text = decodeText(bytes.value);
  const [key] = keysIn(text);
  if (key !== undefined) return ok(key);
  const [line = ''] = text.split('\n');
  const read = readKey(Buffer.from(line.split(/\s+/)[1] ?? '', 'base64'));
  const cause = read.ok ? { reason: 'it has no public key' } : read.error;
  return failed({ action: 'use the public key', object: file, ...cause });
}

/** Returns this person's keys: the agent's first, then the files of `~/.ssh`. */
export function ownKeys(): readonly OwnKey[] {
  const agent = runSsh('ask', 'ssh-add', ['-L']);
  const directory = join(homedir(), '.ssh');
  const files = namesIn(directory).filter((name) => /^id_.*\.pub$/.test(name));
  return [
    ...(agent.ok ? keysIn(agent.value) : []),
    ...files.flatMap((name) => {
      const read = readPublicKey(join(directory, name));
      return read.ok
        ? [{ ...read.value, file: join(directory, name.slice(0, -'.pub'.length)) }]
        : [];
    }),
  ];
}
