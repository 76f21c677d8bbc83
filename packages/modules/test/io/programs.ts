/** The programs that tests of archives need, which a machine may lack. */
import { spawnSync } from 'node:child_process';

export const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
export const skipWithout = (program: string) =>
  has(program) ? {} : { skip: `the program ${program} is not installed` };
