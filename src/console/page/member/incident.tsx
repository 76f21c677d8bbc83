/** One incident on a page of its own. */
import type { PageProps } from '../page.ts';
import { IncidentView } from './lazy-incident-view.ts';
import { words } from './words.ts';
import { role } from '../state/live.ts';
import { href } from '../state/route.ts';

export const Incident = ({ parameters: { id = '' } }: PageProps) => (
  <>
    <p>
      {role.value === 'tenant' ? (
        <a href={href([])}>‹ {words.value.shell.pages.own}</a>
      ) : (
        <a href={href(['incidents'])}>‹ {words.value.shell.pages.incidents}</a>
      )}
    </p>
    <div class="panel">
      <IncidentView id={id} />
    </div>
  </>
);
