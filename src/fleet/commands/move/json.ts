/** The value that `fleet move` prints with `--json`. Its schema is generated from this type. */

/** `bulkhead fleet move` */
export interface FleetMoveJson {
  /** The tenant that moves. */
  readonly tenant: string;
  /** The host that it leaves. */
  readonly from: string;
  /** The host to which it moves. */
  readonly to: string;
  /** `begin`: both hosts have the tenant now. `finish`: only the target has it. */
  readonly step: 'begin' | 'finish';
  /** Whether fleet.xml was written; false with `--dry-run`. */
  readonly written: boolean;
  /** The package of the tenant, which both hosts have, maybe with other limits; absent if its element names none. */
  readonly package?: string;
  /** Whether the target has room; null: unknown. */
  readonly fits: boolean | null;
  /** The reason why it has none, or why that is unknown; null if it has. */
  readonly why: string | null;
  /** The facts that nobody has checked. */
  readonly unchecked: readonly string[];
  /** The steps that remain, in their order. */
  readonly next: readonly string[];
}
