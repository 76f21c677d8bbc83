/**
 * The gate's lists, one a kernel, in `/var/lib/bulkhead/modules-gate/RELEASE.json`. The file `mode`
 * next to them has the gate's mode after a boot.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { removeIfThere, replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { gateModes, type GateMode } from '../../core/gate/gate-event.ts';
import { gateListText, parseGateList, type GateList } from '../../core/gate/gate-list.ts';
import { plainRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';

export class GateLists {
  readonly #directory: string;

  constructor({ state }: Paths) {
    this.#directory = `${state}/modules-gate`;
  }

  path(release: string): string {
    return `${this.#directory}/${release}.json`;
  }

  /** Reads a list; undefined if none was made. */
  read(release: string): Result<GateList | undefined, Problem> {
    const path = this.path(release);
    const text = readText(path);
    if (text === undefined) return ok(undefined);
    return parseGateList(text, path);
  }

  write(list: GateList): Result<void, Problem> {
    if (!plainRelease(list.release)) {
      const reason = `"${list.release}" is not the release of a kernel`;
      return failed({ action: 'write the list of modules', reason });
    }
    const made = this.#make();
    return made.ok ? replaceFile(this.path(list.release), gateListText(list), 0o600) : made;
  }

  releases(): readonly string[] {
    return this.#names().flatMap((name) => {
      const release = name.endsWith('.json') ? name.slice(0, -'.json'.length) : '';
      return plainRelease(release) ? [release] : [];
    });
  }

  remove(release: string): Result<void, Problem> {
    return removed(this.path(release));
  }

  /** Returns the mode that the next boot starts with. */
  mode(): GateMode {
    const text = readText(`${this.#directory}/mode`)?.trim();
    return gateModes.find((each) => each === text) ?? 'off';
  }

  keepMode(mode: GateMode): Result<void, Problem> {
    const path = `${this.#directory}/mode`;
    if (mode === 'off') return removed(path);
    const made = this.#make();
    return made.ok ? replaceFile(path, `${mode}\n`, 0o600) : made;
  }

  #make(): Result<void, Problem> {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      return ok(undefined);
    } catch (error) {
      return failed({ ...causeOf(error), action: 'create the directory', object: this.#directory });
    }
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#directory).sort();
    } catch {
      return [];
    }
  }
}

function removed(path: string): Result<void, Problem> {
  try {
    removeIfThere(path);
    return ok(undefined);
  } catch (error) {
    return failed({ ...causeOf(error), action: 'remove', object: path });
  }
}
