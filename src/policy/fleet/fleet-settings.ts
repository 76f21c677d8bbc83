/** `<fleet name="example" host="web-017" accept="limits tenants"/>`: the fleet to which a host belongs. */
import type { Span } from '../diagnostic.ts';
import type { AcceptWord, LocalWord } from './fleet-words.ts';

/** The fleet of a host, as its policy has it. */
export interface FleetSettings {
  readonly name: string;
  /** The host's name in the fleet. Absent in a policy that was rendered for a host: nothing lies below it. */
  readonly host?: string;
  /** The servers from which it fetches releases. */
  readonly from: readonly string[];
  /** The words for what the fleet's policy may say. */
  readonly accept: readonly AcceptWord[];
  /** The words for what the host's own policy may say; absent: everything. */
  readonly local?: readonly LocalWord[];
}

export interface FleetElement extends Span {
  readonly settings: FleetSettings;
}
