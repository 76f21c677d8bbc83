/** One incident on a page of its own. */
import type { Page, PageProps } from '../page.ts';
import { IncidentView } from '../parts/incident-view.tsx';
import { words } from '../state/language.ts';
import { role } from '../state/live.ts';
import { href } from '../state/route.ts';

const Incident = ({ parameters: { id = '' } }: PageProps) => (
  <>
    <p>
      {role.value === 'tenant' ? (
        <a href={href([])}>‹ {words.value.tenant.ownTitle}</a>
      ) : (
        <a href={href(['incidents'])}>‹ {words.value.shell.pages.incidents}</a>
      )}
    </p>
    <div class="panel">
      <IncidentView id={id} />
    </div>
  </>
);

export const incidentPage: Page = {
  path: '/incidents/:id',
  roles: ['root', 'reseller', 'tenant'],
  title: ({ incident }, { id = '' }) => incident.title(id),
  view: Incident,
};
