/** The values that the setup commands print with `--json`. Schemas are generated from these types. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Layer, LayerCounts } from '../../../packages/base/layer.ts';
import type { Answers } from '../core/answers.ts';
import type { HostLook } from '../core/look.ts';
import type { BootOptionState } from '../core/boot/state.ts';
import type { BootOptionName } from '../core/boot/option.ts';
import type { LoaderName } from '../core/boot/record.ts';
import type { Quiet, StepRecord } from '../core/record.ts';
import type { Level } from '../core/levels.ts';

/** The host as setup found it, the answers, and the steps. */
export interface SetupJson {
  /** The host as it was found. */
  readonly host: HostLook;
  /** The answers. */
  readonly answers: Answers;
  /** Whether the steps were only planned. */
  readonly dryRun: boolean;
  /** The steps, in their order. */
  readonly steps: readonly SetupStepJson[];
  /** The layers of protection afterwards. */
  readonly layers: readonly Layer[];
  /** The number of layers in each state. */
  readonly counts: LayerCounts;
  /** The steps that failed, and were undone. */
  readonly problems: readonly Problem[];
  /** Answers without effect, for people. */
  readonly notes: readonly string[];
}

/** A step of the setup. */
export interface SetupStepJson {
  /** The name of the step. */
  readonly key: string;
  /** The first level that includes it. */
  readonly level: Level;
  /** The purpose of the step, in one line. */
  readonly title: string;
  /** The files, units and reloads. */
  readonly changes: string;
  /** The effect that customers notice. */
  readonly customers: string;
  /** Whether it changes nothing, and only reports a result. */
  readonly reports: boolean;
  /** The state of the step: left out, still to do, or done. */
  readonly state: 'left out' | 'to do' | 'done';
  /** The reason why it is left out; null if it is not. */
  readonly obstacle: string | null;
  /** The result of a step that only reports, or the last remark on another; null without one. */
  readonly result: string | null;
}

/** The ladder: every layer of protection, and what setup has done. */
export interface SetupStatusJson {
  /** The level that was asked for; null if setup has not run here. */
  readonly level: Level | null;
  /** The steps that setup has begun, by name. */
  readonly steps: Readonly<Record<string, StepRecord>>;
  /** The layers of protection. */
  readonly layers: readonly Layer[];
  /** The number of layers in each state. */
  readonly counts: LayerCounts;
  /** Layers that setup raised and that are not in force any more. */
  readonly slippedBack: readonly string[];
  /** The reports of watching layers, by layer. */
  readonly quiet: Readonly<Record<string, Quiet>>;
}

/** The guards that refuse from now on, and those that still watch. */
export interface SetupNextJson {
  /** The layers that were raised. */
  readonly raised: readonly string[];
  /** The layers that still watch, and why. */
  readonly waiting: readonly WaitingLayer[];
  /** The layers that could not be raised, and why. */
  readonly problems: readonly Problem[];
}

/** A layer that still watches. */
export interface WaitingLayer {
  /** The layer. */
  readonly key: string;
  /** The reason why it waits. */
  readonly reason: string;
}

/** The steps that were undone, in that order. */
export interface SetupUndoJson {
  /** Whether nothing was undone, since it was only asked for. */
  readonly dryRun: boolean;
  /** The steps that were undone, or would be. */
  readonly undone: readonly string[];
  /** The steps that could not be undone; the same command continues. */
  readonly problems: readonly Problem[];
}

/** The boot options of this host, and the change of them. */
export interface SetupBootJson {
  /** Whether nothing was changed, since it was only asked for. */
  readonly dryRun: boolean;
  /** Whether an earlier change is undone. */
  readonly undo: boolean;
  /** The boot loader that is changed; null if none is. */
  readonly loader: LoaderName | null;
  /** The boot loaders that were found. */
  readonly loaders: readonly LoaderName[];
  /** The options, with what this host has of each. */
  readonly options: readonly BootOptionJson[];
  /** The words that the kernel's command line gets or loses. */
  readonly words: readonly string[];
  /** The files that are changed. */
  readonly files: readonly BootFileJson[];
  /** The commands that are run, each with its arguments. */
  readonly commands: readonly (readonly string[])[];
  /** The files that are there and that these commands write again, such as the entries of systemd-boot. */
  readonly rewritten: readonly string[];
  /** Whether the change was made. */
  readonly changed: boolean;
  /** Notes for people. */
  readonly notes: readonly string[];
}

/** A boot option. */
export interface BootOptionJson {
  /** The name of the option. */
  readonly name: BootOptionName;
  /** The gain, in one line. */
  readonly brings: string;
  /** The cost, in one line. */
  readonly cost: string;
  /** The state of the option on this host. */
  readonly state: BootOptionState;
  /** The reason for the state; null if there is nothing to say. */
  readonly reason: string | null;
  /** The words on the kernel's command line that bring it. */
  readonly words: readonly string[];
  /** The commands by which people bring it, if Bulkhead cannot. */
  readonly byHand: readonly string[];
}

/** A file that is changed. */
export interface BootFileJson {
  /** The path of the file. */
  readonly path: string;
  /** The text of before; empty if there is no file, or if an earlier change is undone. */
  readonly before: string;
  /** The wanted text; empty if an earlier change is undone. */
  readonly after: string;
}

/** The boot options after they were taken back. */
export type SetupBootUndoJson = SetupBootJson;
