/** The routes of the API, listed in api.ts and documented in docs/api.md. */
import { Hono, type Context } from 'hono';
import type { StatusResponse } from './api.ts';
import { answerAdvise } from '../responses/advise.ts';
import {
  QueryReader,
  HttpError,
  type AgentContext,
  type RequestContext,
} from './request-context.ts';
import { answerIncident, answerIncidents } from '../responses/incidents.ts';
import { answerMetrics } from '../responses/metrics-page.ts';
import { answerProcesses } from '../responses/processes.ts';
import { answerTop } from '../responses/top.ts';
import { answerSeries, answerUsage } from '../responses/usage.ts';
import { InFlight } from './in-flight.ts';
import type { Log } from '../log.ts';
import { askerOf, isAdministrator, mayChange, type Caller } from './caller.ts';

export interface Api {
  readonly fetch: (
    request: Request,
    env: { readonly caller: Caller | undefined },
  ) => Response | Promise<Response>;
}

type Handler = (request: RequestContext, parameter: string) => unknown;

/** In the order of api.ts; each is a GET. */
const answers: Readonly<Record<string, Handler>> = {
  '/v1/status': answerStatus,
  '/v1/top': answerTop,
  '/v1/tenants/:name/processes': answerProcesses,
  '/v1/usage': answerUsage,
  '/v1/series': answerSeries,
  '/v1/incidents': answerIncidents,
  '/v1/incidents/:name': answerIncident,
  '/v1/advise': answerAdvise,
};

type Bindings = { readonly caller: Caller | undefined };
type Asked = Context<{ Bindings: Bindings }>;

export function makeApi(agent: () => AgentContext, log: Log): Api {
  const app = new Hono<{ Bindings: Bindings }>();
  const inFlight = new InFlight();
  const respond = async (
    asked: Asked,
    answer: (request: RequestContext) => Response | Promise<Response>,
  ): Promise<Response> => {
    try {
      const { caller } = asked.env;
      if (caller === undefined) throw new HttpError(403, 'Send the token: Authorization: Bearer …');
      using _turn = await inFlight.enter(caller);
      const query = new QueryReader(new URL(asked.req.url).searchParams);
      const accept = asked.req.header('accept');
      const context = agent();
      const history = context.history.askedBy(askerOf(caller), asked.req.raw.signal);
      return await answer({ agent: context, caller, history, query, accept });
    } catch (error) {
      return refused(error, log);
    }
  };
  for (const [path, answer] of Object.entries(answers)) {
    app.get(path, (asked) =>
      respond(asked, async (request) =>
        Response.json(await answer(request, asked.req.param('name') ?? '')),
      ),
    );
  }
  app.get('/metrics', (asked) => respond(asked, answerMetrics));
  app.post('/v1/alerts/test', (asked) =>
    respond(asked, async ({ caller, agent }) => {
      if (!mayChange(caller)) throw new HttpError(403, 'Only root may send test alerts');
      return Response.json(await agent.testAlerts());
    }),
  );
  app.notFound(() => problem(404, 'There is no such resource; see docs/api.md'));
  return { fetch: (request, env) => app.fetch(request, env) };
}

/** The state of the host is only for administrators. */
async function answerStatus({ agent, caller, query }: RequestContext): Promise<StatusResponse> {
  if (!isAdministrator(caller)) throw new HttpError(403, 'Only root may see the state of the host');
  return query.flag('fresh') ? agent.freshStatus() : agent.status();
}

function refused(error: unknown, log: Log): Response {
  if (error instanceof HttpError) {
    return problem(error.status, error.message, error.retryAfterSeconds);
  }
  const text = error instanceof Error ? error.message : String(error);
  log.error(`Cannot answer a request, which is a defect of Bulkhead: ${text}`);
  return problem(500, 'This is a defect of Bulkhead; see its log');
}

function problem(status: number, error: string, retryAfterSeconds?: number): Response {
  const after = retryAfterSeconds === undefined ? {} : { 'retry-after': `${retryAfterSeconds}` };
  return Response.json({ error }, { status, headers: after });
}
