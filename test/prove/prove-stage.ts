/** The common part of tests of `bulkhead prove` on this kernel: an instance of its own, and what is left of a run. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import type { ScratchLimits } from '../../src/prove/core/attack.ts';
import { attackerLimits } from '../../src/prove/core/scratch-policy.ts';
import { cleanUp, prove, type Proof } from '../../src/prove/io/prove.ts';
import { scratchRoot } from '../../src/prove/io/scratch-files.ts';
import { scratchPaths } from '../../src/prove/io/scratch-paths.ts';
import { readText } from '../../packages/base/io/read.ts';
import { hostHere } from '../conformance/host-here.ts';
import { capabilities } from '../../src/capabilities.ts';

export const uidsFrom = 630_000;

function inForce(body: string) {
  const text = `<bulkhead version="1">${body}</bulkhead>`;
  const { document } = parsePolicy('p.xml', text);
  assert.ok(document && !document.diagnostics.failed);
  return { document, policy: resolvePolicy(document, { accounts: [], uidMin: 1000 }) };
}

export const limited =
  '<defaults><cpu limit="50%"/><memory limit="512MiB"/><processes limit="50"/></defaults><tenant uid="630900"/>';

export const chosen = (names: readonly string[]) =>
  attacks.filter(({ name }) => names.includes(name));

/** An instance of the tests of one file, and what is left of a run in it. */
export class ProveStage {
  readonly instance: string;
  readonly paths: Paths;
  readonly scratch: Paths;
  readonly root: string;
  readonly skip: string | false;
  readonly #here: ReturnType<typeof hostHere>;

  constructor(instance: string) {
    this.instance = instance;
    this.paths = pathsOf(instance);
    this.scratch = scratchPaths(this.paths);
    this.root = scratchRoot(this.paths, undefined);
    this.#here = hostHere(instance);
    this.skip = 'skip' in this.#here ? this.#here.skip : false;
  }

  readonly cleanUp = () => cleanUp(capabilities, this.paths);

  readonly proveHere = async (
    list = attacks,
    limits: ScratchLimits = attackerLimits,
    policy: string | undefined = limited,
  ): Promise<Proof> => {
    const proof = await prove({
      capabilities,
      paths: this.paths,
      inForce: policy === undefined ? undefined : inForce(policy),
      attacks: list,
      signal: new AbortController().signal,
      limits,
      uidsFrom,
    });
    assert.ok(proof.ok, JSON.stringify(proof));
    return proof.value;
  };

  /** Returns what a run has left. */
  readonly leftovers = (): readonly string[] => {
    const { runtime, state } = this.scratch;
    const paths = [this.root, runtime, state, `${runtime}.lock`];
    return [...this.#cgroupsLeft(), ...paths.filter((each) => existsSync(each))];
  };

  readonly assertNothingLeft = (): void => assert.deepEqual(this.leftovers(), []);

  #cgroupsLeft(): readonly string[] {
    if ('skip' in this.#here) return [];
    const driver = this.#here.host.probe();
    assert.ok(driver.ok);
    return driver.value.tree.hierarchies
      .map(({ mountPoint }) => join(mountPoint, this.scratch.instance))
      .filter((each) => existsSync(each));
  }
}

/** Whether a process runs: one that has ended and is not reaped yet does nothing any more. */
const isRunning = (status: string, uid: number) =>
  new RegExp(`^Uid:\\s+${uid}\\s`, 'm').test(status) && !/^State:\s+Z/m.test(status);

export function processesOf(uid: number): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    const status = /^\d+$/.test(pid) ? readText(`/proc/${pid}/status`) : undefined;
    return status !== undefined && isRunning(status, uid);
  });
}
