/** A server whose disk is full: what is published fails and says why, nothing that was confirmed is lost, and all arrives later. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { eventsSubject, statusSubject } from '../../../src/fleet/core/subjects.ts';
import { askServers } from '../../../src/fleet/io/nats/ask-servers.ts';
import { storeMessage } from '../../../src/fleet/io/nats/store-message.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { CourierStage } from './courier-stage.ts';
import { skipWithoutNats, startServers } from './servers.ts';

const needsRoot = process.geteuid?.() === 0 ? false : 'it needs root, to mount a disk';
const diskBytes = 64 * 2 ** 20;
const long = 'x'.repeat(8_000);

/** A file system of its own on a directory, which only processes in its mount namespace see. It ends with this process. */
class SmallDisk implements AsyncDisposable {
  readonly #directory: string;
  readonly #holder: ChildProcess;

  private constructor(directory: string, holder: ChildProcess) {
    this.#directory = directory;
    this.#holder = holder;
  }

  static async mount(directory: string): Promise<SmallDisk> {
    const script = `mount -t tmpfs -o size=${diskBytes} tmpfs "$0" && echo mounted && exec cat`;
    const holder = spawn('unshare', ['--mount', 'sh', '-c', script, directory], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    return new SmallDisk(directory, holder);
  }

  /** The command that runs another one with this disk. */
  get within(): readonly string[] {
    return ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`];
  }

  get #filler(): string {
    return join(`/proc/${this.#holder.pid}/root${this.#directory}`, 'filler');
  }

  fill(): void {
    const file = openSync(this.#filler, 'w');
    const bytes = Buffer.alloc(4096);
    assert.throws(() => {
      for (let written = 0; written <= diskBytes; written += bytes.length) writeSync(file, bytes);
    }, /ENOSPC/);
    closeSync(file);
  }

  free = (): void => rmSync(this.#filler);

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await ended;
  }
}

suite('servers with a small disk', { skip: skipWithoutNats || needsRoot }, () => {
  const started = new AsyncDisposableStack();
  after(() => started.disposeAsync());

  /** Starts servers, each with a disk of its own. */
  async function start(count: 1 | 3) {
    const disks: SmallDisk[] = [];
    const servers = started.use(
      await startServers(count, async (data) => {
        const disk = await SmallDisk.mount(data);
        disks.push(disk);
        return disk.within;
      }),
    );
    for (const disk of disks) started.use(disk);
    return { servers, disks };
  }

  test('one server: what does not fit is refused with the reason, and the rest is kept', async () => {
    const {
      servers,
      disks: [disk],
    } = await start(1);
    assert.ok(disk);
    const stage = new CourierStage(suiteDirectory('fleet-full'), 'bulkhead-fleet-full', servers);
    started.use(stage);
    await stage.start();
    stage.makeEvents(300);
    await stage.allArrived();
    await stage.centre.kill();
    stage.makeEvents(300);
    const connection = await servers.connect(servers.host('web-2'));
    const store = () => storeMessage(connection, eventsSubject('web-2'), long);
    const confirmed = await confirmedUntilFull(disk, store);
    await assert.rejects(store, /^Error: it is refused: .*no space left on device/);
    stage.makeEvents(300);
    disk.free();
    await store();
    const manager = await jetstreamManager(await servers.connect(servers.centre));
    const subject = eventsSubject('web-2');
    const { state } = await manager.streams.info('EVENTS', { subjects_filter: subject });
    assert.equal(state.subjects?.[subject], confirmed + 1);
    stage.centre.start();
    await stage.allArrived();
  });

  test('three servers: they store nothing until they are restarted, and then have what they confirmed', async () => {
    const { servers, disks } = await start(3);
    const connection = await servers.connect(servers.host('web-1'));
    const subject = eventsSubject('web-1');
    for (let each = 0; each < 50; each++) await storeMessage(connection, subject, long);
    for (const disk of disks) disk.fill();
    let confirmed = 50;
    const reason = await eventually('nothing is stored', async () => {
      try {
        await storeMessage(connection, subject, long, 2_000);
        confirmed += 1;
        return false;
      } catch (error) {
        const { message } = error as Error;
        return /none of the servers stores it/.test(message) && message;
      }
    });
    assert.match(reason, /their disk is or was full; ask "bulkhead fleet server check"/);
    const asked = await askServers(servers.system);
    assert.match(JSON.stringify(asked), /it is not healthy: JetStream/);
    for (const disk of disks) disk.free();
    // As bulkhead-fleet-nats-watch.service does.
    for (const server of servers.servers) {
      await server.kill();
      server.start();
    }
    await servers.healthy();
    const again = await servers.connect(servers.host('web-1'));
    await eventually('it is stored again', () =>
      storeMessage(again, statusSubject('web-1'), 'x', 5_000).then(
        () => true,
        () => false,
      ),
    );
    const manager = await jetstreamManager(await servers.connect(servers.centre));
    // A stream that has just lost its leader answers nothing.
    const { state } = await eventually('the stream answers', () =>
      manager.streams.info('EVENTS').catch(() => undefined),
    );
    assert.ok(state.messages >= confirmed, `${state.messages} of ${confirmed}`);
  });
});

/** Fills the disk, and stores messages until one is not confirmed. Returns the number of those that were. */
async function confirmedUntilFull(disk: SmallDisk, store: () => Promise<void>): Promise<number> {
  let confirmed = 0;
  for (; confirmed < 20; confirmed++) await store();
  disk.fill();
  await eventually('the disk is full', () =>
    store().then(
      () => {
        confirmed += 1;
        return false;
      },
      () => true,
    ),
  );
  return confirmed;
}
