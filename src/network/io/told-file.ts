/** The file of refusals that incidents have, in a directory that only root enters. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../host/paths.ts';
import { ensurePrivateDirectory } from '../../sys/files/private-file.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import { formatTold, parseTold, type ToldRefusals } from '../core/told-refusals.ts';
import { networkStateOf } from './network-state.ts';

const format = {
  bytesMax: 2 ** 24,
  decode: (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8')),
};

export class ToldFile {
  readonly #paths: Paths;
  #written = '';

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** Returns undefined if nothing is known of these programs. */
  read(generation: string): ToldRefusals | undefined {
    const read = readTextFile(this.#file, format, 'trusted');
    return read.ok ? parseTold(read.value, generation) : undefined;
  }

  /** Writes it, if it is other than the last time. */
  write(told: ToldRefusals): readonly Problem[] {
    const text = formatTold(told);
    if (text === this.#written) return [];
    const directory = ensurePrivateDirectory(networkStateOf(this.#paths));
    const written = directory.ok ? replaceFile(this.#file, text, 0o600) : directory;
    if (!written.ok) return [written.error];
    this.#written = text;
    return [];
  }

  get #file(): string {
    return `${networkStateOf(this.#paths)}/refusals.json`;
  }
}
