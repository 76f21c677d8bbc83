/**
 * The API over TCP, for programs that cannot open a unix socket, such as Prometheus.
 *
 * It listens on every loopback address or on none: if another process had the port on one of them,
 * a client that tries that address first would give it the token. Sockets on which a service
 * manager already listens are inherited.
 */
import type { InheritedSocket } from '../../../sys/sockets/inherited-sockets.ts';
import type { TcpStatus } from '../status-response.ts';
import {
  failed,
  formatProblem,
  type Cause,
  type Problem,
} from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { readSecret } from '../../../sys/files/secret-file.ts';
import type { AgentSettings } from '../../../policy/settings.ts';
import type { Log } from '../../log.ts';
import type { Api } from '../routes.ts';
import { ControlServer, type ListenTarget } from './server.ts';

type Listen = NonNullable<AgentSettings['listen']>;

interface Served {
  readonly server: ControlServer;
  readonly status: TcpStatus;
}

/** The pause before a retry: another process may have the port, and release it. */
const retryMilliseconds = 10_000;
const loopbacks = ['127.0.0.1', '::1'];

export class TcpListener implements AsyncDisposable {
  readonly #api: Api;
  readonly #log: Log;
  readonly #inherited: readonly InheritedSocket[];
  #open: (Served & { readonly written: string }) | undefined;
  #turn: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  /** The problem that was logged last. */
  #problem: string | undefined;

  constructor(api: Api, log: Log, inherited: readonly InheritedSocket[] = []) {
    this.#api = api;
    this.#log = log;
    this.#inherited = inherited;
  }

  /** Opens, moves or closes it according to the settings. */
  follow(settings: AgentSettings): Promise<void> {
    this.#turn = this.#turn.then(() => this.#follow(settings));
    return this.#turn;
  }

  async #follow(settings: AgentSettings): Promise<void> {
    const { listen, tokenFile } = settings;
    clearTimeout(this.#retry);
    const token = tokenFile === undefined ? undefined : readSecret(tokenFile);
    if (listen !== undefined && token?.ok === false) {
      this.#log.error(formatProblem(token.error));
    }
    const secret = token?.ok === true ? token.value : undefined;
    const written = JSON.stringify([listen?.host, listen?.port, secret]);
    if (this.#open?.written === written) return;
    await this.#close();
    if (listen === undefined || secret === undefined) return;
    const opened = await this.#listen(listen, secret);
    if (opened.ok) {
      this.#open = { written, ...opened.value };
      this.#problem = undefined;
      return;
    }
    const problem = formatProblem(opened.error);
    if (problem !== this.#problem) this.#log.error(problem);
    this.#problem = problem;
    this.#retry = setTimeout(() => void this.follow(settings), retryMilliseconds).unref();
  }

  get status(): TcpStatus | undefined {
    return this.#open?.status;
  }

  /** Returns a server on all of the addresses, or the reason for none. */
  async #listen(listen: Listen, secret: string): Promise<Result<Served, Problem>> {
    const server = new ControlServer(this.#api);
    const hosts = [...new Set([listen.host, ...loopbacks])];
    const addresses: string[] = [];
    let inherited = 0;
    for (const host of hosts) {
      const place = this.#place(host, listen.port);
      if ('fd' in place) inherited++;
      const listens = await server.listenOnTcp(place, secret);
      if (listens.ok) {
        addresses.push(host);
        continue;
      }
      if (host !== listen.host && isNoAddress(listens.error)) continue;
      await server[Symbol.asyncDispose]();
      return failed({
        ...listens.error,
        action: `serve the API on ${host} port ${listen.port}`,
        hint: 'it is served on no address, since whoever has that one could collect the token',
      });
    }
    const socketActivated = inherited === addresses.length;
    const how = socketActivated ? ', held by the service manager' : '';
    this.#log.info(
      `Serving metrics and the API on ${addresses.join(' and ')}, port ${listen.port}${how}`,
    );
    return ok({ server, status: { port: listen.port, addresses, socketActivated } });
  }

  #place(host: string, port: number): ListenTarget {
    const inherited = this.#inherited.find((each) => each.host === host && each.port === port);
    const fd = inherited?.copy();
    return fd === undefined ? { host, port } : { fd };
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.server[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#retry);
    await this.#turn;
    clearTimeout(this.#retry);
    await this.#close();
  }
}

/** Whether the address does not exist here, for example because IPv6 is disabled. */
const isNoAddress = ({ errno }: Cause) => errno === 'EADDRNOTAVAIL' || errno === 'EAFNOSUPPORT';
