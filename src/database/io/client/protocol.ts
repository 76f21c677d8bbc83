/** A client protocol, as a connection uses it. */
import type { Result } from '../../../../packages/base/result.ts';
import type { DatabaseFailure } from '../../core/protocol/failure.ts';
import type { Rows } from '../../core/protocol/reply.ts';

export interface Login {
  readonly user: string;
  /** Absent: the server takes the user from the process, or there is no password. */
  readonly password?: string;
}

export interface Protocol {
  readonly name: 'mysql' | 'postgresql';
  /** The version as the server states it; known after the login. */
  readonly version: string;
  /** Why nothing can be sent any more; undefined while it can. */
  readonly ended: DatabaseFailure | undefined;
  readonly login: (login: Login) => Promise<Result<void, DatabaseFailure>>;
  /** Runs one statement. */
  readonly ask: (sql: string) => Promise<Result<Rows, DatabaseFailure>>;
  readonly end: (failure: DatabaseFailure) => void;
}
