/** The statements that are missing in a PostgreSQL server for Bulkhead's rights, and those that undo them. */
import type { Cause } from '../../../../../packages/base/problem.ts';
import { printable } from '../../../../../packages/base/printable.ts';
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';
import type { EnableStep } from '../enable.ts';
import { workerAccount } from '../enable-sql.ts';
import {
  functions,
  functionStatement,
  role,
  schemaComment,
  schemaName,
  workerMemberships,
  type FunctionName,
} from './sql.ts';

/** The parts of Bulkhead that a server has. */
export interface PostgresqlFacts {
  /** The number `server_version_num`: 150018. */
  readonly version: number;
  readonly isSuperuser: boolean;
  /** Whether it follows another server, so that nothing can be changed. */
  readonly isReplica: boolean;
  readonly worker: WorkerRole | undefined;
  /** Our schema; `foreign`: somebody else's, or with other things than ours. */
  readonly schema: 'absent' | 'ours' | 'foreign';
  /** Roles that have rights in our schema or functions, besides the worker. */
  readonly strangers: readonly string[];
  readonly mayUseSchema: boolean;
  /** Functions of ours that are as they should be. */
  readonly functions: ReadonlySet<string>;
}

export interface WorkerRole {
  /** Whether it has no other rights than to log in. */
  readonly isPlain: boolean;
  readonly memberships: readonly string[];
}

export interface PostgresqlOptions {
  readonly isOurs: boolean;
  /** The hash of the worker's password, if the worker has one. */
  readonly verifier?: string;
}

/** The first release with the roles that the worker needs, and with the kinds of processes. */
const oldest = 100_000;

export function planPostgresql(
  facts: PostgresqlFacts,
  options: PostgresqlOptions,
): Result<readonly EnableStep[], Cause> {
  const obstacle = obstacleOf(facts, options);
  if (obstacle !== undefined) return fail(obstacle);
  const steps = [
    ...roleSteps(facts, options),
    ...schemaSteps(facts),
    ...(Object.keys(functions) as FunctionName[])
      .filter((name) => !facts.functions.has(name))
      .map((name) => ({ text: functionTexts[name], sql: functionStatement(name) })),
  ];
  return facts.isReplica && steps.length > 0
    ? fail({
        reason: 'it is a replica, in which nothing can be changed',
        hint: 'run "bulkhead db enable" on its primary, whose roles it gets',
      })
    : ok(steps);
}

const functionTexts: Readonly<Record<FunctionName, string>> = {
  cap: `makes the function "${schemaName}.cap(account, connections)", which sets CONNECTION LIMIT of a role that is not a superuser and cannot become one`,
  trusts: `makes the function "${schemaName}.trusts()", which tells whether pg_hba.conf lets anybody in under any name`,
};

function obstacleOf(
  { version, isSuperuser, schema, strangers, worker }: PostgresqlFacts,
  { isOurs }: PostgresqlOptions,
): Cause | undefined {
  if (version < oldest)
    return { reason: 'its version is older than PostgreSQL 10', hint: 'upgrade it' };
  if (!isSuperuser)
    return {
      reason: 'the account that is used here is not a superuser',
      hint: 'name a file with the login of one: --login FILE',
    };
  if (schema === 'foreign')
    return {
      reason: `its database "postgres" has a schema "${schemaName}" that Bulkhead did not make, or with something else in it`,
      hint: 'rename that schema',
    };
  if (strangers.length > 0)
    return {
      reason: `other roles have rights in the schema "${schemaName}": ${strangers.slice(0, 5).map(printable).join(', ')}`,
      hint: 'revoke them first',
    };
  return isOurs || worker === undefined
    ? undefined
    : {
        reason: `it has a role "${workerAccount}" that is in no record of Bulkhead's`,
        hint: `if nothing else needs it: DROP ROLE ${role}`,
      };
}

const plain = 'LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS';

function roleSteps(
  { worker }: PostgresqlFacts,
  { verifier }: PostgresqlOptions,
): readonly EnableStep[] {
  const password = verifier === undefined ? '' : ` PASSWORD '${verifier}'`;
  const who =
    verifier === undefined
      ? `processes of the user "${workerAccount}"`
      : 'whoever has its password';
  const members = worker?.memberships ?? [];
  const wanted: readonly string[] = workerMemberships;
  const missing = wanted.filter((each) => !members.includes(each));
  const surplus = members.filter((each) => !wanted.includes(each));
  return [
    ...(worker === undefined
      ? [
          {
            text: `makes the role "${workerAccount}", for ${who}`,
            sql: `CREATE ROLE ${role} ${plain}${password}`,
          },
        ]
      : []),
    ...(worker !== undefined && (!worker.isPlain || verifier !== undefined)
      ? [
          {
            text: `takes all other rights from "${workerAccount}"`,
            sql: `ALTER ROLE ${role} ${plain}${password}`,
          },
        ]
      : []),
    ...surplus.map((each) => ({
      text: `takes the membership in ${printable(each)} from "${workerAccount}"`,
      sql: `REVOKE "${each.replaceAll('"', '""')}" FROM ${role}`,
    })),
    ...(missing.length === 0
      ? []
      : [
          {
            text: `gives "${workerAccount}" ${missing.join(', ')}: it sees statements and connections, and ends them`,
            sql: `GRANT ${missing.join(', ')} TO ${role}`,
          },
        ]),
  ];
}

const schemaSteps = ({ schema, mayUseSchema }: PostgresqlFacts): readonly EnableStep[] => [
  ...(schema === 'absent'
    ? [
        {
          text: `makes the schema "${schemaName}" in the database "postgres"`,
          sql: `CREATE SCHEMA ${schemaName}; COMMENT ON SCHEMA ${schemaName} IS '${schemaComment}'`,
        },
      ]
    : []),
  ...(mayUseSchema
    ? []
    : [
        {
          text: `gives "${workerAccount}" USAGE of the schema`,
          sql: `GRANT USAGE ON SCHEMA ${schemaName} TO ${role}`,
        },
      ]),
];

/** Returns the statements that undo everything but numbers of connections. */
export function planPostgresqlUndo({ worker, schema }: PostgresqlFacts): {
  readonly before: readonly EnableStep[];
  readonly after: readonly EnableStep[];
} {
  const isOurs = schema === 'ours';
  return {
    before:
      worker === undefined
        ? []
        : [
            {
              text: `ends the connections of "${workerAccount}", and lets it in no more`,
              sql: `ALTER ROLE ${role} NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${workerAccount}'`,
            },
          ],
    after: [
      ...(isOurs
        ? [
            ...(Object.keys(functions) as FunctionName[]).map((name) => ({
              text: `removes the function "${schemaName}.${name}"`,
              sql: `DROP FUNCTION IF EXISTS ${schemaName}.${functions[name].signature}`,
            })),
            {
              text: `removes the schema "${schemaName}"`,
              sql: `DROP SCHEMA IF EXISTS ${schemaName}`,
            },
          ]
        : []),
      ...(worker === undefined
        ? []
        : [
            {
              text: `removes the role "${workerAccount}"`,
              sql: `DROP ROLE IF EXISTS ${role}`,
            },
          ]),
    ],
  };
}
