/** The routes of the API, listed in api.ts and documented in docs/api.md. */
import { docPage } from '../../sys/package-files.ts';
import { Hono, type Context } from 'hono';
import { errorBody } from './error-body.ts';
import { ok } from '../../../packages/base/result.ts';
import type { AlertsTestResponse } from './api.ts';
import type { StartingStatus, StatusResponse } from './status-response.ts';
import { answerApps, answerSetApp } from '../responses/apps.ts';
import { answerAdvise } from '../responses/advise.ts';
import { httpError, type HttpError, type HttpResult } from './http-result.ts';
import { QueryReader } from './query-reader.ts';
import { type AgentContext, type RequestContext } from './request-context.ts';
import { answerFrame } from '../responses/console-frame.ts';
import {
  answerEnd,
  answerLogins,
  answerNewCode,
  answerNewView,
  answerSession,
  answerSessions,
  answerStart,
} from '../responses/console.ts';
import { answerDigest, answerSetDigest } from '../responses/digest-choice.ts';
import {
  answerFleet,
  answerFleetChange,
  answerHosts,
  answerOutbox,
  answerQuestion,
  answerRecord,
  answerRelease,
  fleetChanges,
} from '../fleet/answers.ts';
import { answerIncident, answerIncidents } from '../responses/incidents.ts';
import { answerMoved, answerMovedIncident } from '../history/moved.ts';
import { answerMetrics } from '../responses/metrics-page.ts';
import { answerOverview } from '../responses/overview.ts';
import { answerModules, answerProtection } from '../responses/protection.ts';
import {
  answerPolicy,
  answerPolicyChange,
  answerPolicyChanges,
  answerPolicyKeep,
  answerPolicyPlan,
  answerPolicySimulation,
  answerPolicyUndo,
  answerSetPolicy,
} from '../responses/policy.ts';
import { answerProcesses } from '../responses/processes.ts';
import { answerLimits, answerSetLimits } from '../responses/site-limits.ts';
import { answerTop } from '../responses/top.ts';
import { answerMaxima, answerReplay } from '../responses/replay.ts';
import { answerTroubles } from '../responses/troubles.ts';
import { answerHistoryWindow } from '../history/window.ts';
import { answerSeries } from '../responses/series.ts';
import { answerUsage } from '../responses/usage.ts';
import { InFlight } from './in-flight.ts';
import type { Log } from '../log.ts';
import { startingText } from '../startup.ts';
import { askerOf, isAdministrator, isReadOnly, mayChange, type Caller } from './caller.ts';

export interface Api {
  readonly fetch: (request: Request, env: Bindings) => Response | Promise<Response>;
}

type Handler = (
  request: RequestContext,
  parameter: string,
) => HttpResult<unknown> | Promise<HttpResult<unknown>>;

/** Handlers in the order of api.ts; each is a GET, and needs a policy that has been applied. */
const answers: Readonly<Record<string, Handler>> = {
  '/v1/overview': answerOverview,
  '/v1/top': answerTop,
  '/v1/tenants/:name/processes': answerProcesses,
  '/v1/tenants/:name/limits': answerLimits,
  '/v1/tenants/:name/apps': answerApps,
  '/v1/tenants/:name/troubles': answerTroubles,
  '/v1/usage': answerUsage,
  '/v1/series': answerSeries,
  '/v1/maxima': answerMaxima,
  '/v1/replay': answerReplay,
  '/v1/history/window': answerHistoryWindow,
  '/v1/incidents': answerIncidents,
  '/v1/incidents/:name': answerIncident,
  '/v1/moved': answerMoved,
  '/v1/moved/incidents/:name': answerMovedIncident,
  '/v1/advise': answerAdvise,
  '/v1/digest': answerDigest,
  '/v1/protection': answerProtection,
  '/v1/modules': answerModules,
  '/v1/console/session': answerSession,
  '/v1/console/sessions': answerSessions,
  '/v1/console/logins': answerLogins,
};

/** Nobody reads it. */
const clientIsGone = 499;

type Bindings = {
  readonly caller: Caller | undefined;
  /** Whether a caller that is undefined came through the console, where it can begin a session. */
  readonly isVisitor?: boolean;
};
type Asked = Context<{ Bindings: Bindings }>;

