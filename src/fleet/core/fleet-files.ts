/**
 * The files in which people keep a fleet, next to `fleet.xml`:
 *
 *     trust.json    {"format":1,"chain":[…]}                       who may sign, every version
 *     release.json  {"format":1,"head":…,"hosts":[…],"policies":…}  the last release that was made
 */
import { isObject } from '../../../packages/base/json.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Envelope } from './documents.ts';
import { formatOne, list, text, type Field } from './fields.ts';
import { envelopeField, limits, parseShape } from './parse.ts';

/** A release: what people sign, and all that the hosts' bundles are made of. */
export interface Release {
  readonly head: Envelope;
  /** The hosts' documents, sorted by host. */
  readonly hosts: readonly string[];
  /** The policies, as base64 of zstd, by their hash: hosts with the same policy share one. */
  readonly policies: Readonly<Record<string, string>>;
}

/** The most characters of a file; a string of V8 has some more. */
export const fileCharsMax = 400 * 2 ** 20;
const versionsMax = 10_000;
const hostsMax = 100_000;

const policies: Field<Readonly<Record<string, string>>> = {
  wanted: 'an object of texts',
  read: (value) =>
    isObject(value) && Object.values(value).every((each) => typeof each === 'string')
      ? (value as Record<string, string>)
      : undefined,
};

interface TrustFile {
  readonly format: 1;
  readonly chain: readonly Envelope[];
}

/** Reads `trust.json`. Its documents are still texts, which nobody has verified. */
export function parseTrustFile(json: string): Result<readonly Envelope[], Cause> {
  const parsed = parseShape<TrustFile>('file', json, {
    charsMax: fileCharsMax,
    shape: { format: formatOne, chain: list(envelopeField, 1, versionsMax) },
  });
  return parsed.ok ? ok(parsed.value.chain) : parsed;
}

export const trustFileText = (chain: readonly Envelope[]): string =>
  `${JSON.stringify({ format: 1, chain } satisfies TrustFile, undefined, 2)}\n`;

interface ReleaseFile extends Release {
  readonly format: 1;
}

/** Reads `release.json`. Nobody has verified whose release it is. */
export function parseReleaseFile(json: string): Result<Release, Cause> {
  const parsed = parseShape<ReleaseFile>('file', json, {
    charsMax: fileCharsMax,
    shape: {
      format: formatOne,
      head: envelopeField,
      hosts: list(text(limits.documentChars), 1, hostsMax),
      policies,
    },
  });
  if (!parsed.ok) return fail(parsed.error);
  const { format: _, ...release } = parsed.value;
  return ok(release);
}

export const releaseFileText = ({ head, hosts, policies }: Release): string =>
  `${JSON.stringify({ format: 1, head, hosts, policies } satisfies ReleaseFile, undefined, 1)}\n`;
