/** The remedies that an incident's snapshots suggest, as codes. */

/**
 * A thing that can be done about a limit that was hit. `slow-request`: requests that PHP was serving can be made faster or be
 * cached. `heavy-job`: a job can do less, or run at night. `one-process`: a single process needs most of it.
 * `many-processes`: fewer at once need less. `restart-loop`: something is started again and again. `less-reading` and
 * `less-writing`: files. `higher-limit`: ask for one.
 */
export type Remedy =
  | 'slow-request'
  | 'heavy-job'
  | 'one-process'
  | 'many-processes'
  | 'restart-loop'
  | 'less-reading'
  | 'less-writing'
  | 'higher-limit';
