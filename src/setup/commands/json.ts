/** The values that the setup commands print with `--json`. Schemas are generated from these types. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Layer, LayerCounts } from '../../cli/layers/layer.ts';
import type { Answers } from '../core/answers.ts';
import type { HostLook } from '../core/look.ts';
import type { Quiet, StepRecord } from '../core/record.ts';
import type { Level } from '../core/levels.ts';

/** The host as setup found it, the answers, and the steps. */
export interface SetupJson {
  /** What was found on the host. */
  readonly host: HostLook;
  readonly answers: Answers;
  /** Whether the steps were only planned. */
  readonly dryRun: boolean;
  readonly steps: readonly SetupStepJson[];
  /** The layers of protection afterwards. */
  readonly layers: readonly Layer[];
  /** The number of layers in each state. */
  readonly counts: LayerCounts;
  /** The steps that failed, and were undone. */
  readonly problems: readonly Problem[];
}

/** A step of the setup. */
export interface SetupStepJson {
  readonly key: string;
  readonly level: Level;
  readonly title: string;
  /** The files, units and reloads. */
  readonly changes: string;
  /** What customers notice. */
  readonly customers: string;
  /** The state of the step: left out, still to do, or done. */
  readonly state: 'left out' | 'to do' | 'done';
  /** The reason why it is left out; null if it is not. */
  readonly obstacle: string | null;
}

/** The ladder: every layer of protection, and what setup has done. */
export interface SetupStatusJson {
  /** The level that was asked for; null if setup has not run here. */
  readonly level: Level | null;
  /** What setup has done, by step. */
  readonly steps: Readonly<Record<string, StepRecord>>;
  readonly layers: readonly Layer[];
  /** The number of layers in each state. */
  readonly counts: LayerCounts;
  /** Layers that setup raised and that are not in force any more. */
  readonly slippedBack: readonly string[];
  /** What the watching layers have reported, by layer. */
  readonly quiet: Readonly<Record<string, Quiet>>;
}

/** The guards that refuse from now on, and those that still watch. */
export interface SetupNextJson {
  /** The layers that were raised. */
  readonly raised: readonly string[];
  /** The layers that still watch, and why. */
  readonly waiting: readonly WaitingLayer[];
  readonly problems: readonly Problem[];
}

/** A layer that still watches. */
export interface WaitingLayer {
  /** The layer. */
  readonly key: string;
  readonly reason: string;
}

/** What was undone, in that order. */
export interface SetupUndoJson {
  /** Whether nothing was undone, since it was only asked for. */
  readonly dryRun: boolean;
  readonly undone: readonly string[];
  readonly problems: readonly Problem[];
}
