/**
 * A connection to a database server over its unix socket: statements as text, one after another. A server that hangs, or
 * sends anything else than the protocol allows, ends the connection.
 */
import type { Errno, Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { isPostgresqlSocket } from '../../../policy/databases/postgresql-socket.ts';
import { connectStream, connectStreamAs, peerPid } from '../../../sys/sockets/sockets.ts';
import type { DatabaseFailure } from '../../core/protocol/failure.ts';
import type { Rows } from '../../core/protocol/reply.ts';
import { MysqlProtocol } from './mysql.ts';
import { PostgresqlProtocol } from './postgresql.ts';
import type { Login, Protocol } from './protocol.ts';

export type { Login } from './protocol.ts';

/** The time limit of each reply. */
const replyMilliseconds = 1000;
/** The longest statement that is sent. */
const statementBytesMax = 2 ** 20;

/** A failure with what was tried. `code` is the server's own error code, if it answered with an error. */
export type DatabaseProblem = Problem & DatabaseFailure;

export interface DatabaseConnection {
  readonly protocol: Protocol['name'];
  /** The version as the server states it. */
  readonly version: string;
  /** The pid of the process that listens at the socket, as the kernel knows it. */
  readonly pid: number | undefined;
  /** Whether statements can still be sent. */
  readonly isOpen: boolean;
  /** Runs a statement after those before it. Its reply has at most 10,000 rows and 16 MiB, and one second. */
  readonly query: (sql: string) => Promise<Result<Rows, DatabaseProblem>>;
  readonly close: () => void;
}

export interface ConnectOptions {
  /** Another path of the same socket, such as the path of a descriptor. */
  readonly through?: string;
  readonly replyMilliseconds?: number;
  /** The uid by which the server knows the client, if root connects for another account. */
  readonly asUid?: number;
}

/** Connects and logs in. `socket` is a path that only root and the server can have made. */
export async function connectDatabase(
  socket: string,
  login: Login,
  options: ConnectOptions = {},
): Promise<Result<DatabaseConnection, DatabaseProblem>> {
  const action = 'connect to the database server at';
  const { through = socket, asUid } = options;
  const opened = asUid === undefined ? connectStream(through) : connectStreamAs(asUid, through);
  if ('error' in opened) return fail({ ...refused(opened.error), action, object: socket });
  const connection = new Connection(socket, opened.fd, options);
  const done = await connection.login(login);
  if (done.ok) return ok(connection);
  connection.close();
  return fail({ ...done.error, action, object: socket });
}

function refused(errno: Errno): DatabaseFailure & { readonly errno: Errno } {
  const reasons: Partial<Record<Errno, string>> = {
    ENOENT: 'there is no socket',
    ECONNREFUSED: 'no server listens there',
    EAGAIN: 'too many connections wait there already',
  };
  const hint = 'check whether the server runs';
  return { reason: reasons[errno] ?? `connecting fails with ${errno}`, errno, hint };
}

class Connection implements DatabaseConnection {
  readonly #path: string;
  readonly #protocol: Protocol;
  readonly pid: number | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, fd: number, options: ConnectOptions) {
    this.#path = path;
    this.pid = peerPid(fd);
    const limit = options.replyMilliseconds ?? replyMilliseconds;
    const Protocol = isPostgresqlSocket(path) ? PostgresqlProtocol : MysqlProtocol;
    this.#protocol = new Protocol(fd, limit);
  }

  get protocol(): Protocol['name'] {
    return this.#protocol.name;
  }

  get version(): string {
    return this.#protocol.version;
  }

  get isOpen(): boolean {
    return this.#protocol.ended === undefined;
  }

  close(): void {
    this.#protocol.end({ reason: 'the connection was closed' });
  }

  login(login: Login): Promise<Result<void, DatabaseFailure>> {
    return this.#protocol.login(login);
  }

  query(sql: string): Promise<Result<Rows, DatabaseProblem>> {
    const done = this.#last.then(async () => {
      const isTooLong = Buffer.byteLength(sql) > statementBytesMax;
      const reply = isTooLong
        ? fail({ reason: 'the statement is too long' })
        : await this.#protocol.ask(sql);
      return reply.ok
        ? reply
        : fail({ ...reply.error, action: 'ask the database server at', object: this.#path });
    });
    this.#last = done;
    return done;
  }
}
