/** A document with its signature by the host's own key, which only root of that host has. */
import type { Cause } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { formatOne, text, type Shape } from '../fields.ts';
import { parseShape } from '../parse.ts';

/** The kinds of documents that a host signs: a signature of one kind of document is none of the other. */
export const hostNamespaces = {
  status: 'bulkhead-fleet-status@1',
  events: 'bulkhead-fleet-events@1',
  answer: 'bulkhead-fleet-answer@1',
  history: 'bulkhead-fleet-history@1',
} as const;
export type HostNamespace = (typeof hostNamespaces)[keyof typeof hostNamespaces];

export interface SignedByHost {
  readonly format: 1;
  /** The public key: Ed25519, in base64url. */
  readonly key: string;
  readonly signature: string;
  /** The exact text that is signed, after the namespace and a line feed. */
  readonly document: string;
}

const charsMax = 160 * 2 ** 10;

const shape: Shape<SignedByHost> = {
  format: formatOne,
  key: text(64),
  signature: text(128),
  document: text(charsMax),
};

export const parseSigned = (signed: string): Result<SignedByHost, Cause> =>
  parseShape('message of a host', signed, { charsMax, shape });

export const signedBytes = (namespace: HostNamespace, document: string): Buffer =>
  Buffer.from(`${namespace}\n${document}`);
