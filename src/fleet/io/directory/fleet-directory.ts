/** The directory in which people keep a fleet, usually a repository of git. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { cannotRead, decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Envelope, TrustDocument } from '../../core/documents.ts';
import {
  fileCharsMax,
  parseReleaseFile,
  parseTrustFile,
  releaseFileText,
  trustFileText,
  type Release,
} from '../../core/fleet-files.ts';
import { parseTrust } from '../../core/parse.ts';
import { verifyTrust } from '../verify/verify-trust.ts';

export const fleetFiles = {
  policy: 'fleet.xml',
  trust: 'trust.json',
  release: 'release.json',
} as const;

/** Makes a directory if it is missing, in one that is there: Node makes no end of making several below /proc. */
export function makeDirectory(object: string): Result<void, Problem> {
  try {
    mkdirSync(object, 0o755);
    return ok(undefined);
  } catch (error) {
    const cause = causeOf(error);
    if (cause.errno === 'EEXIST') return ok(undefined);
    return failed({ action: 'create the directory', object, ...cause });
  }
}

/** The trust that people keep. */
export interface KeptTrust {
  /** All versions that enough people have signed, from the first on. */
  readonly chain: readonly Envelope[];
  /** The newest of them. */
  readonly trust: TrustDocument;
  /** The next version, which too few people have signed. */
  readonly next?: { readonly envelope: Envelope; readonly trust: TrustDocument };
}

export function readTrust(directory: string): Result<KeptTrust, Problem> {
  const file = join(directory, fleetFiles.trust);
  const text = readFile(file, 'run "bulkhead fleet init" first, or name the directory with -C');
  if (!text.ok) return text;
  const chain = parseTrustFile(text.value);
  return chain.ok ? keptTrust(file, chain.value) : cannotRead(file, chain.error);
}

function keptTrust(file: string, all: readonly Envelope[]): Result<KeptTrust, Problem> {
  const [first, ...later] = all as [Envelope, ...Envelope[]];
  const parsed = parseTrust(first.document);
  if (!parsed.ok) return cannotRead(file, parsed.error);
  let kept: KeptTrust = { chain: [first], trust: parsed.value };
  for (const [index, envelope] of later.entries()) {
    const next = parseTrust(envelope.document);
    if (!next.ok) return cannotRead(file, next.error);
    const verified = verifyTrust([envelope], kept.trust);
    if (verified.ok) {
      kept = { chain: [...kept.chain, envelope], trust: verified.value };
      continue;
    }
    if (verified.error.code !== 'trust-signatures' || index < later.length - 1)
      return cannotRead(file, verified.error);
    kept = { ...kept, next: { envelope, trust: next.value } };
  }
  return ok(kept);
}

export function writeTrust(directory: string, chain: readonly Envelope[]): Result<void, Problem> {
  return replaceFile(join(directory, fleetFiles.trust), trustFileText(chain));
}

/** Reads the last release that was made here; undefined if there is none. */
export function readRelease(directory: string): Result<Release | undefined, Problem> {
  const file = join(directory, fleetFiles.release);
  const text = readFile(file);
  if (!text.ok) return text.error.errno === 'ENOENT' ? ok(undefined) : text;
  const release = parseReleaseFile(text.value);
  return release.ok ? release : cannotRead(file, release.error);
}

export function writeRelease(directory: string, release: Release): Result<void, Problem> {
  return replaceFile(join(directory, fleetFiles.release), releaseFileText(release));
}

/** Reads the policy of the fleet. */
export const readFleetPolicy = (directory: string): Result<string, Problem> =>
  readFile(join(directory, fleetFiles.policy), 'run "bulkhead fleet init" first');

function readFile(file: string, hint?: string): Result<string, Problem> {
  const bytes = readBounded(file, fileCharsMax);
  if (bytes.ok) return ok(decodeText(bytes.value));
  const isHinted = hint !== undefined && bytes.error.errno === 'ENOENT';
  return isHinted ? cannotRead(file, { ...bytes.error, hint }) : bytes;
}
