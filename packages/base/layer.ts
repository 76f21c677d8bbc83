/**
 * The layers of protection of a host: each limit, each entry path, each guard. One function decides the state of each, so
 * `doctor` and `setup` show the same.
 */
import type { LayerPart } from './layer-texts.ts';
import { count } from './list.ts';

/** All states, the best first. */
export const layerStates = [
  'enforced',
  'partly',
  'watched',
  'open',
  'unavailable',
  'unknown',
] as const;
/**
 *     enforced     in force for everybody that the policy names
 *     partly       in force for some of them, or weaker than it could be
 *     watched      reported, and not refused
 *     open         possible here, and not in force
 *     unavailable  not possible on this host
 *     unknown      the state could not be established
 */
export type LayerState = (typeof layerStates)[number];

export interface Layer {
  /** A stable name for scripts: `limit cpu`, `entry ssh`, `symlinks guard`. */
  readonly key: string;
  /** The state of the layer. */
  readonly state: LayerState;
  /** The reason for the state, in one line. */
  readonly reason: string;
  /** The parts of the reason, for programs that translate them; absent if it has no codes. */
  readonly reasons?: readonly LayerPart[];
  /** The command or page that raises the state, for people; absent if nothing does. */
  readonly improve?: string;
  /** The parts of `improve`, for programs that translate them; absent if it is a command. */
  readonly improves?: readonly LayerPart[];
  /** Whether a boot option would raise it (`needed`), or does so from the next boot (`written`); absent if none does. */
  readonly boot?: 'needed' | 'written';
  /** The number of reports since the layer watches; absent if it does not watch, or counts nothing. */
  readonly reported?: number | 'unknown';
  /** A text that changes with every new report, also where the number cannot rise; absent without reports. */
  readonly mark?: string;
}

const words: Readonly<Record<LayerState, string>> = {
  enforced: 'enforced',
  partly: 'in part',
  watched: 'watched',
  open: 'open',
  unavailable: 'not possible here',
  unknown: 'unknown',
};

export const wordOf = (state: LayerState): string => words[state];

/** Returns the word for a layer, which names the reboot if that is what raises it. */
export function wordOfLayer({ state, boot }: Pick<Layer, 'state' | 'boot'>): string {
  if (state !== 'unavailable' || boot === undefined) return wordOf(state);
  return boot === 'needed' ? 'needs a reboot' : 'at the next reboot';
}

/** The number of layers in each state. */
export interface LayerCounts {
  /** Layers in force for everybody that the policy names. */
  readonly enforced: number;
  /** Layers in force for some, or weaker than they could be. */
  readonly partly: number;
  /** Layers that report, and do not refuse. */
  readonly watched: number;
  /** Layers that are possible here, and not in force. */
  readonly open: number;
  /** Layers that are not possible on this host. */
  readonly unavailable: number;
  /** Layers whose state could not be established. */
  readonly unknown: number;
}

export function countLayers(layers: readonly Layer[]): LayerCounts {
  const counted = layerStates.map((state) => [
    state,
    layers.filter((each) => each.state === state).length,
  ]);
  return Object.fromEntries(counted) as Record<LayerState, number>;
}

/** Returns `12 layers: 7 enforced, 2 watched, 3 open`; states that no layer has are left out. */
export function formatScore(layers: readonly Layer[]): string {
  const sorted = layers.toSorted(
    (a, b) => layerStates.indexOf(a.state) - layerStates.indexOf(b.state),
  );
  const counts = new Map<string, number>();
  for (const each of sorted)
    counts.set(wordOfLayer(each), (counts.get(wordOfLayer(each)) ?? 0) + 1);
  const parts = [...counts].map(([word, number]) => `${number} ${word}`);
  return `${count(layers.length, 'layer')}: ${parts.join(', ')}`;
}
