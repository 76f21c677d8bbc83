/** The agent's part with its own worker process, which looks at the server of a stage and holds alice. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import type { Log } from '../../src/agent/log.ts';
import type { DatabaseConnection } from '../../src/database/io/client/connect.ts';
import { databasePart } from '../../src/database/io/agent-part.ts';
import { processCpuMicroseconds } from '../../src/sys/syscalls.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { uidOf, type ServerStage } from '../../test/database/server-stage.ts';
import { logToStderr } from '../../testing/progress.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const workerUid = 620_794;
const accounts = 20;

/** The agent's part while it looks. */
export interface MeasuredPart extends AsyncDisposable {
  /** Returns the CPU time of this process and of the worker so far. */
  readonly cpuMilliseconds: () => number;
}

export class AgentOfStage implements Disposable {
  readonly #stage: ServerStage;
  // Others can change /tmp, so no file there is trusted.
  readonly #scratch = temporaryDirectory('bench-db', '/var/lib', 0o755);
  readonly #paths;
  readonly #idle: DatabaseConnection[] = [];

  constructor(stage: ServerStage) {
    this.#stage = stage;
    const [etc, runtime, state] = ['etc', 'run', 'state'].map((name) => {
      const path = `${this.#scratch.path}/${name}`;
      mkdirSync(path);
      return path;
    }) as [string, string, string];
    this.#paths = { ...stage.host.paths, etc, runtime, state };
  }

  /** Gives the worker its rights, and connects other accounts of alice's. */
  async start(): Promise<void> {
    const { server } = this.#stage;
    const { etc } = this.#paths;
    const line = (name: string, uid: number) => `${name}:x:${uid}:${uid}::/:/bin/false\n`;
    writeFileSync(
      `${etc}/passwd`,
      line('mysql', server.uid) + line('bulkhead-db', workerUid) + line('alice', uidOf.alice),
    );
    writeFileSync(`${etc}/login.defs`, 'UID_MIN 700000\n');
    const mode = { mode: 0o600 };
    writeFileSync(`${etc}/db.cnf`, '[client]\nuser=watcher\npassword=sesame\n', mode);
    for (const each of [
      "CREATE USER watcher@localhost IDENTIFIED BY 'sesame'",
      'GRANT PROCESS, CONNECTION ADMIN ON *.* TO watcher@localhost',
      'CREATE DATABASE bulkhead',
      `CREATE VIEW bulkhead.accounts AS SELECT User AS account, Host AS host, 0 AS connections,
        0 AS is_role, IF(User LIKE 'alice%', '0', '8') AS access, '0' AS roles, 0 AS creates_events, 0 AS grants
        FROM mysql.global_priv`,
      'GRANT SELECT ON bulkhead.* TO watcher@localhost',
    ])
      await server.sql(each);
    for (let each = 1; each <= accounts; each++) {
      await server.sql(`CREATE USER alice_${each}@localhost`);
      this.#idle.push(await server.connect(`alice_${each}`));
    }
  }

  /** Starts the agent's part with a limit on alice. */
  part(limit: string, hold: 'on' | 'watch'): MeasuredPart {
    const { server } = this.#stage;
    const { document } = parsePolicy(
      'policy.xml',
      `<bulkhead version="1"><databases hold="${hold}">
        <server kind="mariadb" socket="${server.socket}" credentials="${this.#paths.etc}/db.cnf"/></databases>
        <tenant uid="${uidOf.alice}"><database cpu="${limit}"/></tenant></bulkhead>`,
    );
    if (document === undefined) throw new Error('the policy has mistakes');
    const account = { user: 'alice', uid: uidOf.alice, gid: uidOf.alice, home: '/' };
    const log = { warn: (text: string) => logToStderr(`bench: ${text}`) } as unknown as Log;
    const part = databasePart(this.#paths, log);
    part.adopt?.(resolvePolicy(document, { accounts: [account], uidMin: 1000 }), new Map());
    return {
      cpuMilliseconds() {
        const { user, system } = process.cpuUsage();
        const workers = processesOf(workerUid);
        if (workers.length === 0) throw new Error('no process looks at the server');
        const theirs = workers.reduce(
          (sum, pid) => sum + (processCpuMicroseconds(pid) ?? 0) / 1000,
          0,
        );
        return (user + system) / 1000 + theirs;
      },
      [Symbol.asyncDispose]: async () => {
        await part[Symbol.asyncDispose]?.();
      },
    };
  }

  [Symbol.dispose](): void {
    for (const each of this.#idle) each.close();
    this.#scratch.remove();
  }
}

function processesOf(uid: number): readonly number[] {
  const pids = readdirSync('/proc').map(Number);
  return pids.filter(
    (pid) => pid > 0 && statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === uid,
  );
}
