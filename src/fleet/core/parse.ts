/**
 * Reads documents of a fleet, which anybody may have written. A document has one form only: the text that
 * `documentText` makes of its value. So nothing can be in it twice, under an unknown name, or read in two ways.
 */
import { isObject, parseObject } from '../../../packages/base/json.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import {
  formatOne,
  hash,
  list,
  name,
  object,
  part,
  person,
  publicKey,
  readShape,
  text,
  time,
  whole,
  yesNo,
  type Shape,
} from './fields.ts';
import { wavesMax, type RolloutRecord } from './rollout/record.ts';
import type {
  Envelope,
  HostBundle,
  HostDocument,
  NamedKey,
  ReleaseHead,
  TrustDocument,
} from './documents.ts';

export const limits = {
  /** Characters of a bundle: a policy of 16 MiB that does not compress, and the documents. */
  bundleChars: 24 * 2 ** 20,
  /** Characters of all documents in it, and the marks that begin or part values there. */
  documentsChars: 2 * 2 ** 20,
  marks: 50_000,
  documentChars: 64 * 2 ** 10,
  policyBytes: 16 * 2 ** 20,
  /** Versions of the trust in a bundle. */
  versions: 64,
  people: 32,
  signatures: 64,
  signatureChars: 8 * 2 ** 10,
  /** Levels of the Merkle tree: 16 million hosts. */
  levels: 24,
} as const;

const key = object<NamedKey>({ name: person, key: publicKey });

const trustShape: Shape<TrustDocument> = {
  format: formatOne,
  fleet: name,
  version: whole(1),
  threshold: whole(1, limits.people),
  people: list(key, 1, limits.people),
  controllers: list(key, 0, limits.people),
  expires: time,
};

const headShape: Shape<ReleaseHead> = {
  format: formatOne,
  fleet: name,
  generation: whole(1),
  trust: whole(1),
  root: hash,
  hosts: whole(1, 2 ** limits.levels),
  watchSeconds: whole(0, 7 * 86_400),
  failed: part,
  silent: part,
  large: yesNo,
  issued: time,
  expires: time,
};

const hostShape: Shape<HostDocument> = {
  format: formatOne,
  fleet: name,
  host: name,
  generation: whole(1),
  policy: object({ sha256: hash, bytes: whole(0, limits.policyBytes) }),
  wave: whole(1, wavesMax),
};

export const envelopeField = object<Envelope>({
  document: text(limits.documentChars),
  signatures: list(text(limits.signatureChars), 0, limits.signatures),
});

const documentsShape: Shape<Omit<HostBundle, 'policy'>> = {
  format: formatOne,
  trust: list(envelopeField, 1, limits.versions),
  head: envelopeField,
  host: object({
    document: text(limits.documentChars),
    proof: list(text(limits.documentChars), 0, limits.levels),
  }),
};

type Document = TrustDocument | ReleaseHead | HostDocument | RolloutRecord;

/** Returns the only text that a document with this value may have. */
export const documentText = (document: Document): string => JSON.stringify(document);

export function parseTrust(document: string): Result<TrustDocument, Cause> {
  const parsed = parseDocument('trust', document, trustShape);
  if (!parsed.ok) return parsed;
  const { people, controllers, threshold } = parsed.value;
  const keys = [...people, ...controllers];
  if (threshold > people.length)
    return fail({ reason: `the trust wants ${threshold} people to sign, and lists fewer` });
  if (isRepeated(people.map(({ name }) => name)) || isRepeated(keys.map(blobOf)))
    return fail({ reason: 'the trust lists a person or a key twice' });
  return parsed;
}

/** Returns the key in base64. The type before it says nothing more: the key has its type in it. */
export const blobOf = ({ key }: NamedKey): string => key.slice(key.indexOf(' ') + 1);

const isRepeated = (texts: readonly string[]) => new Set(texts).size < texts.length;

export const parseHead = (document: string): Result<ReleaseHead, Cause> =>
  parseDocument("release's head", document, headShape);

export const parseHost = (document: string): Result<HostDocument, Cause> =>
  parseDocument("host's document", document, hostShape);

/** Returns the format that a bundle claims to have; undefined if it does not begin as one. */
export function bundleFormat(bundle: string): number | undefined {
  const format = /^\{"format":(?<format>\d{1,9}),/.exec(bundle.slice(0, 40))?.groups?.['format'];
  return format === undefined ? undefined : Number(format);
}

const policyField = ',"policy":"';
const malformed = fail({ reason: 'the bundle is not in the form that Bulkhead writes' });

/**
 * Reads a bundle. Its documents are still texts, which nobody has verified. The policy is its last field and is not
 * parsed; what is before that is bounded, since a few megabytes of JSON can become a gigabyte of values.
 */
export function parseBundle(bundle: string): Result<HostBundle, Cause> {
  if (bundle.length > limits.bundleChars)
    return fail({ reason: `the bundle is longer than ${limits.bundleChars} characters` });
  if (bundleFormat(bundle) === undefined) return malformed;
  const end = bundle.lastIndexOf(policyField);
  // Another format may have other fields, but begins like this one.
  const documents = end === -1 ? bundle : `${bundle.slice(0, end)}}`;
  if (documents.length > limits.documentsChars || hasManyMarks(documents)) return malformed;
  const read = parseShape('bundle', documents, {
    charsMax: limits.documentsChars,
    shape: documentsShape,
  });
  if (!read.ok) return read;
  // Nothing is there twice: whoever only looks at a bundle sees what is verified here.
  if (JSON.stringify(read.value) !== documents) return malformed;
  const policy = /^(?<base64>[A-Za-z0-9+/]*={0,2})"\}\n?$/.exec(
    end === -1 ? '' : bundle.slice(end + policyField.length),
  )?.groups?.['base64'];
  return policy === undefined ? malformed : ok({ ...read.value, policy });
}

function hasManyMarks(json: string): boolean {
  let marks = 0;
  for (let at = 0; at < json.length; at++) if ('[{,:'.includes(json[at] ?? '')) marks++;
  return marks > limits.marks;
}

export function parseDocument<T extends Document>(
  kind: string,
  document: string,
  shape: Shape<T>,
): Result<T, Cause> {
  const parsed = parseShape(kind, document, { charsMax: limits.documentChars, shape });
  if (parsed.ok && documentText(parsed.value) !== document)
    return fail({ reason: `the ${kind} is not in the form that Bulkhead writes` });
  return parsed;
}

interface Parsing<T> {
  readonly charsMax: number;
  readonly shape: Shape<T>;
}

export function parseShape<T extends object>(
  kind: string,
  json: string,
  { charsMax, shape }: Parsing<T>,
): Result<T, Cause> {
  if (json.length > charsMax)
    return fail({ reason: `the ${kind} is longer than ${charsMax} characters` });
  const value = parseObject(json);
  if (!isObject(value)) return fail({ reason: `the ${kind} is not a JSON object` });
  const { format } = value;
  if (typeof format === 'number' && format > 1)
    return fail({
      reason: `the ${kind} has format ${format}, and this version of Bulkhead knows format 1`,
      hint: 'update Bulkhead',
    });
  const { value: read, problem = 'is malformed' } = readShape(value, shape);
  return read === undefined ? fail({ reason: `the ${kind} ${problem}` }) : ok(read);
}
