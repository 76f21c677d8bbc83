/** The values that `network` commands print with `--json`. Their schemas are generated from these types. */
import type { HeldPart } from '../core/held.ts';

/** `bulkhead network status` */
export interface NetworkStatusJson {
  /** Whether the policy has anything about the network. */
  readonly isWanted: boolean;
  /** Whether programs are loaded. */
  readonly isLoaded: boolean;
  /** Why the programs cannot be relied on; null if they were tried just now, or none are wanted. */
  readonly problem: string | null;
  /** The parts of the policy, and how exactly each is held. */
  readonly parts: readonly HeldPart[];
  /** The devices that lead out, and how exactly sending waits there; none without a limit on sending. */
  readonly devices: readonly NetworkDeviceJson[];
  /** The tenants that are counted. */
  readonly tenants: number;
  /** Notes on the host. */
  readonly remarks: readonly string[];
}

/** A device that leads out. */
export interface NetworkDeviceJson {
  /** The name of the device. */
  readonly device: string;
  /** How exactly sending waits there. */
  readonly support: 'full' | 'partial' | 'none';
  /** The reason, in one line. */
  readonly reason: string;
}
