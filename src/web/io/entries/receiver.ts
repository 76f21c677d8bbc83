/**
 * The socket on which web servers report refused requests. It belongs to their user and nobody else may write to it:
 * a tenant that could would cause incidents for others. Datagrams that do not fit are lost, and no sender waits.
 */
import { chmodSync, chownSync, closeSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf, errnoCause } from '../../../../packages/base/io/errno.ts';
import { removeIfThere } from '../../../../packages/base/io/replace-file.ts';
import { scriptFile } from '../../../sys/package-files.ts';
import { startThread } from '../../../sys/processes/thread-script.ts';
import { datagramSocketAt } from '../../../sys/sockets/sockets.ts';
import type { EntriesRecord } from './record.ts';
import type { MemberRefusals } from '../../core/entries/refusal-tally.ts';

export interface ReceiverData {
  readonly fd: number;
  readonly apacheOwners: EntriesRecord['apacheOwners'];
  /** Set to 1 to end the thread. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

type Told = Pick<EntriesRecord, 'sender' | 'apacheOwners'>;
type Take = (refusals: readonly MemberRefusals[]) => void;

export class RefusalReceiver implements AsyncDisposable {
  readonly #path: string;
  readonly #fd: number;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #ended: Promise<void>;

  static open(
    path: string,
    { sender, apacheOwners }: Told,
    take: Take,
  ): Result<RefusalReceiver, Problem> {
    const cannot = (cause: Cause) => failed({ ...cause, action: 'listen at', object: path });
    try {
      removeIfThere(path);
      // Only root can write to it until its sender owns it.
      const umask = process.umask(0o177);
      const opened = datagramSocketAt(path);
      process.umask(umask);
      if ('error' in opened) return cannot(errnoCause(opened.error));
      chownSync(path, sender, 0);
      chmodSync(path, 0o600);
      return ok(new RefusalReceiver(path, { fd: opened.fd, apacheOwners }, take));
    } catch (error) {
      return cannot(causeOf(error));
    }
  }

  private constructor(path: string, known: Omit<ReceiverData, 'stop'>, take: Take) {
    this.#path = path;
    this.#fd = known.fd;
    const workerData: ReceiverData = { ...known, stop: this.#stop };
    const worker = startThread(scriptFile('web/io/entries/receiver-thread'), { workerData });
    worker.unref();
    worker.on('message', take);
    this.#ended = new Promise((settle) => {
      worker.on('exit', () => settle());
      worker.on('error', () => settle());
    });
  }

  /** Frees the path at once; the rest takes as long as the thread waits. */
  [Symbol.asyncDispose](): Promise<void> {
    removeIfThere(this.#path);
    Atomics.store(this.#stop, 0, 1);
    return this.#ended.then(() => closeSync(this.#fd));
  }
}
