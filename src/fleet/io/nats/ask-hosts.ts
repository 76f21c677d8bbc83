/** Asks hosts the same question, each over its own subject, and takes no answer that the host has not signed. */
import type { NatsConnection } from '@nats-io/transport-node';
import { printable } from '../../../../packages/base/printable.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, type Result } from '../../../../packages/base/result.ts';
import { parseAnswer, type Answer } from '../../core/ask/answer.ts';
import { notConnected, questionText, type Question } from '../../core/ask/question.ts';
import { askSubject, hostMessageBytesMax } from '../../core/subjects.ts';
import { hostNamespaces, parseSigned } from '../../core/told/signed.ts';
import { isSignedByHost } from '../verify/host-signature.ts';
import { causeOfNats } from './connect.ts';

/** A host, and the key that signed its first message. */
export interface AskedHost {
  readonly host: string;
  readonly key: string;
}

export interface HostAnswer {
  readonly host: string;
  readonly answer: Result<Answer, Cause>;
}

/** Requests in progress at one time: their answers together are some 16 MiB at most. */
const atOnce = 1_000;

export async function askHosts(
  connection: NatsConnection,
  fleet: string,
  hosts: readonly AskedHost[],
  question: Question,
  timeout: number,
): Promise<readonly HostAnswer[]> {
  const text = questionText(question);
  const answers: HostAnswer[] = [];
  const left = [...hosts];
  const worker = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { host } = next;
      const got = await request(connection, host, text, timeout);
      const answer = got.ok ? checked(got.value, { ...next, fleet, question }) : got;
      answers.push({ host, answer });
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, hosts.length) }, worker));
  return answers;
}

async function request(
  connection: NatsConnection,
  host: string,
  question: string,
  timeout: number,
): Promise<Result<string, Cause>> {
  try {
    const { data } = await connection.request(askSubject(host), question, { timeout });
    if (data.length === 0) return fail({ reason: 'its agent could not answer' });
    return data.length > hostMessageBytesMax
      ? fail({ reason: 'the answer is too long' })
      : { ok: true, value: new TextDecoder().decode(data) };
  } catch (error) {
    const { reason } = causeOfNats(error);
    const isAway = /no responders/i.test(reason);
    return fail({ reason: isAway ? notConnected : printable(reason) });
  }
}

interface Asked extends AskedHost {
  readonly fleet: string;
  readonly question: Question;
}

function checked(text: string, { key, ...asked }: Asked): Result<Answer, Cause> {
  const signed = parseSigned(text);
  if (!signed.ok) return signed;
  if (signed.value.key !== key || !isSignedByHost(hostNamespaces.answer, signed.value))
    return fail({ reason: "its signature is wrong, or is not by the host's own key" });
  return parseAnswer(signed.value.document, asked);
}
