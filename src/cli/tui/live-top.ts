/**
 * Interactive `bulkhead top`: asks the agent, draws, handles keys.
 *
 * One request is in progress at a time. A tick is requested once it can have ended, not at every
 * redraw; while the agent does not respond, the last data stays on the screen with a remark.
 */
import type { Member } from '../../usage/member.ts';
import type { IncidentsResponse, ProcessesResponse, TopResponse } from '../../agent/api/api.ts';
import type { AgentRequest } from '../shared/agent-request.ts';
import { processesPath } from '../shared/agent-request.ts';
import { helpFrame } from './help-frame.ts';
import type { Key } from './keys.ts';
import { Screen } from './screen.ts';
import { incidentsShown, tenantFrame, tenantHeight, type TenantData } from './tenant-frame.ts';
import type { Style } from './top-columns.ts';
import { listFrame, listHeight, remarkOf } from './top-frame.ts';
import { selectRows } from './top-rows.ts';
import { press, settle, type Effect, type TopState } from './top-state.ts';

const incidentMilliseconds = 86_400_000;

interface LiveTopOptions {
  readonly ask: AgentRequest;
  readonly first: TopResponse;
  readonly state: TopState;
  readonly style: Style;
  readonly delayMilliseconds: number;
}

/** Runs until the user quits, or the terminal closes. */
export function liveTop(options: LiveTopOptions): Promise<void> {
  return new LiveTop(options).run();
}

class LiveTop {
  readonly #options: LiveTopOptions;
  readonly #screen: Screen;
  readonly #ended = Promise.withResolvers<void>();
  #answer: TopResponse;
  #state: TopState;
  #tenant: TenantData & { readonly member?: Member } = {};
  /** Whether the response includes idle tenants. */
  #answeredAll: boolean;
  /** The reason, without the rest of the problem: a line has no space for more. */
  #problem: string | undefined;
  #asking = false;
  /** Whether something was chosen while a request was in progress. */
  #askAgain = false;

  constructor(options: LiveTopOptions) {
    this.#options = options;
    this.#answer = options.first;
    this.#state = options.state;
    this.#answeredAll = options.state.all;
    this.#screen = new Screen({
      key: (key) => this.#guarded(() => this.#key(key)),
      changed: () => this.#guarded(() => this.#draw()),
      closed: () => this.#ended.resolve(),
    });
  }

  async run(): Promise<void> {
    this.#screen.open();
    const timer = setInterval(
      () => this.#guarded(() => this.#tick()),
      this.#options.delayMilliseconds,
    );
    try {
      this.#draw();
      await this.#ended.promise;
    } finally {
      clearInterval(timer);
      this.#screen.close();
    }
  }

  /** Runs an action. An exception ends `run`, which restores the terminal before it is reported. */
  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#ended.reject(error);
    }
  }

  #tick(): void {
    if (this.#isDue()) void this.#refresh();
    this.#draw();
  }

  #isDue(): boolean {
    return this.#state.opened !== undefined || this.#isTickDue();
  }

  /**
   * Whether a new tick can be there. If the clock was set back, the last tick is in the future, and
   * the agent is asked again.
   */
  #isTickDue(): boolean {
    const age = Date.now() - this.#answer.at;
    const known = this.#problem === undefined && this.#answeredAll === this.#state.all;
    return !known || age < 0 || age >= this.#answer.durationSeconds * 1000;
  }

  async #refresh(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      do {
        this.#askAgain = false;
        await this.#askAll();
      } while (this.#askAgain);
    } catch (error) {
      this.#ended.reject(error);
    } finally {
      this.#asking = false;
    }
    this.#guarded(() => this.#draw());
  }

  async #askAll(): Promise<void> {
    const { opened } = this.#state;
    if (this.#isTickDue()) await this.#askTick();
    if (opened !== undefined && this.#problem === undefined) await this.#askTenant(opened.member);
  }

  async #askTick(): Promise<void> {
    const { all } = this.#state;
    const top = await this.#options.ask<TopResponse>('/v1/top', { all });
    this.#problem = top.ok ? undefined : top.error.reason;
    if (!top.ok) return;
    this.#answer = top.value;
    this.#answeredAll = all;
  }

  async #askTenant(member: Member): Promise<void> {
    const { ask } = this.#options;
    const from = Date.now() - incidentMilliseconds;
    const [processes, incidents] = await Promise.all([
      ask<ProcessesResponse>(processesPath(member)),
      ask<IncidentsResponse>('/v1/incidents', { tenant: member, from, count: incidentsShown }),
    ]);
    const failure = [processes, incidents].find((each) => !each.ok);
    this.#problem = failure?.ok === false ? failure.error.reason : undefined;
    const before = this.#tenant.member === member ? this.#tenant : {};
    this.#tenant = {
      member,
      processes: processes.ok ? processes.value : before.processes,
      incidents: incidents.ok ? incidents.value : before.incidents,
    };
  }

  #rows() {
    const rows = selectRows(this.#answer.rows, this.#state);
    this.#state = settle(this.#state, rows, listHeight(this.#screen.size));
    return rows;
  }

  #key(key: Key): void {
    const rows = this.#rows();
    const { size } = this.#screen;
    const opened = this.#state.opened !== undefined;
    const { state, effect } = press(this.#state, key, {
      rows,
      height: opened ? tenantHeight(size) : listHeight(size),
      processes: this.#opened().processes?.processes.length ?? 0,
    });
    this.#state = state;
    this.#follow(effect);
    if (effect !== 'quit') this.#draw();
  }

  #follow(effect: Effect | undefined): void {
    if (effect === 'quit') this.#ended.resolve();
    if (effect === 'suspend') this.#screen.suspend();
    if (effect === 'repaint') this.#screen.forget();
    if (effect !== 'ask') return;
    this.#askAgain = this.#asking;
    void this.#refresh();
  }

  /** Returns the data of the opened tenant, and never another tenant's. */
  #opened(): TenantData {
    const { opened } = this.#state;
    const known = this.#tenant.member === opened?.member ? this.#tenant : {};
    return { ...known, row: this.#answer.rows.find((row) => row.member === opened?.member) };
  }

  #draw(): void {
    this.#screen.draw(this.#frame());
  }

  #frame(): readonly string[] {
    const { style } = this.#options;
    const { size } = this.#screen;
    const remark = remarkOf(this.#answer, this.#problem, Date.now());
    if (this.#state.help) return helpFrame(size, style);
    if (this.#state.opened !== undefined)
      return tenantFrame(this.#state, this.#opened(), remark, size, style);
    const rows = this.#rows();
    return listFrame({ answer: this.#answer, rows, state: this.#state, remark }, size, style);
  }
}
