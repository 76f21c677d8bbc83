/**
 * Has the kernel tell whose clients servers work for, while a policy has limits on them. A kernel that refuses it leaves
 * the servers' own counters, and the reason to `db status` and `doctor`.
 */
import { formatCause } from '../../../../packages/base/problem.ts';
import { readSubordinateUids } from '../../../host/accounts/subordinate-uids.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Policy } from '../../../policy/policy.ts';
import type { PeersRule, ServerProcess } from '../../core/peers/peer-maps.ts';
import type { PeerTotals } from '../../core/use/peer-use.ts';
import { writePeersRecord } from './record.ts';
import { SocketPeers } from './socket-peers.ts';

export class PeerWatch implements Disposable {
  readonly #paths: Paths;
  #peers: SocketPeers | undefined;
  #rule = '';
  #reason: string | null = null;
  #written = '';

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** Loads the programs for a policy with limits, if they have not been tried for the same tenants. */
  adopt(policy: Policy): void {
    const rule = ruleOf(policy, this.#paths);
    const text = JSON.stringify(rule);
    if (text === this.#rule) return;
    this.#drop();
    this.#rule = text;
    const loaded = SocketPeers.load(rule, this.#paths.runtime);
    if (loaded.ok) this.#peers = loaded.value;
    this.#reason = loaded.ok ? null : formatCause(loaded.error);
    this.#note();
  }

  /** Leaves out servers with a process for each connection: no socket tells for whom PostgreSQL's parallel workers work. */
  watch(servers: readonly ServerProcess[]): void {
    this.#peers?.watch(servers.filter(({ forks }) => !forks));
    this.#note();
  }

  read(server: ServerProcess): PeerTotals | undefined {
    return this.#peers?.read(server);
  }

  [Symbol.dispose](): void {
    this.#drop();
    writePeersRecord(this.#paths, undefined);
    this.#written = '';
  }

  #drop(): void {
    this.#peers?.[Symbol.dispose]();
    this.#peers = undefined;
    this.#rule = '';
  }

  #note(): void {
    const record = { reason: this.#reason, pids: this.#peers?.watched ?? [] };
    const text = JSON.stringify(record);
    if (text === this.#written) return;
    this.#written = text;
    writePeersRecord(this.#paths, record);
  }
}

function ruleOf(policy: Policy, paths: Paths): PeersRule {
  const tenants = policy.tenants.map(({ uid }) => uid).toSorted((a, b) => a - b);
  return { tenants, ranges: readSubordinateUids(paths, new Set(tenants)) };
}
