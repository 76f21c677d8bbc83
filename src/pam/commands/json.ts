/** The values that `bulkhead pam` prints with `--json`. Schemas are generated from these types. */
import type { LoginView, TenantCounts } from '../core/view.ts';

/** The outcome of tenants' sessions for each PAM service. */
export interface PamStatusJson extends Omit<LoginView, 'tenants'> {
  /** The tenants in force; null if no policy is in force. */
  readonly tenants: TenantCounts | null;
  /** Notes for people. */
  readonly notes: readonly string[];
}

/** The files that were changed, or with `--dry-run` would be. */
export interface PamEnableJson {
  /** The files. */
  readonly changed: readonly PamFileChange[];
  /** Notes for people. */
  readonly notes: readonly string[];
  readonly dryRun: boolean;
}

/** The files that were changed, or with `--dry-run` would be. */
export type PamDisableJson = PamEnableJson;

export interface PamFileChange {
  readonly path: string;
  /** The text before; empty if there was no file. */
  readonly before: string;
  /** The text afterwards; empty if there is no file. */
  readonly after: string;
}
