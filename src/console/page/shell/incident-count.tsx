/** How many incidents of the last 24 hours made something fail, beside their page in the navigation. */
import { useIncidents } from '../state/incidents.ts';
import { numbers, words } from '../state/language.ts';

const refreshSeconds = 60;

/** Nothing before the first answer, and `?` when the number of now is not known. */
export function IncidentCount() {
  const { value, failure } = useIncidents({ severity: 'refused', count: 1 }, refreshSeconds);
  const { failed, failedUnknown } = words.value.shell;
  if (failure === undefined && value === undefined) return null;
  const total = failure === undefined ? value?.total : undefined;
  const text = total === undefined ? '?' : numbers.value.number(total);
  const title = total === undefined ? failedUnknown : failed(text);
  return (
    <b class="count" role="img" aria-label={title}>
      {text}
    </b>
  );
}
