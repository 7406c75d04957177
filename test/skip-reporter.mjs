// Prints, after Jest's own summary, why tests were skipped: one line a reason.
const PREFIX = 'skipped: ';

export default class SkipReporter {
  onRunComplete(_contexts, results) {
    const reasons = new Map();
    let unexplained = 0;
    for (const file of results.testResults) {
      for (const test of file.testResults) {
        if (test.status !== 'pending' && test.status !== 'todo') continue;
        if (!test.title.startsWith(PREFIX)) unexplained++;
        else reasons.set(test.title, [...(reasons.get(test.title) ?? []), test.ancestorTitles.join(' > ')]);
      }
    }
    for (const [reason, names] of reasons) console.error(`${reason} (${names.join(', ')})`);
    // A name filter (-t) also leaves tests out; those need no reason.
    if (unexplained > 0 && !process.argv.some((arg) => /^(-t|--testNamePattern)/.test(arg))) {
      console.error(`skipped without a reason: ${unexplained}`);
    }
  }
}