export function makeApi(agent: () => AgentContext, log: Log): Api {
  const app = new Hono<{ Bindings: Bindings }>();
  const inFlight = new InFlight();
  const respond = async (
    asked: Asked,
    answer: (request: RequestContext) => Answer | Promise<Answer>,
  ): Promise<Response> => {
    const { caller } = asked.env;
    if (caller === undefined)
      return errorResponse(asked.env.isVisitor === true ? noSession : noToken);
    const { signal } = asked.req.raw;
    const turn = await inFlight.enter(caller);
    if (!turn.ok) return errorResponse(turn.error);
    using slot = turn.value;
    // A client that has given up expects no change any more, and may have asked for another one elsewhere.
    if (signal.aborted) return new Response(null, { status: clientIsGone });
    const query = new QueryReader(new URL(asked.req.url).searchParams);
    const accept = asked.req.header('accept');
    const context = agent();
    const { starting } = context;
    if (starting?.doing === 'applying the policy' && answer !== answerStatusJson)
      return errorResponse(isStarting(starting));
    const history = context.history.askedBy(askerOf(caller), signal);
    const answered = await answer({
      request: asked.req.raw,
      agent: context,
      caller,
      history,
      query,
      accept,
      slot,
    });
    return answered.ok ? answered.value : errorResponse(answered.error);
  };
  app.get('/v1/status', (asked) => respond(asked, answerStatusJson));
  for (const [path, answer] of Object.entries(answers)) {
    app.get(path, (asked) =>
      respond(asked, async (request) => json(await answer(request, asked.req.param('name') ?? ''))),
    );
  }
  app.get('/metrics', (asked) => respond(asked, answerMetrics));
  app.post('/v1/alerts/test', (asked) =>
    respond(asked, async (request) => json(await answerAlertsTest(request))),
  );
  app.post('/v1/digest', (asked) => respond(asked, (request) => json(answerSetDigest(request))));
  app.post('/v1/tenants/:name/limits', (asked) =>
    respond(asked, async (request) =>
      json(await answerSetLimits(request, asked.req.param('name'))),
    ),
  );
  app.post('/v1/tenants/:name/apps', (asked) =>
    respond(asked, async (request) => json(await answerSetApp(request, asked.req.param('name')))),
  );
  app.get('/v1/policy', (asked) => respond(asked, answerPolicy));
  app.put('/v1/policy', (asked) => respond(asked, answerSetPolicy));
  app.post('/v1/policy/plan', (asked) => respond(asked, answerPolicyPlan));
  app.post('/v1/policy/simulate', (asked) => respond(asked, answerPolicySimulation));
  app.post('/v1/policy/keep', (asked) =>
    respond(asked, async (request) => json(await answerPolicyKeep(request))),
  );
  app.get('/v1/policy/changes', (asked) => respond(asked, answerPolicyChanges));
  app.get('/v1/policy/changes/:number', (asked) =>
    respond(asked, (request) => answerPolicyChange(request, asked.req.param('number'))),
  );
  app.post('/v1/policy/changes/:number/undo', (asked) =>
    respond(asked, (request) => answerPolicyUndo(request, asked.req.param('number'))),
  );
  app.get('/v1/fleet', (asked) => respond(asked, (request) => json(answerFleet(request))));
  app.get('/v1/fleet/hosts', (asked) =>
    respond(asked, async (request) => json(await answerHosts(request))),
  );
  app.get('/v1/fleet/outbox', (asked) => respond(asked, (request) => json(answerOutbox(request))));
  app.get('/v1/fleet/answer', (asked) =>
    respond(asked, async (request) => json(await answerQuestion(request))),
  );
  app.post('/v1/fleet/release', (asked) =>
    respond(asked, async (request) => json(await answerRelease(request))),
  );
  app.post('/v1/fleet/record', (asked) =>
    respond(asked, async (request) => json(await answerRecord(request))),
  );
  for (const change of fleetChanges)
    app.post(`/v1/fleet/${change}`, (asked) =>
      respond(asked, (request) => json(answerFleetChange(request, change))),
    );
  app.get('/v1/console/frame', (asked) => respond(asked, answerFrame));
  app.post('/v1/console/codes', (asked) =>
    respond(asked, (request) => json(answerNewCode(request))),
  );
  app.post('/v1/console/view', (asked) =>
    respond(asked, (request) => json(answerNewView(request))),
  );
  app.post('/v1/console/end', (asked) => respond(asked, (request) => json(answerEnd(request))));
  app.post('/v1/console/session', (asked) => {
    if (asked.env.isVisitor !== true) return errorResponse(noSuchResource);
    const started = answerStart(agent(), asked.req.header('authorization'));
    return started.ok ? Response.json(started.value) : errorResponse(started.error);
  });
  app.notFound(() => errorResponse(noSuchResource));
  app.onError((error) => {
    log.error(`Cannot answer a request, which is a defect of Bulkhead: ${error.message}`);
    return errorResponse(defect);
  });
  return {
    fetch: (request, env) =>
      mayAsk(request, env)
        ? app.fetch(request, env)
        : errorResponse(env.caller?.kind === 'jailed' ? onlyApps : onlyReads),
  };
}

