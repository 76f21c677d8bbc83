/** The API over TCP, for programs that cannot open a unix socket, such as Prometheus. */
import type { AgentSettings } from '../policy/settings.ts';
import { readSecret } from '../host/secret-file.ts';
import { reasonOf } from '../host/errno.ts';
import type { Api } from './routes.ts';
import type { Log } from './log.ts';
import { ControlServer } from './server.ts';

export class TcpDoor implements AsyncDisposable {
  readonly #api: Api;
  readonly #log: Log;
  #open: { readonly written: string; readonly server: ControlServer } | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(api: Api, log: Log) {
    this.#api = api;
    this.#log = log;
  }

  /** Opens, moves or closes it as the settings say. */
  follow(settings: AgentSettings): Promise<void> {
    this.#turn = this.#turn.then(() => this.#follow(settings));
    return this.#turn;
  }

  async #follow({ listen, tokenFile }: AgentSettings): Promise<void> {
    const token = tokenFile === undefined ? undefined : readSecret(tokenFile);
    if (listen !== undefined && token?.ok === false) this.#log.error(token.error);
    const secret = token?.ok === true ? token.value : undefined;
    const written = JSON.stringify([listen, secret]);
    if (this.#open?.written === written) return;
    await this.#close();
    if (listen === undefined || secret === undefined) return;
    const server = new ControlServer(this.#api);
    try {
      await server.listenOnTcp(listen.host, listen.port, secret);
      this.#open = { written, server };
      this.#log.info(`Serving metrics and the API on ${listen.host} port ${listen.port}`);
    } catch (error) {
      this.#log.error(
        `Cannot serve the API on ${listen.host} port ${listen.port}: ${reasonOf(error)}`,
      );
    }
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.server[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await this.#close();
  }
}
