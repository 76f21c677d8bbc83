/**
 * Sites of tenants on a real nginx and PHP-FPM, whose script waits until the test lets it go: so that requests are
 * served at once for certain, whatever the machine does.
 */
import assert from 'node:assert/strict';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { request, type IncomingHttpHeaders } from 'node:http';
import { after, afterEach, test } from 'node:test';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { sleepSync } from '../../src/sys/sleep.ts';
import { lockDescriptor } from '../../src/sys/syscalls.ts';
import { entryLimitsOf, type EntryLimits } from '../../src/web/core/entries/limits.ts';
import { policyOf } from '../conformance/suite.ts';
import {
  applyNginx,
  planNginx,
  planNginxRemoval,
  type NginxEntries,
} from '../../src/web/io/entries/nginx.ts';
import type { ReloadResult, Run } from '../../src/web/io/entries/server-entries.ts';
import { surveyWeb, type Survey, type TenantFacts } from '../../src/web/io/survey.ts';
import { freePort } from '../../testing/free-port.ts';
import { uids, WebStage } from './stage.ts';

/** Numbers of tenants, or a policy. */
export type Wanted = ReadonlyMap<number, number> | string;

export const limitsOf = (wanted: Wanted): EntryLimits =>
  typeof wanted === 'string'
    ? entryLimitsOf(policyOf(wanted))
    : new Map([...wanted].map(([uid, limit]) => [uid, { limit, sites: new Map() }]));

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Asked {
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
}

export class EntriesStage extends WebStage {
  port = 0;
  /** The socket to which refusals are sent; nobody listens there unless a test does. */
  socket = this.at('web.sock');
  #gate: number | undefined;

  get nginx() {
    const { nginx } = this.programs();
    if (nginx === undefined) throw new Error('no nginx');
    return nginx;
  }

  /** Starts a pool of 30 workers for each uid, and an nginx with `http` and the sites. */
  async prepare(sites: (port: number) => string, http = ''): Promise<void> {
    this.port = await freePort();
    mkdirSync(this.at('conf.d'));
    mkdirSync(this.at('state'));
    this.writeNginx(
      `include ${this.at('conf.d')}/*.conf;\n  include /etc/nginx/mime.types;\n${http}`,
    );
    this.write('sites/all.conf', sites(this.port));
    this.writeFpm();
    for (const [name, uid] of Object.entries({ owner: uids.owner, other: uids.other })) {
      const pool = this.pool(name, uid).replace(
        'pm.max_children = 2',
        'pm.max_children = 30\nsecurity.limit_extensions =',
      );
      this.write(`pools/${name}.conf`, pool);
    }
    this.write('gate', '');
    this.write('started', '');
    for (const name of ['gate', 'started']) this.open(name);
  }

  open(name: string): void {
    chmodSync(this.at(name), 0o666);
  }

  start30(): void {
    const tested = spawnSync('/usr/sbin/nginx', ['-t', '-c', this.at('nginx.conf')]);
    if (tested.status !== 0) throw new Error(tested.stderr.toString());
    this.start(this.php.program, '-F', '-R', '-y', this.at('fpm.conf'));
    this.start('/usr/sbin/nginx', '-c', this.at('nginx.conf'));
  }

  async served(hosts: readonly string[]): Promise<void> {
    for (const host of hosts)
      await eventually(`${host} is served`, async () => (await this.ask1({ host })).status === 200);
  }

  /** Makes a document root. Its script reports that it runs, and waits at the gate. */
  root(name: string, uid: number): string {
    const root = this.documents(name, uid);
    writeFileSync(
      `${root}/index.php`,
      `<?php file_put_contents('${this.at('started')}', "x", FILE_APPEND);
      $gate = fopen('${this.at('gate')}', 'r'); flock($gate, LOCK_SH); echo "served";`,
    );
    writeFileSync(`${root}/file.css`, 'static');
    return root;
  }

  /** A run that finds nothing of an earlier one. */
  get run(): Run {
    return { paths: { state: this.at('state') }, undone: new Set() };
  }

  tenancy(): TenantFacts {
    return {
      proc: '/proc',
      userOf: () => undefined,
      accounts: () => [],
      isTenant: (uid) => Object.values(uids).includes(uid),
      isInside: () => false,
      agentRuns: true,
    };
  }

  survey = (): Promise<Survey> => surveyWeb(this.programs(), this.tenancy());