/** Whether the request only reads, or the caller may do more. New routes need no check of their own. */
function mayAsk({ method, url }: Request, { caller }: Bindings): boolean {
  if (caller === undefined || method === 'GET' || method === 'HEAD') return true;
  const { pathname } = new URL(url);
  if (isReadOnly(caller)) return pathname === '/v1/console/end';
  return caller.kind !== 'jailed' || fromJails.test(pathname);
}

/** The changes that processes in a jail may make: of what starts in that jail, as their cron jobs do. */
const fromJails = /^\/v1\/tenants\/[^/]+\/apps$/;

type Answer = HttpResult<Response>;

const json = (answer: HttpResult<unknown>): Answer =>
  answer.ok ? ok(Response.json(answer.value)) : answer;

const answerStatusJson = async (request: RequestContext) => json(await answerStatus(request));

/** Answers with the state of the host, which only administrators may see. */
async function answerStatus({
  agent,
  caller,
  query,
}: RequestContext): Promise<HttpResult<StatusResponse>> {
  if (!isAdministrator(caller)) {
    const reason = 'only root may see the state of the host';
    return httpError({ status: 403, action: 'show the status', reason });
  }
  return ok(query.flag('fresh') ? await agent.freshStatus() : agent.status());
}

async function answerAlertsTest({
  agent,
  caller,
}: RequestContext): Promise<HttpResult<AlertsTestResponse>> {
  if (mayChange(caller)) return ok(await agent.testAlerts());
  return httpError({ status: 403, action: 'send test alerts', reason: 'only root may' });
}

const isStarting = (starting: StartingStatus): HttpError => ({
  status: 503,
  action: 'answer the request',
  reason: `the agent is starting: ${startingText(starting)}`,
  hint: 'try again later; "bulkhead status" shows what the kernel counts meanwhile',
  retryAfterSeconds: 5,
});

const noToken: HttpError = {
  status: 403,
  action: 'answer the request',
  reason: 'it has no valid token',
  hint: 'send it as "Authorization: Bearer …"',
};

const onlyReads: HttpError = {
  status: 403,
  action: 'answer the request',
  reason: 'this session can change nothing',
  hint: 'log in with "bulkhead console login", without --embed',
};

const noSession: HttpError = {
  status: 401,
  action: 'answer the request',
  reason: 'there is no session: it has ended, or the request has no valid token',
  hint: 'log in again with "bulkhead console login"',
};

const onlyApps: HttpError = {
  status: 403,
  action: 'answer the request',
  reason: 'from a jail, only applications can be changed',
  hint: 'ask the administrator, or send it from outside the jail',
};

const noSuchResource: HttpError = {
  status: 404,
  action: 'find the resource',
  reason: 'there is none at this address',
  hint: `see ${docPage('api')}`,
};

const defect: HttpError = {
  status: 500,
  action: 'answer the request',
  reason: 'this is a defect of Bulkhead',
  hint: 'see the log of the agent',
};

function errorResponse({ status, retryAfterSeconds, ...problem }: HttpError): Response {
  const after = retryAfterSeconds === undefined ? {} : { 'retry-after': `${retryAfterSeconds}` };
  return Response.json(errorBody(problem), { status, headers: after });
}
