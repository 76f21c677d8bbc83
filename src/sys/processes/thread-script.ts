/** Runs a script as a thread. */
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { noteExit, ownBuild } from './same-build.ts';

/** Starts the thread; its script calls `requireSameBuild` first. */
export function startThread(script: string, options: Omit<WorkerOptions, 'env'>): Worker {
  const worker = new Worker(script, { ...options, env: { ...process.env, BUILD: ownBuild } });
  worker.on('exit', noteExit);
  return worker;
}
