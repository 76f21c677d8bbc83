/**
 * Has the panel read anew for a policy that follows it: at start, when accounts or the panel's list of them change, when
 * a hook of the panel has left its mark, and every few minutes. The agent applies the policy again when the record has changed.
 */
import { unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { followFiles } from '../../sys/files/follow-files.ts';
import type { Paths } from '../../host/paths.ts';
import { reportOnce, type Report } from '../../host/reconcile/report-once.ts';
import { restoreElsewhere, type Restore } from '../../host/restore-elsewhere.ts';
import type { FollowedSource } from '../../policy/panel/panel-element.ts';
import type { Policy } from '../../policy/policy.ts';
import { sourcesOf } from './read-panel.ts';

/** Panels write a file of an account without a change of the directory: a new plan is found this late at the latest. */
const everyMs = 5 * 60_000;
/** A panel that makes many accounts is read for several at once. */
const pauseMs = 5_000;
/** A large panel is not read all the time, however often tenants change what is theirs there. */
const idleShare = 10;

/** The mark of `libexec/bulkhead-panel-hook`. It is removed before the panel is read, so a later one causes a reading. */
const markOf = ({ runtime }: Paths): string => `${runtime}/panel-changed`;

const syncElsewhere = restoreElsewhere({
  unit: 'bulkhead-panel.service',
  command: ['panel', 'sync'],
  action: 'read the panel',
});

export const panelPart = (paths: Paths, log: Log): AgentPart =>
  new PanelPart(paths, log, syncElsewhere);

/** Removes the mark; returns whether there was one. */
function takeMark(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

export class PanelPart implements AgentPart {
  readonly #paths: Paths;
  readonly #report: Report;
  readonly #sync: Restore;
  readonly #pauseMs: number;
  #source: FollowedSource | undefined;
  #policyFile = '';
  #following: DisposableStack | undefined;
  #isRunning = false;
  #again = false;

  constructor(paths: Paths, log: Log, sync: Restore, pause = pauseMs) {
    this.#paths = paths;
    this.#report = reportOnce((text) => log.warn(text));
    this.#sync = sync;
    this.#pauseMs = pause;
  }

  adopt({ file, panel }: Policy): void {
    this.#policyFile = file;
    if (panel === this.#source) return;
    this.#source = panel;
    this.#following?.dispose();
    this.#following = panel === undefined ? undefined : this.#follow();
    void this.#read();
  }

  #follow(): DisposableStack {
    const marks = sourcesOf({ paths: this.#paths, root: '' }).map(({ mark }) => mark);
    const following = new DisposableStack();
    const mark = markOf(this.#paths);
    following.use(
      followFiles([mark], () => {
        if (takeMark(mark)) void this.#read();
      }),
    );
    // The panel is read anyway. A mark that stays would hide the next one, also one that came before it was watched.
    takeMark(mark);
    following.use(followFiles([`${this.#paths.etc}/passwd`, ...marks], () => void this.#read()));
    following.adopt(
      setInterval(() => void this.#read(), everyMs),
      clearInterval,
    );
    return following;
  }

  /** Reads; a call during a reading causes another one. */
  async #read(): Promise<void> {
    this.#again = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#again && this.#following !== undefined) {
        this.#again = false;
        const began = performance.now();
        const done = await this.#sync(this.#paths, this.#policyFile);
        this.#report(done);
        const pause = Math.max(this.#pauseMs, idleShare * (performance.now() - began));
        await sleep(pause, undefined, { ref: false });
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#following?.dispose();
    this.#following = undefined;
  }
}
