/**
 * Words that have a better equivalent in Linux and hosting. They have crept in before, and every
 * reader pays for them. Code, output and documentation use none of them.
 *
 *     node scripts/words.ts
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './steps.ts';

interface Rule {
  readonly word: RegExp;
  readonly instead: string;
  /** Lines on which the word is right, such as one from somebody else's file. */
  readonly except?: RegExp;
}

const rules: readonly Rule[] = [
  { word: /folder/i, instead: 'directory' },
  {
    word: /licence/i,
    instead: 'license',
    except: /end.?user licence|licence (agreement|key)|licence-acme/i,
  },
  { word: /\b(most|least)[A-Z]\w*/, instead: 'a name that ends in Max or Min' },
  { word: /\busual[A-Z]\w*/, instead: 'default' },
  { word: /[cC]omplain/, instead: 'print, report' },
  { word: /\b(struck|strikes?)\b/i, instead: 'a limit is hit' },
  { word: /\bstandings?\b/i, instead: 'trust level' },
  { word: /\b\w*[a-z]Room\b|\bRoom\b/, instead: 'delegation, space', except: /Room 1/ },
  { word: /\bdoors?\b|\w+Door\b/i, instead: 'what it is: a file, a listener, an entry point' },
  { word: /\bstrays?\b/i, instead: 'orphan cgroup' },
  { word: /[kK]eeper\b|\b[rR]oster\b/, instead: 'reconciler, member index' },
  { word: /\b[vV]iewers?\b/, instead: 'caller' },
  { word: /handed down|hands? down/i, instead: 'enabled in cgroup.subtree_control' },
  {
    word: /(?<![Tt]here )\bis no (?!longer|more|less|other|need|reason|way|such)[a-z]/,
    instead: 'is not a',
  },
  { word: /oversold|THERE IS\b|PROMISED/, instead: 'overcommit, AVAILABLE, COMMITTED' },
  { word: /\blook(s|ed)? at (all|every)|\blast look\b|\btwo looks\b/i, instead: 'scan, sample' },
  {
    word: /\b(?:[Mm]odules? of PAM|[Ff]ilter of system calls|sessions? of logind)\b/,
    instead: 'PAM module, seccomp filter, logind session',
  },
  {
    word: /\b(?:gate|guard)['", ]+(?:on|off|watch|update|restore)\b(?! a )|placement['", ]+restore\b|\b(?:jail|entries)['", ]+refresh\b|web['", ]+discover\b|fpm['", ]+split\b|cloudlinux['", ]+(?:un)?install\b|(?:harden|confine|deny)\b.* --undo\b/,
    instead: 'enable, disable, status or sync',
    except: /gate', 'signatures|guard', 'watch'/,
  },
  { word: /\bWAYS? IN\b|\bWays in:|\bway(?:s)?In\b|\bWay(?:In|Name)\b/, instead: 'entry path' },
];

/** Words that put off what a doc comment is about: it begins with the noun, or with the verb of what a function does. */
const opening =
  /\/\*\*\s+(?:\* )?(?:Of|What|Who|Whose|Whom|Those|As|By|Besides?|For|In|Where|When|With|Without|To|From|At|On|Until|If|Once|Like|Under|Between|After|Before|Since|Because)\b/g;

const files = globSync(
  [
    '{packages,src,test,testing,bench,scripts,docs,examples,man,schema,packaging}/**/*.{ts,tsx,css,html,md,xml,8,xsd,service,socket,yml}',
    '{libexec,pam,bpf,web}/*',
  ],
  { cwd: root },
).concat('bulkhead', 'README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md');

function* findings(file: string): Generator<string> {
  const text = readFileSync(join(root, file), 'utf8');
  for (const { 0: found, index } of text.matchAll(opening))
    yield `${file}:${text.slice(0, index).split('\n').length}: "${found}": begin with the noun or the verb`;
  for (const [index, line] of text.split('\n').entries()) {
    for (const { word, instead, except } of rules) {
      const found = word.exec(line)?.[0];
      if (found === undefined || except?.test(line) === true) continue;
      yield `${file}:${index + 1}: "${found}": write ${instead}`;
    }
  }
}

const problems = files
  .filter((file) => file !== join('scripts', 'words.ts'))
  .flatMap((file) => [...findings(file)]);
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
