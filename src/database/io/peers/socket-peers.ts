/** The programs of `bpf/database.bpf.c`, held by this process: names servers to them, and reads what clients have used. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { u32le } from '../../../../packages/base/map-entry.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import type { BpfMap } from '../../../sys/bpf/maps.ts';
import { holdObject, type HeldObject } from '../../../sys/bpf/object.ts';
import { packageFile } from '../../../sys/package-files.ts';
import {
  nobodysUid,
  peersMapEntries,
  serverEntry,
  serversMax,
  threadStruct,
  threadsMax,
  tooManyPeers,
  usedBytes,
  usedMax,
  userStruct,
  type PeersRule,
  type ServerProcess,
} from '../../core/peers/peer-maps.ts';
import type { PeerTotals } from '../../core/use/peer-use.ts';
import { peersSelfTest } from './self-test.ts';

const tidBytes = 4;

interface Watched {
  readonly started: bigint;
  /** The time at which it was named: sums begin anew with each. */
  readonly since: bigint;
}

export class SocketPeers implements Disposable {
  readonly #object: HeldObject;
  readonly #servers: BpfMap;
  readonly #threads: BpfMap;
  readonly #used: BpfMap;
  readonly #watched = new Map<number, Watched>();
  /** Tells sums of these programs from sums of others. */
  readonly #name = crypto.randomUUID();

  /** Loads the programs, and tries them in the directory `runtime`. They count nothing until servers are named. */
  static load(
    rule: PeersRule,
    runtime: string,
    file = packageFile('dist/bpf/database.bpf.o'),
  ): Result<SocketPeers, Problem> {
    const action = "see database servers' clients by their sockets";
    const tooMany = tooManyPeers(rule);
    if (tooMany !== undefined) return failed({ ...tooMany, action });
    const test = peersSelfTest(runtime);
    const entries = [...peersMapEntries(rule), ...test.entries];
    const held = holdObject({ file, name: 'database', entries, prove: test.run });
    if (!held.ok) {
      const isRefused = held.error.errno === 'EPERM' && process.geteuid?.() === 0;
      const refused = { action, reason: 'this kernel refuses tracing programs' };
      return failed(isRefused ? refused : held.error);
    }
    const peers = new SocketPeers(held.value);
    peers.#forget(process.pid);
    return ok(peers);
  }

  /** Takes programs that are loaded. */
  constructor(object: HeldObject) {
    this.#object = object;
    this.#servers = object.mapOf('servers');
    this.#threads = object.mapOf('threads');
    this.#used = object.mapOf('used');
  }

  /** Counts for these servers, and no others. */
  watch(servers: readonly ServerProcess[]): void {
    const wanted = new Map(servers.slice(0, serversMax).map((each) => [each.pid, each]));
    for (const [pid, { started }] of this.#watched)
      if (wanted.get(pid)?.started !== started) this.#forget(pid);
    for (const each of wanted.values()) {
      if (this.#watched.has(each.pid)) continue;
      const [{ pid, started }, since] = [each, process.hrtime.bigint()];
      const { key, value } = serverEntry(each, since);
      if (this.#servers.set(key, value) === undefined) this.#watched.set(pid, { started, since });
    }
  }

  get watched(): readonly number[] {
    return [...this.#watched.keys()];
  }

  /** Returns what the clients of a server have used since it was named; undefined if it was not. */
  read({ pid, started }: ServerProcess): PeerTotals | undefined {
    const watched = this.#watched.get(pid);
    if (watched?.started !== started) return undefined;
    const tenants = new Map<number, number>();
    let others = 0;
    const add = (uid: number, nanoseconds: bigint) => {
      const microseconds = Number(nanoseconds) / 1000;
      if (uid === nobodysUid) others += microseconds;
      else tenants.set(uid, (tenants.get(uid) ?? 0) + microseconds);
    };
    // Before the sums: what a thread hands over meanwhile counts twice now, and the next time that much less.
    for (const { uid, nanoseconds } of this.#underWay(pid)) add(uid, nanoseconds);
    for (const key of this.#used.keys(userStruct.size, usedMax)) {
      const user = userStruct.read(key);
      if (user?.number('server') !== pid) continue;
      const sum = this.#used.get(key, usedBytes);
      if (sum !== undefined) add(user.number('uid'), sum.readBigUInt64LE());
    }
    return { name: `${this.#name} ${pid} ${watched.since}`, tenants, others };
  }

  /** Returns what the threads of a server have used for the clients that they work for now. */
  #underWay(pid: number): readonly { readonly uid: number; readonly nanoseconds: bigint }[] {
    return this.#threads.keys(tidBytes, threadsMax).flatMap((key) => {
      const value = this.#threads.get(key, threadStruct.size);
      const thread = value && threadStruct.read(value);
      if (thread?.number('server') !== pid) return [];
      const nanoseconds = threadCpu(key.readUInt32LE()) - thread.bigint('cpu');
      return nanoseconds > 0n ? [{ uid: thread.number('uid'), nanoseconds }] : [];
    });
  }

  #forget(pid: number): void {
    this.#watched.delete(pid);
    this.#servers.delete(u32le(pid));
    for (const key of this.#threads.keys(tidBytes, threadsMax)) {
      const value = this.#threads.get(key, threadStruct.size);
      if (value && threadStruct.read(value)?.number('server') === pid) this.#threads.delete(key);
    }
    for (const key of this.#used.keys(userStruct.size, usedMax))
      if (userStruct.read(key)?.number('server') === pid) this.#used.delete(key);
  }

  [Symbol.dispose](): void {
    this.#object[Symbol.dispose]();
  }
}

/** Returns the CPU time of a thread in nanoseconds; 0 if it has ended. Source: proc_pid_schedstat(5). */
function threadCpu(tid: number): bigint {
  const nanoseconds = readText(`/proc/${tid}/schedstat`)?.split(' ')[0] ?? '';
  return /^\d+$/.test(nanoseconds) ? BigInt(nanoseconds) : 0n;
}
