// npm run four-steps [-- zh|en] [--quick] [any option of `bertgrad four-steps`]
// The four steps on data that is not part of the package. Paths come from the options, or from a folder of data sets beside
// this one (BERTGRAD_DATA, default ../shared/data); what is missing is said.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const DATA = process.env.BERTGRAD_DATA ?? new URL('../../shared/data', import.meta.url).pathname;
const at = (...names) => names.map((name) => join(DATA, name));
const SETS = {
  en: {
    general: at('corpora/en_novels', 'corpora/en_sotu.txt.gz', 'corpora/en_wikitext/wikitext_test.docs.txt'),
    domain: at('domain/en_cs/scitldr_abstracts.dapt.txt.gz'),
    train: at('domain/en_cs/csabstruct.train.jsonl'),
    dev: at('domain/en_cs/csabstruct.dev.jsonl'),
    more: ['--vocab-size', '8000'],
  },
  zh: {
    general: at('corpora/zh_wiki_cmrc.txt.gz', 'corpora/zh_luxun', 'corpora/zh_classic_novels'),
    domain: at('domain/zh_law/regulations.dapt.txt.gz'),
    train: at('domain/zh_law/articles.train.tsv'),
    dev: at('domain/zh_law/articles.dev.tsv'),
    more: ['--vocab-size', '7500', '--text', 'text', '--label', 'label'],
  },
};

const [given, ...rest] = process.argv.slice(2);
const language = given in SETS ? given : 'en';
const args = given in SETS ? rest : process.argv.slice(2);
const set = SETS[language];
const has = (option) => args.includes(option);
const wanted = ['general', 'domain', 'train', 'dev'].filter((name) => !has(`--${name}`));
const missing = wanted.flatMap((name) => set[name]).filter((path) => !existsSync(path));
if (missing.length > 0) {
  console.error(`not there:\n  ${missing.join('\n  ')}\ngive your own: npm run four-steps -- --general wiki.txt --domain law/ \\
  --train train.tsv --dev dev.tsv -o runs/four, or BERTGRAD_DATA=<folder of the data sets>`);
  process.exit(66);
}
const found = wanted.flatMap((name) => [`--${name}`, ...set[name]]);
const output =
  has('-o') || has('--output') ? [] : ['-o', `runs/four-steps-${language}${has('--quick') ? '-quick' : ''}`];
const { run } = await import('../dist/cli/program.js');
process.exitCode = await run(['four-steps', ...args, ...found, ...set.more, ...output]);
