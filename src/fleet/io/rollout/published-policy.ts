/** The policy of a host in the directory that `fleet publish` has written. */
import { join } from 'node:path';
import { cannotRead, decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { limits, parseBundle, parseHost } from '../../core/parse.ts';
import { unpackPolicy } from '../release/packed.ts';

export interface PublishedPolicy {
  /** Hosts with the same one have the same policy. */
  readonly sha256: string;
  readonly text: string;
}

/** Reads a host's policy. Its signatures are not checked: hosts do that, and here it only says what is planned. */
export function readPublishedPolicy(
  directory: string,
  host: string,
): Result<PublishedPolicy, Problem> {
  const file = join(directory, 'hosts', `${host}.json`);
  const read = readBounded(file, limits.bundleChars);
  if (!read.ok) return read;
  const bundle = parseBundle(decodeText(read.value));
  if (!bundle.ok) return cannotRead(file, bundle.error);
  const document = parseHost(bundle.value.host.document);
  if (!document.ok) return cannotRead(file, document.error);
  const { policy, host: name } = document.value;
  if (name !== host) return cannotRead(file, { reason: `it is for the host "${name}"` });
  const text = unpackPolicy(bundle.value.policy, policy);
  return text === undefined
    ? cannotRead(file, { reason: 'its signed document describes another policy' })
    : ok({ sha256: policy.sha256, text });
}
