/** A front with a small page and the agent's real sockets, where a recipe of the documentation leads to it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { allowedNames } from '../../src/console/core/hosts.ts';
import { Front } from '../../src/console/io/front.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { Stage } from './stage.ts';

export const consoleName = 'limits.example';

export class ServedConsole implements AsyncDisposable {
  readonly #directory = temporaryDirectory('served', undefined, 0o755);
  readonly path = this.#directory.path;
  readonly socket = `${this.path}/console.sock`;
  readonly stage: Stage;
  readonly #front: Front;

  private constructor(stage: Stage) {
    this.stage = stage;
    const names = allowedNames([consoleName]);
    assert.ok(names);
    const body = Buffer.from('<!doctype html>');
    const files = new Map([['/', { headers: {}, etag: '"1"', body }]]);
    this.#front = new Front({ agentSocket: stage.front, files, names, frameAncestors: [] });
  }

  static async start(): Promise<ServedConsole> {
    const served = new ServedConsole(await Stage.start());
    assert.ok((await served.#front.listen({ path: served.socket })).ok);
    return served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#front[Symbol.asyncDispose]();
    await this.stage[Symbol.asyncDispose]();
    this.#directory.remove();
  }
}

const root = new URL('../../', import.meta.url);

/** Returns the code blocks of a language in a page of the documentation. */
export const blocksOf = (page: string, language: string): readonly string[] =>
  [
    ...readFileSync(new URL(`docs/${page}.md`, root), 'utf8').matchAll(
      new RegExp('^```' + language + '\\n([^]*?)^```$', 'gm'),
    ),
  ].map(([, block = '']) => block);
