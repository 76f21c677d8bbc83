/** Has due digests sent, for a policy with `<digest>`, outside the agent: a mail server can take long. */
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import type { Paths } from '../../host/paths.ts';
import { reportOnce, type Report } from '../../host/reconcile/report-once.ts';
import { restoreElsewhere, type Restore } from '../../host/restore-elsewhere.ts';
import type { Policy } from '../../policy/policy.ts';

const everyMs = 600_000;

const sendElsewhere = restoreElsewhere({
  unit: 'bulkhead-digest.service',
  command: ['digest', 'send'],
  action: 'send digests',
  // A thousand messages to a slow server.
  timeoutMs: 7_200_000,
});

export const digestPart = (paths: Paths, log: Log): AgentPart =>
  new DigestPart(paths, log, sendElsewhere, everyMs);

export class DigestPart implements AgentPart {
  readonly #paths: Paths;
  readonly #report: Report;
  readonly #send: Restore;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #policyFile = '';
  #isRunning = false;

  constructor(paths: Paths, log: Log, send: Restore, every: number) {
    this.#paths = paths;
    this.#report = reportOnce((text) => log.warn(text));
    this.#send = send;
    this.#everyMs = every;
  }

  adopt({ file, agent }: Policy): void {
    this.#policyFile = file;
    const isWanted = agent.alerts.digests !== undefined;
    if (isWanted === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = isWanted ? setInterval(() => void this.#run(), this.#everyMs).unref() : undefined;
    // The rule begins now, whatever happens in the next minutes.
    if (isWanted) void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const done = await this.#send(this.#paths, this.#policyFile);
    this.#isRunning = false;
    this.#report(done);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
