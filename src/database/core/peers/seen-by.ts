/** How the agent sees who uses a server, for people. */

/** `accounts`: by the server's counters of each account, and the CPU time of its threads. */
export type SeenBy =
  | { readonly by: 'socket' }
  | { readonly by: 'accounts'; readonly reason: string };

export const formatSeenBy = (seen: SeenBy): string =>
  seen.by === 'socket'
    ? 'tenants are seen by their sockets'
    : `tenants are seen by their accounts: ${seen.reason}`;
