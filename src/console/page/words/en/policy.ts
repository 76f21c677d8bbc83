import { numbersOf } from '../numbers.ts';

const { count } = numbersOf('en');
const tenants = { one: 'tenant', other: 'tenants' };

export const policy = {
  view: 'View',
  views: { forms: 'Forms', text: 'Text', advice: 'Advice', changes: 'Changes' },
  toWhatIf: 'What if the limits were others?',
  toPolicy: 'Back to the policy',
  notEditable:
    'Forms cannot change this policy: its XML has errors, or it is in another format. Use the text, or an editor on the server.',
  mayNothing: 'The policy lets you change nothing.',
  may: (what: string) => `May change: ${what}.`,
  rights: { limits: 'limits', packages: 'packages' },
  packages: 'Packages',
  packagesHint:
    'A tenant has the values of its package, and of the defaults where the package has none.',
  noPackages: 'There are no packages yet.',
  defaults: 'Defaults',
  defaultsHint: 'For everybody without other values',
  haveIt: (value: number) => `${count(value, { one: 'tenant has', other: 'tenants have' })} it`,
  inheritedMark: '(inherited)',
  newPackage: 'New package:',
  setItsLimits: 'Set its limits…',
  nameTaken: 'There is a package of this name.',
  nameWrong: 'A name has letters, digits, spaces and . _ - @ + & < > ( ).',
  changeNamed: (name: string) => `Change ${name}…`,
  resellers: 'Resellers',
  resellersHint: 'The bounds are for all tenants of a reseller together.',
  noBounds: 'It has no bounds.',
  promised: (sum: string) => `(promised to its tenants: ${sum})`,
  promisedAndUnlimited: (sum: string, unlimited: number) =>
    `(promised to its tenants: ${sum}, and ${count(unlimited, tenants)} without a limit)`,
  tenants: 'Tenants',
  ownTenants: 'Tenants with values of their own',
  yourTenants: 'Your tenants',
  noOwnTenants: 'No tenant has values of its own.',
  noTenants: 'There are no tenants yet',
  allTenants: (value: number) => `All ${count(value, tenants)}`,
  // The form
  titles: {
    defaults: () => 'Limits of the defaults',
    package: (name: string) => `Limits of package ${name}`,
    reseller: (name: string) => `Bounds of reseller ${name}`,
    tenant: (name: string) => `Limits of ${name}`,
    site: (name: string) => `Limits of ${name}`,
  },
  emptyInherited: 'An empty field means that the value is inherited.',
  emptyNoLimit: 'An empty field means that the defaults have no such limit.',
  emptyNoBound: 'An empty field means that there is no bound.',
  notWritten: 'The policy has no element for this tenant. The change adds one.',
  moreLimits: 'More limits',
  package: 'Package',
  noPackage: 'none',
  packageFromElsewhere: (name: string) => `as before: ${name}`,
  noValue: 'now no limit',
  ownValue: (value: string, line: number | undefined) =>
    `now ${value}, its own value${line === undefined ? '' : ` in line ${line}`}`,
  fromDefaults: (value: string, line: number | undefined) =>
    `now ${value}, from the defaults${line === undefined ? '' : ` in line ${line}`}`,
  fromPackage: (value: string, name: string, line: number | undefined) =>
    `now ${value}, from package ${name}${line === undefined ? '' : ` in line ${line}`}`,
  willInherit: 'will be inherited',
  forExample: (value: string) => `For example ${value}.`,
  orUnlimited: 'Or unlimited.',
  removeOwn: 'Remove its element',
  removePackage: 'Remove the package',
  seeChange: 'See what would change',
  nothingTyped: 'Nothing differs from the policy yet.',
  many: {
    titles: {
      limits: (value: number) => `A limit of ${count(value, tenants)}`,
      packages: (value: number) => `Package of ${count(value, tenants)}`,
    },
    value: 'Value',
    emptyRemoves: 'An empty field removes their own value, so it is inherited.',
    missing: (value: number) =>
      `${count(value, { one: 'of them is', other: 'of them are' })} not in the policy and will not change.`,
    ownStay: (value: number) =>
      `${count(value, { one: 'tenant has', other: 'tenants have' })} limits of their own, which stay.`,
  },
  // The plan
  whatWouldChange: 'What would change',
  nothingChanges: 'Nothing would change',
  nothingChangesHint: 'The policy says this already.',
  otherText:
    'Somebody changed the file meanwhile. This is the same change, planned for the text of now.',
  otherEffects: 'The host changed meanwhile. Nothing was written; this is what would happen now.',
  inTheFile: 'In the file',
  inTheKernel: (value: number) =>
    `In the kernel: ${count(value, { one: 'value', other: 'values' })}`,
  noOperations: 'No value in the kernel changes.',
  operations: 'Changes in the kernel',
  host: 'the host',
  actions: {
    create: (cgroup = '') =>
      cgroup === '' ? 'The cgroup of all tenants is created' : `The cgroup ${cgroup} is created`,
    move: (from = '', to = '') => `Processes move from ${from} to ${to}`,
    remove: (cgroup = '', processes = '0') =>
      processes === '0'
        ? `The cgroup ${cgroup} is removed`
        : `The cgroup ${cgroup} is removed; processes in it: ${processes}`,
    'write unit': (file = '', ...settings: string[]) => `${file}: ${settings.join(', ')}`,
    'remove unit': (unit = '') => `The limits of ${unit} are removed`,
    'reload units': () => 'systemd reads its files again',
    delegate: (unit = '') => `The systemd unit ${unit} gets a cgroup for Bulkhead`,
    controllers: (names = '', mountPoint = '') =>
      `Controllers are enabled below ${mountPoint}: ${names}`,
  },
  quota: (mountPoint?: string) =>
    mountPoint === undefined ? 'Disk quota' : `Quota on ${mountPoint}`,
  quotaValue: (space: string, files: string) => `${space}, files: ${files}`,
  showOperations: (value: number) => `Show ${count(value, { one: 'value', other: 'values' })}`,
  affected: (value: number) =>
    value === 0
      ? 'No tenant is affected.'
      : `${count(value, { one: 'tenant is', other: 'tenants are' })} affected:`,
  andMore: (value: number) => `and ${count(value, { one: 'more', other: 'more' })}`,
  watchOut: 'Watch out',
  warningKinds: {
    policy: 'Policy:',
    'in use': 'In use:',
    memory: 'Memory in use:',
    promised: 'Promised:',
    removed: 'Limits removed:',
  },
  warnings: {
    removed: (tenants: number) =>
      `${count(tenants, { one: 'tenant', other: 'tenants' })} would have no limits any more`,
    'in use': (tenants: number, limit: string) =>
      `${count(tenants, { one: 'tenant uses', other: 'tenants use' })} more now than the new limit for ${limit}`,
    memory: (tenants: number, limit: string) =>
      `${count(tenants, { one: 'tenant uses', other: 'tenants use' })} more now than the new limit for ${limit}: the kernel takes back page cache, and refuses if that is not enough`,
    promised: (limit: string, before: string, after: string) =>
      `${limit}: tenants would be promised ${after} times what the host has, and are promised ${before} times now`,
  },
  goBack: 'Go back automatically, unless I keep it, after',
  goBackAfter: 'Time until it goes back',
  typeToConfirm: (word: string) => `This can hurt running programs. Type “${word}” to confirm:`,
  applyWord: 'apply',
  back: 'Back',
  writeAndApply: 'Write and apply',
  writing: 'Writing…',
  lines: 'Lines of the file',
  fromLine: (line: number) => `From line ${line}`,
  line: (line: number) => `line ${line}`,
  added: 'added:',
  removed: 'removed:',
  moreLines: (value: number) => `… and ${count(value, { one: 'more line', other: 'more lines' })}`,
  // The result
  states: {
    'in force': 'The change is in force.',
    failed: 'The change is written, but some of it could not be applied.',
    refused: 'The agent refused the new policy. The one before is still in force.',
    kept: 'The change is written. It is being applied.',
  },
  goesBackIn: (time: string) => `It goes back in ${time} unless you keep it.`,
  recordedAs: (value: number) => `It is recorded as change ${value}.`,
  notRecorded: 'It is not in the record of changes, so it cannot be undone here.',
  done: 'Done',
  undo: 'Undo…',
  undoNumber: (value: number) => `Undo change ${value}…`,
  undoTitle: (value: number) => `Undo change ${value}`,
  // The text
  textTitle: 'Change the text of the policy',
  textLabel: 'Text of the policy',
  readOnlyOnPhones: 'On a phone, the text can only be read.',
  position: (line: number, column: number) => `Line ${line}, column ${column}`,
  noMistakes: 'No mistakes found.',
  severities: { error: 'Error', warning: 'Warning', note: 'Note' },
  discard: 'Discard my changes',
  changedBelow:
    'The file was changed while you were editing. Your text is kept. These lines changed:',
  textConflict:
    'The file has another text than the one you began with. Take over these lines first, or they are lost:',
  planAnyway: 'See what my text would change',
  // Advice
  period: 'Period',
  days: (value: number) => count(value, { one: 'day', other: 'days' }),
  measured: (time: string) => `Measured: ${time} of this period.`,
  nothingMeasured: 'Nothing was measured in this period',
  nothingMeasuredHint: 'Nobody knows how the limits fit. The agent measures while it runs.',
  noAdvice: 'No limit deserves a change',
  noAdviceHint: 'No tenant has hit a limit that the history shows.',
  hitAt: (faults: number, value: string) =>
    `hit ${count(faults, { one: 'time', other: 'times' })} at ${value}: more is needed; how much is unknown until it is raised`,
  hitElsewhere: (faults: number) =>
    `hit ${count(faults, { one: 'time', other: 'times' })} without a limit of its own: another cgroup's limit applied`,
  useThis: 'Use this…',
  // Changes
  changesOf: (name: string) => `Changes of ${name}.`,
  allChanges: 'Show all changes',
  olderChanges: 'Older changes',
  latestChanges: 'Latest changes',
  noChanges: 'No changes are recorded',
  noChangesHint: 'Changes appear here from the moment the agent keeps the record.',
  changeNumber: (value: number) => `Change ${value}`,
  noValues: 'No value changed, only layout or comments.',
  linesOf: (value: number) => `Lines of change ${value}`,
  linesUnknown: 'The text before is not known.',
  // What if
  whatIfHint: 'Replays recorded use against other limits. Nothing changes on the host.',
  with: 'With',
  withLimits: 'other limits of one element',
  withText: 'another text',
  limitsOf: 'Limits of',
  replay: 'Replay',
  result: 'What would have happened',
  replayed: (from: string, to: string, measured: string) =>
    `${from} to ${to}, of which ${measured} were measured.`,
  withoutHistory: (value: number) =>
    `${count(value, { one: 'member has', other: 'members have' })} no history.`,
  nobodyNotices: 'Nobody would have noticed',
  nobodyNoticesHint: 'As far as the history shows.',
  unknown: 'unknown',
  unknownHint:
    'Unknown: the limit in force held back use, or the history has no such measurement. Nobody knows what was wanted above it.',
  effects: {
    slowed: 'slowed',
    refused: 'refused',
    reclaimed: 'page cache taken back',
    ended: 'ended',
    'less, unknown': 'less often, unknown by how much',
    unknown: 'unknown',
  },
  promisedTitle: 'Promised to all tenants, next to what there is',
  times: (value: string) => `${value} times`,
  unlimitedTenants: (value: number) => `${count(value, tenants)} without a limit`,
  columns: {
    who: 'Who',
    setting: 'Setting',
    now: 'Now',
    after: 'Then',
    limit: 'Limit',
    there: 'There is',
    change: 'Now → then',
    effect: 'Effect',
    least: 'At least',
    most: 'At most',
    stretches: 'Times',
    happened: 'Faults that happened',
    faults: 'Faults',
    neverHit: 'Never hit with',
    oneHit: 'Hit 1 % of the time with',
    why: 'Because',
    use: 'Change',
  },
};
