/**
 * Hosts that follow a rollout over real servers: each gets its documents with its own credential, verifies them, lets the
 * state of a real host follow from them, and signs what it tells. Only the tenants are missing: the gate's verdict is given,
 * and a watch takes a few rounds.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import type { ReleaseHead, TrustDocument } from '../../../src/fleet/core/documents.ts';
import { responseOf } from '../../../src/fleet/core/response.ts';
import {
  followed,
  instructed,
  opened,
  whyClosed,
} from '../../../src/fleet/core/rollout/host-rollout.ts';
import {
  begun,
  heardOf,
  isRelease,
  judged,
  newState,
  watching,
  wentBack,
  type HostState,
} from '../../../src/fleet/core/states.ts';
import { secondsOf } from '../../../src/fleet/core/stopwatch.ts';
import { docRequest, recordRequest, statusSubject } from '../../../src/fleet/core/subjects.ts';
import { hostNamespaces } from '../../../src/fleet/core/told/signed.ts';
import { statusOf } from '../../../src/fleet/core/told/status-of.ts';
import { statusText } from '../../../src/fleet/core/told/status.ts';
import { lastMessage } from '../../../src/fleet/io/nats/last-message.ts';
import { readHostKey, type HostKey } from '../../../src/fleet/io/outbox/host-key.ts';
import { verifyBundle } from '../../../src/fleet/io/verify/verify-bundle.ts';
import { verifyRecord } from '../../../src/fleet/io/verify/verify-record.ts';
import { testFleet } from './servers.ts';

const roundMilliseconds = 200;
const roundSeconds = 30;
const requestMilliseconds = 10_000;
const given = 'root';

export interface FollowingHostParts {
  readonly name: string;
  readonly directory: string;
  readonly trust: TrustDocument;
  readonly connection: NatsConnection;
  /** Whether the gate fails, for a generation. */
  readonly isBad: (generation: number) => boolean;
}

export class FollowingHost {
  readonly name: string;
  /** The generations that were in force here. */
  readonly had = new Set<number>();
  /** The words of the records that counted here, each as `7 go 2`. */
  readonly words: string[] = [];
  state: HostState;
  readonly #parts: FollowingHostParts;
  readonly #key: HostKey;
  #release:
    | { readonly text: string; readonly head: ReleaseHead; readonly wave: number }
    | undefined;
  #seconds = 10;

  constructor(parts: FollowingHostParts) {
    this.#parts = parts;
    this.name = parts.name;
    mkdirSync(parts.directory, { recursive: true });
    const key = readHostKey(parts.directory);
    this.#key = key.ok ? key.value : assert.fail(JSON.stringify(key));
    this.state = newState(testFleet, this.name, this.#now());
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Servers may be away for a while.
      await this.#round().catch(() => undefined);
      await sleep(roundMilliseconds);
    }
  }

  #now() {
    return { boot: 'a', uptime: this.#seconds, at: Date.now() };
  }

  async #round(): Promise<void> {
    const { connection } = this.#parts;
    const bundle = await lastMessage(connection, docRequest(this.name));
    const record = await lastMessage(connection, recordRequest);
    this.#seconds += roundSeconds;
    if (bundle !== undefined) this.#take(bundle);
    if (record !== undefined) this.#follow(record);
    this.#act();
    await this.#tell();
  }

  #take(text: string): void {
    if (this.#release?.text === text) return;
    const { trust } = this.#parts;
    const known = { fleet: testFleet, host: this.name, trust, newest: this.state.newest };
    const now = this.#now();
    const verified = verifyBundle(text, known, now.at);
    assert.ok(verified.ok, JSON.stringify(verified));
    const { head, host } = verified.value;
    this.#release = { text, head, wave: host.wave };
    this.state = heardOf(this.state, { newest: head, given, isLed: true }, now);
  }

  #follow(text: string): void {
    const now = this.#now();
    const { newest } = this.state;
    const before = this.state.rollout?.record;
    const known = { fleet: testFleet, trust: this.#parts.trust, newest, record: before };
    const verified = verifyRecord(text, known, now.at);
    if (!verified.ok) return;
    const record = verified.value;
    const until = Date.parse(record.expires);
    this.state = followed(instructed(this.state, { record, until, given }, now), now);
    const word = `${record.release.generation} ${record.verdict} ${record.wave}`;
    if (this.words.at(-1) !== word) this.words.push(word);
  }

  #act(): void {
    const now = this.#now();
    this.state = wentBack(followed(this.state, now), now);
    const { current, ended } = this.state;
    if (current?.phase === 'watching') return this.#judge(current.release.generation);
    const { head, wave } = this.#release ?? {};
    if (head === undefined || wave === undefined) return;
    if ([current?.release, ended?.release].some((each) => isRelease(each, head))) return;
    if (whyClosed(this.state, head, wave, now) !== undefined) return;
    this.had.add(head.generation);
    const { watchSeconds } = head;
    this.state = watching(begun(opened(this.state, now), head, { watchSeconds }, now), now);
  }

  #judge(generation: number): void {
    const now = this.#now();
    const { current } = this.state;
    if (current === undefined) return;
    if (this.#parts.isBad(generation))
      this.state = judged(this.state, { kind: 'fail', reasons: ['memory kills tenants'] }, now);
    else if (secondsOf(current.watch, now) >= current.watchSeconds)
      this.state = judged(this.state, { kind: 'pass', without: [] }, now);
  }

  async #tell(): Promise<void> {
    const now = this.#now();
    const shown = responseOf({
      state: this.state,
      now,
      hasExpired: false,
      isChecking: false,
      isMember: true,
      from: [],
      isTooNew: false,
      isBroken: false,
      problems: [],
    });
    const status = statusOf(
      { ...shown, fleet: testFleet, host: this.name },
      {
        at: new Date(now.at).toISOString(),
        tenants: 300,
        faults24h: 0,
        outside: 0,
        events: null,
        room: null,
      },
    );
    const text = JSON.stringify(this.#key.sign(hostNamespaces.status, statusText(status)));
    const { connection } = this.#parts;
    await connection.request(statusSubject(this.name), text, { timeout: requestMilliseconds });
  }
}