  async plan(
    wanted: Wanted,
    strict = false,
    editVhosts = false,
  ): Promise<Result<NginxEntries, Problem>> {
    const setting = { limits: limitsOf(wanted), socket: this.socket, strict, editVhosts };
    return planNginx(this.nginx, await this.survey(), setting);
  }

  async enable(limits: Wanted, strict = false): Promise<Result<ReloadResult, Problem>> {
    const planned = await this.plan(limits, strict);
    return planned.ok ? applyNginx(planned.value, this.run) : planned;
  }

  /** Runs `enable`, which must succeed. */
  async enabled(limits: Wanted, strict = false): Promise<ReloadResult> {
    const outcome = await this.enable(limits, strict);
    assert.ok(outcome.ok, outcome.ok ? '' : formatProblem(outcome.error));
    return outcome.value;
  }

  async disable(): Promise<Result<ReloadResult, Problem>> {
    const planned = planNginxRemoval(this.nginx, await this.survey());
    return planned.ok ? applyNginx(planned.value, this.run) : planned;
  }

  /** Scripts wait from now on. One that has answered may still be ending, and passes the gate until then. */
  shut(): void {
    this.#gate ??= openSync(this.at('gate'), 'r');
    const end = performance.now() + patienceMilliseconds;
    for (;;) {
      const error = lockDescriptor(this.#gate, 'exclusive');
      if (error === undefined) break;
      if (error !== 'EAGAIN' || performance.now() > end)
        throw new Error(`the gate is held: ${error}`);
      sleepSync(20);
    }
    writeFileSync(this.at('started'), '');
  }

  letGo(): void {
    if (this.#gate !== undefined) closeSync(this.#gate);
    this.#gate = undefined;
  }

  /** Counts the scripts that have begun since the gate was shut. */
  running = (): number => readFileSync(this.at('started'), 'utf8').length;

  ask1({ host, path = '/', method = 'GET' }: Asked): Promise<Answer> {
    return new Promise((resolve) => {
      const options = { host: '127.0.0.1', port: this.port, path, method, headers: { host } };
      const call = request({ ...options, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        const { statusCode: status = 0, headers } = response;
        response.on('end', () => resolve({ status, headers, text }));
        response.on('error', () => resolve({ status: 0, headers: {}, text: '' }));
      });
      call.on('error', () => resolve({ status: 0, headers: {}, text: '' }));
      call.end();
    });
  }

  /**
   * Sends all requests at once. The refused ones are answered while the others wait, and then these are released.
   */
  async atOnce(asked: readonly Asked[]): Promise<readonly Answer[]> {
    this.shut();
    const answers: Answer[] = [];
    const all = asked.map(async (each) => {
      const answer = await this.ask1(each);
      answers.push(answer);
    });
    try {
      await eventually(
        `each of ${asked.length} runs or has its answer`,
        () => answers.length + this.running() >= asked.length,
        () => JSON.stringify(answers.map(({ status }) => status)) + ` ${this.running()} run`,
      );
    } finally {
      this.letGo();
    }
    await Promise.all(all);
    return answers;
  }
}

/** Tests with a stage that is emptied after each of them; skipped where this machine cannot have one. */
export async function stagedSuite(
  name: string,
  tests: (stage: EntriesStage) => void,
): Promise<void> {
  const ready = await ensurePrerequisites('web', (line) => console.log(`# ${line}`));
  if (!ready.ok) {
    test(name, { skip: ready.reason }, () => {});
    return;
  }
  const stage = new EntriesStage();
  afterEach(() => {
    stage.letGo();
    return stage.clear();
  });
  after(() => stage.remove());
  tests(stage);
}

export const times = <T>(count: number, value: T): readonly T[] =>
  Array.from({ length: count }, () => value);

export const statuses = (answers: readonly Answer[]): Readonly<Record<number, number>> =>
  Object.fromEntries(
    [...Map.groupBy(answers, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  );

/** Returns a vhost as most panels write it: a front controller, and files that nginx serves. */
export const vhost = (
  name: string,
  port: number,
  root: string,
  socket: string,
  more = '',
) => `server {
  listen 127.0.0.1:${port};
  server_name ${name};
  root ${root};
  ${more}
  location / { try_files $uri /index.php; }
  location ~ \\.php$ {
    fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_pass unix:${socket};
  }
}
`;
