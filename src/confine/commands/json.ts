/** The values that `bulkhead confine` prints with `--json`. Schemas are generated from these types. */
import type { DropInState } from '../core/drop-in.ts';

interface ConfinedService {
  /** The name that `confine` takes. */
  readonly service: string;
  /** The systemd unit. */
  readonly unit: string;
}

/** Exposures by systemd-analyze, from 0 (nothing is open) to 10; null if unknown. */
interface ExposuresJson {
  /** The exposure without the drop-in. */
  readonly exposure: number | null;
  /** The exposure with it. */
  readonly exposureConfined: number | null;
}

/** The change of one service's sandbox. */
export interface ConfineEnableJson extends ConfinedService, ExposuresJson {
  /** The drop-in. */
  readonly file: string;
  /** The text of the drop-in before; null if there was none. */
  readonly before: string | null;
  /** The text of the drop-in afterwards; null if there is none. */
  readonly after: string | null;
  /** Notes for people. */
  readonly notes: readonly string[];
  readonly dryRun: boolean;
}

/** The removal of one service's sandbox. */
export type ConfineDisableJson = ConfineEnableJson;

/** The installed services that can be confined. */
export interface ConfineListJson {
  /** The version of systemd. */
  readonly systemd: number;
  /** The services. */
  readonly services: readonly ConfineListRow[];
}

export interface ConfineListRow extends ConfinedService, ExposuresJson {
  /** A description of the service. */
  readonly does: string;
  /** The unit's state: `active`, `inactive`, `failed`, … */
  readonly active: string;
  /** The drop-in; `ours`: as Bulkhead wrote it. `changed`: edited since. `foreign`: not Bulkhead's. */
  readonly dropIn: DropInState;
  /** Whether the main process has the sandbox, according to the kernel. */
  readonly inForce: boolean;
}

/** The services that have a drop-in. */
export interface ConfineStatusJson {
  /** The services. */
  readonly services: readonly ConfineStatusRow[];
}

export interface ConfineStatusRow extends ConfinedService {
  /** The drop-in. */
  readonly file: string;
  /** The unit's state: `active`, `inactive`, `failed`, … */
  readonly active: string;
  /** The drop-in; `ours`: as Bulkhead wrote it. `changed`: edited since. `foreign`: not Bulkhead's. */
  readonly dropIn: DropInState;
  /** Whether the main process has the sandbox, according to the kernel. */
  readonly inForce: boolean;
  /** A note for people, or null. */
  readonly remark: string | null;
}
