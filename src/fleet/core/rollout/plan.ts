/** A signed release as a controller rolls it out: its waves, and the bounds that people have signed. */
import type { ReleaseHead } from '../documents.ts';
import type { RolloutRecord } from './record.ts';

export interface RolloutPlan {
  readonly head: ReleaseHead;
  /** The hosts of each wave, the first one first. No wave is empty. */
  readonly waves: readonly (readonly string[])[];
}

/** A host, and the number of its wave as it is signed. */
export interface HostWave {
  readonly host: string;
  readonly wave: number;
}

/** Numbers that no host has are kept: records open waves by the numbers that hosts know. */
export function wavesOf(hosts: readonly HostWave[]): readonly (readonly string[])[] {
  const waves: string[][] = [];
  for (const { host, wave } of hosts) {
    while (waves.length < wave) waves.push([]);
    waves[wave - 1]?.push(host);
  }
  return waves;
}

export const releaseIn = ({ head }: RolloutPlan): RolloutRecord['release'] => ({
  trust: head.trust,
  generation: head.generation,
  root: head.root,
});

/** Whether a record is about the release of a plan. */
export const isAbout = ({ head }: RolloutPlan, { release }: RolloutRecord): boolean =>
  release.trust === head.trust &&
  release.generation === head.generation &&
  release.root === head.root;
