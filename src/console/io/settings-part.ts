/**
 * Hands the front its part of the policy, its certificate and the key. The front cannot open these files; it connects to a
 * socket of its own, which no request of a visitor reaches, and gets a line of JSON whenever something has changed.
 *
 *     {"names":["limits.example"],"frames":[],"tls":{"certificate":"-----BEGIN …","key":"-----BEGIN …"}}
 */
import { chmodSync, chownSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { failed, formatProblem } from '../../../packages/base/problem.ts';
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { reportOnce, type Report } from '../../host/reconcile/report-once.ts';
import { consoleSettingsSocketOf, type Paths } from '../../host/paths.ts';
import type { Account } from '../../policy/accounts/account.ts';
import type { ConsoleSettings } from '../../policy/elements/console-settings.ts';
import type { Policy } from '../../policy/policy.ts';
import { followFiles } from '../../sys/files/follow-files.ts';
import { peerUid } from '../../sys/sockets/sockets.ts';
import { findFrontAccount } from './account.ts';
import { readCertificate, type CertificatePair } from './certificate.ts';

const connectionsMax = 16;

export const settingsPart = (paths: Paths, log: Pick<Log, 'info' | 'warn'>): AgentPart =>
  new SettingsPart(paths, log);

class SettingsPart implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Pick<Log, 'info' | 'warn'>;
  readonly #report: Report;
  readonly #open = new Set<Socket>();
  #server: Server | undefined;
  #settings: ConsoleSettings = { names: [], frames: [] };
  #files = '';
  #followed: Disposable | undefined;
  /** The last pair that could be used. */
  #pair: CertificatePair | undefined;
  #sent = '';
  #account: Account | undefined;

  constructor(paths: Paths, log: Pick<Log, 'info' | 'warn'>) {
    this.#paths = paths;
    this.#log = log;
    this.#report = reportOnce((text) => log.warn(text));
  }

  adopt({ console: settings = { names: [], frames: [] } }: Policy): void {
    this.#settings = settings;
    this.#follow();
    this.#publish();
    this.#account = findFrontAccount(this.#paths);
    if (this.#server === undefined) this.#server = this.#listen();
    else this.#own();
  }

  #follow(): void {
    const { tls } = this.#settings;
    const files = tls === undefined ? [] : [tls.certificate, tls.key];
    if (files.join('\n') === this.#files) return;
    this.#files = files.join('\n');
    this.#pair = undefined;
    this.#followed?.[Symbol.dispose]();
    this.#followed = files.length === 0 ? undefined : followFiles(files, () => this.#publish());
  }

  #publish(): void {
    this.#readPair();
    const { names, frames } = this.#settings;
    const line = `${JSON.stringify({ names, frames, tls: this.#pair })}\n`;
    if (line === this.#sent) return;
    this.#sent = line;
    for (const socket of this.#open) socket.write(line);
  }

  /** Reads the certificate; one that cannot be used leaves the one before in force. */
  #readPair(): void {
    const { tls } = this.#settings;
    if (tls === undefined) return;
    const read = readCertificate(tls);
    const { ok: isGood } = read;
    if (isGood) {
      if (this.#pair !== undefined && this.#pair.certificate !== read.value.certificate)
        this.#log.info(`Console: ${tls.certificate} is a new certificate`);
      this.#pair = read.value;
      this.#report(read);
      return;
    }
    const kept =
      this.#pair === undefined
        ? 'the console does not listen on the network'
        : 'the certificate before it stays in force';
    this.#report(failed({ ...read.error, reason: `${read.error.reason}; ${kept}` }));
  }

  #listen(): Server {
    const path = consoleSettingsSocketOf(this.#paths);
    const server = createServer((socket) => this.#admit(socket));
    const object = path;
    server.on('error', (error) =>
      this.#log.warn(formatProblem({ action: 'listen on', object, ...causeOf(error) })),
    );
    rmSync(path, { force: true });
    server.listen({ path, backlog: connectionsMax }, () => this.#own());
    return server;
  }

  /** Lets the front connect, and nobody else; the account may have been made meanwhile. */
  #own(): void {
    const path = consoleSettingsSocketOf(this.#paths);
    try {
      chmodSync(path, 0o600);
      chownSync(path, this.#account?.uid ?? 0, 0);
    } catch (error) {
      this.#log.warn(formatProblem({ action: 'give away', object: path, ...causeOf(error) }));
    }
  }

  #admit(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
    const uid = fd < 0 ? undefined : peerUid(fd);
    // The file keeps others away; the kernel's word counts all the same.
    const isFront = uid === 0 || (uid !== undefined && uid === this.#account?.uid);
    if (!isFront || this.#open.size >= connectionsMax) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    socket.resume();
    socket.write(this.#sent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#followed?.[Symbol.dispose]();
    this.#server?.close();
    for (const socket of this.#open) socket.destroy();
  }
}
