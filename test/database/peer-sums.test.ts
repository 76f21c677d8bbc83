/** The sums of clients by their sockets while servers come and go, with maps in memory: most kernels refuse the programs. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { u32le } from '../../packages/base/map-entry.ts';
import { threadStruct } from '../../src/database/core/peers/peer-maps.ts';
import { TenantShares, type PeerTotals } from '../../src/database/core/use/peer-use.ts';
import { peersSelfTest } from '../../src/database/io/peers/self-test.ts';
import { SocketPeers } from '../../src/database/io/peers/socket-peers.ts';
import type { Libbpf } from '../../src/sys/bpf/libbpf.ts';
import { BpfMap } from '../../src/sys/bpf/maps.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const names = ['servers', 'threads', 'used'] as const;
const ENOENT = -2;

/** Maps with the order of their keys, as the kernel lists them: after a key that is no more, from the first one. */
class Maps {
  readonly entries = names.map(() => new Map<string, Uint8Array>());
  /** Called for each key that is listed. */
  onListed: (key: string) => void = () => {};

  of(name: (typeof names)[number]): Map<string, Uint8Array> {
    return this.entries[names.indexOf(name)]!;
  }

  mapOf(name: string): BpfMap {
    const lib: Partial<Libbpf> = {
      bpf_map_lookup_elem: (fd: number, key: Uint8Array, value: Uint8Array) => {
        const found = this.entries[fd]!.get(hex(key));
        value.set(found ?? []);
        return found === undefined ? ENOENT : 0;
      },
      bpf_map_update_elem: (fd: number, key: Uint8Array, value: Uint8Array) => {
        this.entries[fd]!.set(hex(key), value);
        return 0;
      },
      bpf_map_delete_elem: (fd: number, key: Uint8Array) =>
        this.entries[fd]!.delete(hex(key)) ? 0 : ENOENT,
      bpf_map_get_next_key: (fd: number, key: Uint8Array | null, next: Uint8Array) => {
        const keys = [...this.entries[fd]!.keys()];
        const found = keys[key === null ? 0 : keys.indexOf(hex(key)) + 1];
        if (found === undefined) return ENOENT;
        next.set(Buffer.from(found, 'hex'));
        this.onListed(found);
        return 0;
      },
    };
    return BpfMap.ofObject(lib as Libbpf, names.indexOf(name as (typeof names)[number]));
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

const alice = 1001;
const server = { pid: 4_194_303, started: 7n, forks: false };

/** Sets what a client of the server has used, in milliseconds. */
function use(maps: Maps, milliseconds: number): void {
  const sum = Buffer.alloc(8);
  sum.writeBigUInt64LE(BigInt(milliseconds) * 1_000_000n);
  maps.of('used').set(hex(u32le(server.pid, alice)), sum);
}

const peersOn = (maps: Maps) =>
  new SocketPeers({ mapOf: (name) => maps.mapOf(name), [Symbol.dispose]: () => {} });

test('a server that did not answer for a moment takes nothing back from its tenants', () => {
  const maps = new Maps();
  const peers = peersOn(maps);
  const shares = new TenantShares();
  const divide = () => {
    const use = { isAll: true, used: new Map(), events: new Map(), peers: peers.read(server) };
    return shares.divide(use, () => undefined).get(alice) ?? 0;
  };
  peers.watch([server]);
  divide();
  use(maps, 3_600_000);
  assert.equal(divide(), 3_600_000_000);
  peers.watch([]);
  assert.equal(maps.of('used').size, 0);
  peers.watch([server]);
  use(maps, 20);
  assert.equal(divide(), 0);
  use(maps, 50);
  assert.equal(divide(), 30_000);
});

test('a thread that ends while the threads are listed makes no other one count twice', () => {
  const maps = new Maps();
  const peers = peersOn(maps);
  peers.watch([server]);
  // Its CPU time is not zero; the others are no threads.
  const [own, ended, last] = [process.pid, 4_194_301, 4_194_302];
  for (const tid of [own, ended, last]) {
    const value = new Uint8Array(threadStruct.size);
    value.set(u32le(server.pid, alice), threadStruct.field('server').offset);
    maps.of('threads').set(hex(u32le(tid)), value);
  }
  const usedBy = (read: PeerTotals | undefined) => read?.tenants.get(alice) ?? 0;
  const before = usedBy(peers.read(server));
  assert.ok(before > 0);
  maps.onListed = (key) => {
    if (key === hex(u32le(ended))) maps.of('threads').delete(key);
  };
  const now = usedBy(peers.read(server));
  assert.equal(maps.of('threads').size, 2);
  assert.ok(now < 1.5 * before, `${before} ${now}`);
});

test(
  'the self-test listens where nobody else can connect, and leaves nothing behind',
  { skip: process.getuid?.() === 0 ? false : 'it needs root' },
  (context) => {
    const runtime = testDirectory(context, 'peers-self-test');
    chmodSync(runtime, 0o755);
    const listening = () =>
      readFileSync('/proc/self/net/unix', 'utf8')
        .split('\n')
        .filter((line) => / 00010000 .*(?:peers-test-|@bulkhead-)/.test(line))
        .map((line) => line.split(' ').at(-1) ?? '');
    const before = new Set(listening());
    let tries = 0;
    const test = peersSelfTest(runtime, () => {
      tries += 1;
      const [own = '', ...others] = listening().filter((each) => !before.has(each));
      assert.ok(own.startsWith(`${runtime}/`), own);
      assert.deepEqual(others, []);
      assert.equal(statSync(dirname(own)).mode & 0o777, 0o700);
      assert.equal(statSync(dirname(own)).uid, 0);
    });
    const maps = new Maps();
    assert.match(
      test.run((name) => maps.mapOf(name))?.reason ?? '',
      /does not run them: a client was charged 0 of/,
    );
    assert.equal(tries, 1);
    assert.deepEqual(readdirSync(runtime), []);
    assert.equal(process.getuid?.(), 0);
    const nowhere = peersSelfTest(`${runtime}/absent`);
    assert.equal(nowhere.run((name) => maps.mapOf(name))?.errno, 'ENOENT');
  },
);
