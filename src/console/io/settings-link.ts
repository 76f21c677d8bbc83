/** The front's end of settings-part.ts: takes settings from the agent as long as the front runs. */
import { connect, type Socket } from 'node:net';
import type { CertificatePair } from './certificate.ts';

export interface FrontSettings {
  readonly names: readonly string[];
  readonly frames: readonly string[];
  readonly tls?: CertificatePair;
}

const againMilliseconds = 2_000;
const lineMax = 2 * 2 ** 20;

export class SettingsLink implements Disposable {
  readonly #path: string;
  readonly #adopt: (settings: FrontSettings) => void;
  #socket: Socket | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(path: string, adopt: (settings: FrontSettings) => void) {
    this.#path = path;
    this.#adopt = adopt;
    this.#connect();
  }

  #connect(): void {
    const socket = connect(this.#path);
    this.#socket = socket;
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      text += piece;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      const last = lines.at(-1);
      if (last !== undefined) this.#adopt(JSON.parse(last) as FrontSettings);
      if (text.length > lineMax) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    // The agent is restarted, or not started yet. What it said last stays in force.
    socket.once('close', () => {
      this.#again = setTimeout(() => this.#connect(), againMilliseconds);
    });
  }

  [Symbol.dispose](): void {
    this.#socket?.removeAllListeners('close');
    this.#socket?.destroy();
    clearTimeout(this.#again);
  }
}
