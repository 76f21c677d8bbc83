/** The program, run against an agent with generated answers, for a file of tests. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before } from 'node:test';
import { startAgentServer, type AgentServer } from './agent-server.ts';
import { mainFile } from '../../testing/program.ts';

const isRoot = process.getuid?.() === 0;

/** The options of tests that ask the server. */
export const options = { skip: isRoot ? false : 'only root can make a directory in /run' };

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface AskingProgram {
  /** The server; available once the tests have begun. */
  readonly server: AgentServer;
  /** Runs a command, with variables besides those of this process, and interrupts it when the signal is aborted. */
  readonly run: (
    args: readonly string[],
    variables?: NodeJS.ProcessEnv,
    signal?: AbortSignal,
  ) => Promise<Ran>;
}

/** Starts the server before the tests of this file, and ends it after them. */
export function askingProgram(instance: string): AskingProgram {
  let server: AgentServer | undefined;
  before(async () => {
    if (isRoot) server = await startAgentServer(instance);
  });
  after(() => server?.close());
  return {
    get server() {
      assert.ok(server, 'the server has not started yet');
      return server;
    },
    run: (args, variables, signal) =>
      ran([mainFile, '--instance', instance, ...args], variables, signal),
  };
}

/** Not spawnSync: the server lives in this process, and has to answer meanwhile. */
function ran(
  argv: readonly string[],
  variables: NodeJS.ProcessEnv = {},
  signal?: AbortSignal,
): Promise<Ran> {
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  signal?.addEventListener('abort', () => child.kill('SIGINT'), { once: true });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, out, err })));
}
