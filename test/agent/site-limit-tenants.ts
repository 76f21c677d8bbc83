/** Tenants and a reseller with sites, their policy, and commands that they run. */
import { execFile } from 'node:child_process';
import { program } from './running-agent.ts';

export const instance = 'bulkhead-site-limits';
export const [alice, bob, stranger, reseller] = [880_041, 880_042, 880_043, 880_044] as const;

export const sites =
  '<site name="shop.example"><cpu limit="20%"/></site><site name="blog.example"/>';
export const policy = (permission: string, ofAlice = sites, ofBob = '') => `  <agent interval="1s"/>
  <tenant uid="${alice}"><memory limit="100MiB"/><processes limit="50"/>${permission}${ofAlice}</tenant>
  <reseller uid="${reseller}"><tenant uid="${bob}"><processes limit="40"/>${ofBob}<site name="bob.example"/></tenant></reseller>`;
export const allowed = '<sites limits="tenant"/>';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command as a tenant in a shell would. */
export const runAs = (uid: number, ...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const options = { uid, gid: uid, cwd: '/', env: { PATH: process.env['PATH'] } };
    execFile(program, ['--instance', instance, ...args], options, (error, stdout, stderr) =>
      resolve({
        status: error === null ? 0 : Number(error.code),
        stdout,
        // Said where the agent takes longer than a moment, which is not a fault.
        stderr: stderr.replace(/^bulkhead: waiting for the agent.*\n/m, ''),
      }),
    );
  });
