/**
 * Takes questions of the centre to the agent, and its signed answers back. Only the centre can ask: its account alone
 * imports the subject. Anything else is dropped, and so is a question that comes while too many wait.
 */
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { formatProblem } from '../../../../packages/base/problem.ts';
import { parseQuestion, questionText } from '../../core/ask/question.ts';
import { askSubject } from '../../core/subjects.ts';
import type { AgentLink } from './agent-link.ts';

const waitingMax = 4;
const noAnswer = '';

export class QuestionDesk {
  readonly #agent: Pick<AgentLink, 'answer'>;
  readonly #say: (text: string) => void;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(agent: Pick<AgentLink, 'answer'>, say: (text: string) => void) {
    this.#agent = agent;
    this.#say = say;
  }

  /** Answers on this connection until it ends. */
  open(connection: NatsConnection, host: string): void {
    connection.subscribe(askSubject(host), {
      callback: (error, message) => {
        if (error === null) this.#take(message);
      },
    });
  }

  #take(message: Msg): void {
    if (message.reply === undefined || message.reply === '') return;
    const question = parseQuestion(message.string());
    if (!question.ok || this.#waiting >= waitingMax) return;
    this.#waiting += 1;
    const text = questionText(question.value);
    // One after another: the agent answers one at a time.
    this.#last = this.#last.then(() => this.#answer(message, text));
  }

  async #answer(message: Msg, question: string): Promise<void> {
    try {
      const answer = await this.#agent.answer(question);
      if (!answer.ok) this.#say(formatProblem(answer.error));
      message.respond(answer.ok ? answer.value.answer : noAnswer);
    } catch {
      // The connection has ended.
    } finally {
      this.#waiting -= 1;
    }
  }
}
