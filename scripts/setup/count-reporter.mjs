// Tells scripts/test.mjs how many tests jest ran, beside jest's own report.
import { writeFileSync } from 'node:fs';

export default class CountReporter {
  onRunComplete(_contexts, results) {
    const path = process.env.NFCONNTRACK_JEST_COUNTS;
    if (path === undefined) return; // jest was started by hand
    const counts = {
      passed: results.numPassedTests,
      // A file that does not load has no tests to fail.
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    writeFileSync(path, JSON.stringify(counts));
  }
}
