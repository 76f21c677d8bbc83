/** Real servers that take remote write, each with a directory and a port of its own. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../testing/free-port.ts';
import { eventually } from '../../testing/patience.ts';

export type ServerKind = 'victoria-metrics' | 'prometheus';
export const serverKinds: readonly ServerKind[] = ['victoria-metrics', 'prometheus'];

export const skipWithout = (kind: ServerKind): string | false =>
  spawnSync(kind, ['--version']).error === undefined ? false : `needs ${kind} (Debian: ${kind})`;

/** A series as a server answers it: its labels, and its values by time in milliseconds. */
export interface AnsweredSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [number, number])[];
}

interface QueryAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
}

export class MetricsServer implements AsyncDisposable {
  readonly kind: ServerKind;
  port = 0;
  readonly #directory: string;
  readonly #rules: string | undefined;
  #child: ChildProcess | undefined;

  /** `rules`: a file of rules for Prometheus, which evaluates them every second. */
  constructor(kind: ServerKind, directory: string, rules?: string) {
    this.kind = kind;
    this.#directory = directory;
    this.#rules = rules;
    mkdirSync(directory, { recursive: true });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/api/v1/write`;
  }

  /** Starts it, on the port that it had before. */
  async start(): Promise<this> {
    if (this.port === 0) this.port = await freePort();
    const address = `127.0.0.1:${this.port}`;
    this.#child = spawn(this.kind, this.#options(address), { stdio: 'ignore' });
    await eventually(`${this.kind} answers`, async () => {
      const health = this.kind === 'prometheus' ? '/-/ready' : '/health';
      return (await fetch(`http://${address}${health}`).catch(() => undefined))?.ok === true;
    });
    return this;
  }

  #options(address: string): readonly string[] {
    const data = join(this.#directory, 'data');
    if (this.kind === 'victoria-metrics')
      return [
        `-storageDataPath=${data}`,
        `-httpListenAddr=${address}`,
        '-retentionPeriod=1y',
        '-dedup.minScrapeInterval=1ms',
        '-search.latencyOffset=0s',
        '-memory.allowedBytes=256MB',
      ];
    const config = join(this.#directory, 'prometheus.yml');
    const rules =
      this.#rules === undefined
        ? ''
        : `global: { evaluation_interval: 1s }\nrule_files: ["${this.#rules}"]\n`;
    writeFileSync(config, `${rules}storage:\n  tsdb:\n    out_of_order_time_window: 1d\n`);
    return [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=${address}`,
      '--web.enable-remote-write-receiver',
    ];
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Asks as dashboards do, at a time. */
  async query(expression: string, at: number): Promise<readonly AnsweredSeries[]> {
    if (this.kind === 'victoria-metrics')
      await fetch(`http://127.0.0.1:${this.port}/internal/force_flush`);
    const asked = new URLSearchParams({ query: expression, time: `${at / 1000}` });
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/query?${asked.toString()}`);
    const { status, error, data } = (await response.json()) as QueryAnswer;
    if (status !== 'success' || data === undefined) throw new Error(`${expression}: ${error}`);
    return data.result.map(({ metric, value, values = value === undefined ? [] : [value] }) => ({
      labels: metric,
      samples: values.map(([seconds, text]) => [Math.round(seconds * 1000), Number(text)] as const),
    }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
