/** Which question is answered by what. The list stands in api.ts; docs/api.md tells it to users. */
import { Hono, type Context } from 'hono';
import type { StatusAnswer } from './api.ts';
import { answerAdvise } from './answers/advise.ts';
import { QueryReader, Refusal, type AgentContext, type Question } from './answers/context.ts';
import { answerIncident, answerIncidents } from './answers/incidents.ts';
import { answerMetrics } from './answers/metrics-page.ts';
import { answerProcesses } from './answers/processes.ts';
import { answerTop } from './answers/top.ts';
import { answerSeries, answerUsage } from './answers/usage.ts';
import { InFlight } from './in-flight.ts';
import type { Log } from './log.ts';
import { askerOf, isAdministrator, mayChange, type Viewer } from './viewer.ts';

export interface Api {
  readonly fetch: (
    request: Request,
    env: { readonly viewer: Viewer | undefined },
  ) => Response | Promise<Response>;
}

type Answer = (question: Question, parameter: string) => unknown;

/** In the order of api.ts; each is a GET. */
const answers: Readonly<Record<string, Answer>> = {
  '/v1/status': answerStatus,
  '/v1/top': answerTop,
  '/v1/tenants/:name/processes': answerProcesses,
  '/v1/usage': answerUsage,
  '/v1/series': answerSeries,
  '/v1/incidents': answerIncidents,
  '/v1/incidents/:name': answerIncident,
  '/v1/advise': answerAdvise,
};

type Bindings = { readonly viewer: Viewer | undefined };
type Asked = Context<{ Bindings: Bindings }>;

export function makeApi(agent: () => AgentContext, log: Log): Api {
  const app = new Hono<{ Bindings: Bindings }>();
  const inFlight = new InFlight();
  const respond = async (
    asked: Asked,
    answer: (question: Question) => Response | Promise<Response>,
  ): Promise<Response> => {
    try {
      const { viewer } = asked.env;
      if (viewer === undefined) throw new Refusal(403, 'Send the token: Authorization: Bearer …');
      using _turn = await inFlight.enter(viewer);
      const query = new QueryReader(new URL(asked.req.url).searchParams);
      const accept = asked.req.header('accept');
      const context = agent();
      const history = context.history.askedBy(askerOf(viewer), asked.req.raw.signal);
      return await answer({ agent: context, viewer, history, query, accept });
    } catch (error) {
      return refused(error, log);
    }
  };
  for (const [path, answer] of Object.entries(answers)) {
    app.get(path, (asked) =>
      respond(asked, async (question) =>
        Response.json(await answer(question, asked.req.param('name') ?? '')),
      ),
    );
  }
  app.get('/metrics', (asked) => respond(asked, answerMetrics));
  app.post('/v1/alerts/test', (asked) =>
    respond(asked, async ({ viewer, agent }) => {
      if (!mayChange(viewer)) throw new Refusal(403, 'Only root may send test alerts');
      return Response.json(await agent.testAlerts());
    }),
  );
  app.notFound(() => problem(404, 'There is no such page; see docs/api.md'));
  return { fetch: (request, env) => app.fetch(request, env) };
}

/** Only the administrator is told about the host; the others whether all is well. */
async function answerStatus({ agent, viewer, query }: Question): Promise<StatusAnswer> {
  if (!isAdministrator(viewer)) throw new Refusal(403, 'Only root may see the state of the host');
  return query.flag('fresh') ? agent.freshStatus() : agent.status();
}

function refused(error: unknown, log: Log): Response {
  if (error instanceof Refusal) {
    return problem(error.status, error.message, error.retryAfterSeconds);
  }
  const text = error instanceof Error ? error.message : String(error);
  log.error(`Cannot answer a request, which is a defect of Bulkhead: ${text}`);
  return problem(500, 'This is a defect of Bulkhead; its log says more');
}

function problem(status: number, error: string, retryAfterSeconds?: number): Response {
  const after = retryAfterSeconds === undefined ? {} : { 'retry-after': `${retryAfterSeconds}` };
  return Response.json({ error }, { status, headers: after });
}
