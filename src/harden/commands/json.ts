/** The values that `bulkhead harden` prints with `--json`. Schemas are generated from these types. */
import type { SecurityItem } from '../../../packages/base/security-item.ts';
import type { ValueChange } from '../core/plan.ts';

/** The settings that were changed, or with `--dry-run` would be. */
export interface HardenEnableJson {
  /** The settings and their values. */
  readonly changed: readonly ValueChange[];
  /** The file that sets them at boot. */
  readonly file: string;
  /** The text of the file before; null if there was none. */
  readonly before: string | null;
  /** The text of the file afterwards; null if there is none. */
  readonly after: string | null;
  /** Notes for people. */
  readonly notes: readonly string[];
  readonly dryRun: boolean;
}

/** The settings that were set back, or with `--dry-run` would be. */
export type HardenDisableJson = HardenEnableJson;

/** The state of each setting. */
export interface HardenStatusJson {
  /** The file that sets them at boot. */
  readonly file: string;
  /** The settings. */
  readonly items: readonly HardenItem[];
}

export interface HardenItem extends Pick<SecurityItem, 'item' | 'key' | 'verdict'> {
  /** The value now; null if it is unknown. */
  readonly now: string | null;
  /** The recommended value; null if there is none. */
  readonly wanted: string | null;
  /** The value that `enable` has set; null if it has set none. */
  readonly set: string | null;
  /** The value before `enable`; null if it has set none. */
  readonly before: string | null;
}
