/** How many incidents of the last 24 hours made something fail, beside their page in the navigation. */
import { useIncidents } from '../state/incidents.ts';
import { numbers, words } from '../state/language.ts';

const refreshSeconds = 60;

/** Nothing before the first answer, and `?` when the number of now is not known. */
export function IncidentCount() {
  const { value, failure } = useIncidents({ severity: 'refused', count: 1 }, refreshSeconds);
  const { failed, failedUnknown } = words.value.shell;
  const text = failure === undefined ? value && numbers.value.number(value.total) : '?';
  if (text === undefined) return null;
  return (
    <b class="count" role="img" aria-label={failure === undefined ? failed(text) : failedUnknown}>
      {text}
    </b>
  );
}
