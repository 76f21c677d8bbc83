/** The common part of tests of `cloudlinux-top` and `lveinfo`: a socket that answers as the agent does. */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { runLve, type Answer } from './lve-program.ts';
import { startLveServer, type LveServer } from './lve-server.ts';
import { jsonOf } from '../../testing/json-output.ts';

export const tenants = 300;
/** Whether tests can have a server. */
export const options = {
  skip: process.getuid?.() === 0 ? false : 'the socket lies in /run, where only root can make it',
};

/** A server of an instance of its own for the tests of one file, and commands that ask it. */
export class LveStage {
  readonly instance: string;
  #server: LveServer | undefined;

  constructor(instance: string, entriesCounted = true) {
    this.instance = instance;
    before(async () => {
      if (options.skip === false)
        this.#server = await startLveServer(tenants, instance, entriesCounted);
    });
    after(() => this.#server?.[Symbol.asyncDispose]());
  }

  get server(): LveServer {
    assert.ok(this.#server, 'no server was started');
    return this.#server;
  }

  readonly run = (...args: string[]): Promise<Answer> =>
    runLve(['--instance', this.instance, ...args]);

  readonly json = async <T>(command: string, ...args: string[]): Promise<T> => {
    const { status, out, err } = await this.run(command, ...args);
    assert.deepEqual([status, err], [0, '']);
    return jsonOf<T>(command, out);
  };
}
