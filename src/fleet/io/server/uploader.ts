/**
 * Uploads the files that `bulkhead fleet publish` wrote, one for each host. Servers may lose all of them, so what is there
 * is compared again from time to time.
 */
import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { namesIn } from '../../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import { namePattern } from '../../core/fields.ts';
import { docRequest, docSubject, messageBytesMax } from '../../core/subjects.ts';
import { lastMessage } from '../nats/last-message.ts';

/** Hosts that are looked at together. */
const together = 32;

export class Uploader {
  readonly #directory: string;
  readonly #warn: (text: string) => void;
  readonly #timeout: number;
  /** The files whose text the servers have, by their size and time. */
  #there = new Map<string, string>();
  /** Whether it is known which files the servers have. */
  #isCompared = false;

  /** `timeout`: the time in which a server must answer, in milliseconds. */
  constructor(directory: string, warn: (text: string) => void, timeout: number) {
    this.#directory = directory;
    this.#warn = warn;
    this.#timeout = timeout;
  }

  /** Compares all files again from now on. */
  forget(): void {
    this.#there = new Map();
    this.#isCompared = false;
  }

  /** Uploads what has changed. Returns the number of messages. Throws the client's errors. */
  async upload(connection: NatsConnection): Promise<number> {
    const hosts = namesIn(this.#directory).flatMap((file) => {
      const host = file.endsWith('.json') ? file.slice(0, -'.json'.length) : '';
      return namePattern.test(host) ? [host] : [];
    });
    let sent = 0;
    for (let at = 0; at < hosts.length; at += together) {
      const part = hosts.slice(at, at + together);
      const done = await Promise.all(part.map((host) => this.#uploadOne(connection, host)));
      sent += done.filter(Boolean).length;
    }
    return sent + (await this.#removeOthers(connection, new Set(hosts)));
  }

  async #uploadOne(connection: NatsConnection, host: string): Promise<boolean> {
    const path = join(this.#directory, `${host}.json`);
    const version = versionOf(path);
    if (version !== undefined && this.#there.get(host) === version) return false;
    const read = readBounded(path, messageBytesMax, { links: 'refuse' });
    if (!read.ok) {
      this.#warn(formatProblem(read.error));
      return false;
    }
    const text = decodeText(read.value);
    const isThere = (await lastMessage(connection, docRequest(host), this.#timeout)) === text;
    if (!isThere)
      await jetstream(connection, { timeout: this.#timeout }).publish(docSubject(host), text);
    if (version !== undefined) this.#there.set(host, version);
    return !isThere;
  }

  /** Removes the messages of hosts whose files are gone. A directory without any file is none that was published. */
  async #removeOthers(connection: NatsConnection, hosts: ReadonlySet<string>): Promise<number> {
    if (hosts.size === 0) return 0;
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const known = this.#isCompared ? [...this.#there.keys()] : await hostsOf(manager);
    const gone = known.filter((host) => !hosts.has(host));
    for (const host of gone) {
      await manager.streams.purge('DOCS', { filter: docSubject(host) });
      this.#there.delete(host);
    }
    this.#isCompared = true;
    return gone.length;
  }
}

/** Returns the hosts whose files the servers have, also those of an earlier run. */
async function hostsOf(manager: JetStreamManager): Promise<readonly string[]> {
  const { state } = await manager.streams.info('DOCS', { subjects_filter: docSubject('*') });
  return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(docSubject('').length));
}

function versionOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat && `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}
