/** Whether a host takes the history of a tenant that another host has exported. */
import type { Cause } from '../../../packages/base/problem.ts';
import type { HistoryFile } from './history-file.ts';

export interface TrustOptions {
  /** The fingerprint of the key that must have signed. */
  readonly key?: string;
  /** Whether nobody compared the key, or there is none. */
  readonly unverified?: boolean;
  readonly otherFleet?: boolean;
}

/** Returns why the file is not taken; `seal`: undefined if it has none. */
export function whyNotTrusted(
  { head }: Pick<HistoryFile, 'head'>,
  ownFleet: string | undefined,
  seal: { readonly isGenuine: boolean; readonly fingerprint: string } | undefined,
  { key, unverified, otherFleet }: TrustOptions,
): Cause | undefined {
  if (seal !== undefined && !seal.isGenuine)
    return { reason: 'its signature is wrong: somebody has changed it, or it is damaged' };
  if (seal === undefined && unverified !== true)
    return {
      reason: 'nobody has signed it',
      hint: 'if you know where it is from, pass --unverified',
    };
  if (seal === undefined) return undefined;
  if (head.fleet !== (ownFleet ?? null) && otherFleet !== true)
    return {
      reason: `it is from the fleet "${head.fleet ?? ''}", and this host is in ${ownFleet === undefined ? 'none' : `"${ownFleet}"`}`,
      hint: 'if that is right, pass --other-fleet',
    };
  if (unverified === true) return undefined;
  if (key === undefined)
    return {
      reason: `the key ${seal.fingerprint} has signed it, and nobody has compared it`,
      hint: 'pass --key with the fingerprint that the export printed',
    };
  if (key === seal.fingerprint) return undefined;
  return { reason: `the key ${seal.fingerprint} has signed it, not ${key}` };
}
