/**
 * The documents of a fleet. Their exact text is signed or hashed, so each is kept and passed on as the text that came,
 * and never written anew from its parsed value.
 *
 *     trust ──signed by people──▶ release head ──Merkle root──▶ host document ──SHA-256──▶ policy
 */

/** The namespaces of SSH signatures: a signature of one kind of document is none of another. */
export const namespaces = {
  trust: 'bulkhead-fleet-trust@1',
  release: 'bulkhead-fleet-release@1',
  rollout: 'bulkhead-fleet-rollout@1',
} as const;
export type Namespace = (typeof namespaces)[keyof typeof namespaces];

/** A document with its signatures. */
export interface Envelope {
  /** The exact text that is signed. */
  readonly document: string;
  /** SSH signatures in their armor, as `ssh-keygen -Y sign` writes them. */
  readonly signatures: readonly string[];
}

export interface NamedKey {
  readonly name: string;
  /** The public key as in `authorized_keys`, without options and comment: `ssh-ed25519 AAAA…`. */
  readonly key: string;
}

/** The people who may sign. Version 1 is trusted as it came; each later one is signed by the one before and by itself. */
export interface TrustDocument {
  readonly format: 1;
  readonly fleet: string;
  readonly version: number;
  /** The number of different people that must sign. */
  readonly threshold: number;
  readonly people: readonly NamedKey[];
  readonly controllers: readonly NamedKey[];
  /** An ISO time in UTC. */
  readonly expires: string;
}

/** A release: one generation of the policies of all hosts. */
export interface ReleaseHead {
  readonly format: 1;
  readonly fleet: string;
  readonly generation: number;
  /**
   * The version of the trust that people signed under. Releases are ordered by it first, so that a new version ends
   * what stolen keys have done to the numbers.
   */
  readonly trust: number;
  /** The root of the Merkle tree of the hosts' documents, in hexadecimal. */
  readonly root: string;
  /** The number of hosts. */
  readonly hosts: number;
  /** The seconds for which each host watches its tenants after it has applied. */
  readonly watchSeconds: number;
  /** The part of a wave's hosts that may fail, 0 to 1. */
  readonly failed: number;
  /** The part of a wave's hosts that may be silent, 0 to 1. */
  readonly silent: number;
  /** Whether people have agreed to a large change. */
  readonly large: boolean;
  /** ISO times in UTC. */
  readonly issued: string;
  readonly expires: string;
}

/** One host's part of a release. */
export interface HostDocument {
  readonly format: 1;
  readonly fleet: string;
  readonly host: string;
  readonly generation: number;
  readonly policy: {
    /** SHA-256 of the plain policy in UTF-8, in hexadecimal. */
    readonly sha256: string;
    readonly bytes: number;
  };
  /** The number of its wave, from 1 on. */
  readonly wave: number;
}

/** The way from a leaf to the root, from below: on which side the other half is, and its hash in base64url. */
export type MerkleProof = readonly string[];

/** All that a host needs, in one file, so that it cannot get parts of two releases. */
export interface HostBundle {
  readonly format: 1;
  /** All versions of the trust from the first on. */
  readonly trust: readonly Envelope[];
  readonly head: Envelope;
  readonly host: { readonly document: string; readonly proof: MerkleProof };
  /** The plain policy, as base64 of zstd. */
  readonly policy: string;
}
