/**
 * The Merkle tree over the documents of a release's hosts: one signed root stands for all of them, and each host needs
 * only the way from its own document to the root. Source: RFC 6962, section 2.1.
 */
import { createHash } from 'node:crypto';
import type { MerkleProof } from '../../core/documents.ts';

/** A leaf and an inner node hash differently, so that neither can be passed off as the other. */
const prefixes = { leaf: Buffer.of(0), node: Buffer.of(1) };

const leafOf = (document: string) =>
  createHash('sha256').update(prefixes.leaf).update(document).digest();
const nodeOf = (left: Buffer, right: Buffer) =>
  createHash('sha256').update(prefixes.node).update(left).update(right).digest();

/** The levels of the tree, from the leaves to the root. */
export type MerkleTree = readonly (readonly Buffer[])[];

export function merkleTree(documents: readonly string[]): MerkleTree {
  const levels: Buffer[][] = [documents.map(leafOf)];
  for (let level = levels[0] ?? []; level.length > 1; levels.push(level)) level = above(level);
  return levels;
}

/** The last one of an odd number goes up as it is. */
const above = (level: readonly Buffer[]): Buffer[] =>
  Array.from({ length: Math.ceil(level.length / 2) }, (_, index) => {
    const [left, right] = [level[2 * index] as Buffer, level[2 * index + 1]];
    return right === undefined ? left : nodeOf(left, right);
  });

/** Returns the root in hexadecimal. */
export const rootOf = (tree: MerkleTree): string => tree.at(-1)?.[0]?.toString('hex') ?? '';

/** Returns the way from a document, by its index, to the root: `r` and `l` say on which side the other hash is. */
export function proofOf(tree: MerkleTree, index: number): MerkleProof {
  return tree.slice(0, -1).flatMap((level, height) => {
    const at = Math.floor(index / 2 ** height);
    const other = level[at % 2 === 0 ? at + 1 : at - 1];
    const side = at % 2 === 0 ? 'r' : 'l';
    return other === undefined ? [] : [`${side}${other.toString('base64url')}`];
  });
}

const step = /^(?<side>[lr])(?<hash>[\w-]{43})$/;

/** Returns the root that a document and its proof lead to, in hexadecimal; undefined if the proof is malformed. */
export function rootFrom(document: string, proof: MerkleProof): string | undefined {
  let hash = leafOf(document);
  for (const each of proof) {
    const { side, hash: other } = step.exec(each)?.groups ?? {};
    if (other === undefined) return undefined;
    const bytes = Buffer.from(other, 'base64url');
    hash = side === 'l' ? nodeOf(bytes, hash) : nodeOf(hash, bytes);
  }
  return hash.toString('hex');
}
